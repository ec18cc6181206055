"""The report of the benchmark is correct: bounds, verdicts, tables, pictures."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from math import exp, log
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from pilotfish.detectors.batch import Batch, Column
from pilotfish.detectors.detection.replay import tick_spans_by_time
from pilotfish.detectors.reference.build import build_profile
from pilotfish.detectors.summaries.counts import TickCounts
from tests.benchmarks.detection import plots, svg, table
from tests.benchmarks.detection.columns import Normal, TwoClasses
from tests.benchmarks.detection.groups import GROUPS
from tests.benchmarks.detection.processes import PROCESSES, Clock
from tests.benchmarks.detection.real import KNOWN
from tests.benchmarks.detection.recurring import Plan, profile_of, ticks
from tests.benchmarks.detection.results import (
    binomial_lower,
    false_alarms,
    mean_ratio,
    poisson_lower,
    poisson_upper,
    share_at_least,
    with_lower_bound,
)
from tests.benchmarks.detection.runner import THREADS, Case, Group, NotMeasuredError, run


def test_bounds_are_those_of_the_textbook() -> None:
    assert poisson_upper(0) == pytest.approx(log(100))
    assert poisson_upper(3) == pytest.approx(10.045, abs=0.001)
    assert poisson_lower(3) == pytest.approx(0.4360, abs=0.001)
    assert poisson_lower(0) == 0
    assert binomial_lower(40, 40) == pytest.approx(exp(log(0.01) / 40))
    assert binomial_lower(0, 40) == 0


def test_false_alarms_are_judged_by_their_bound() -> None:
    assert false_alarms([0] * 10, allowed=1.0).met
    assert not false_alarms([0] * 4, allowed=1.0).met  # too few runs to say so
    assert not false_alarms([0, 0, 0, 12], allowed=3.0).met  # within the budget on average, but not surely


def test_a_budget_is_broken_only_if_the_lower_bound_says_so() -> None:
    assert with_lower_bound(false_alarms([0] * 10, allowed=1.0)).met
    assert with_lower_bound(false_alarms([2, 1, 3], allowed=1.0)).met is None
    assert with_lower_bound(false_alarms([12, 9, 11], allowed=1.0)).met is False


def test_means_are_judged_by_themselves() -> None:
    judged = mean_ratio([100, 120, 140], least=100.0, most=1.2)
    assert judged.met
    assert judged.bound == "<= 1.47 x"
    assert not share_at_least([True] * 8 + [False] * 2, 0.9).met


def outcomes(seeds: Sequence[int], *, missing: bool) -> list[int]:
    """Return one outcome a seed, or say that something is missing."""
    if missing:
        raise NotMeasuredError("no such package")
    return list(seeds)


@pytest.mark.long
def test_results_are_kept_and_a_case_that_cannot_run_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in THREADS:
        monkeypatch.setenv(name, "1")  # `run` sets them for the processes that it starts
    judge = partial(mean_ratio, least=1.0, most=2.0)
    cases = [
        Case("runs", "<= 2 x", outcomes, judge, runs=3, chunk=2, options={"missing": False}, cause="not this time"),
        Case("cannot", "<= 2 x", outcomes, judge, options={"missing": True}),
    ]
    run({"one": Group("One", "About.", lambda _: cases)}, tmp_path, quick=True, jobs=1)
    stored = table.stored(tmp_path, ["one", "other"])
    assert [row["met"] for row in stored["one"]["rows"]] == [True, None]
    text = table.markdown(stored)
    assert "| cannot | <= 2 x | not measured: no such package |  |  |" in text
    assert "not this time" not in text
    assert table.missed(stored) == []


def test_probabilities_of_bins_are_those_of_rows() -> None:
    rng = np.random.default_rng(0)
    profile = build_profile({"x": rng.normal(size=4000), "c": TwoClasses().rows(4000, rng)}, exchangeable=True)
    values = rng.normal(0.3, 1.2, 200_000)
    x, c = profile.feature("x"), profile.feature("c")
    found = np.bincount(x.bins.digitize(Column(values))[0], minlength=x.bins.size) / len(values)
    assert np.abs(found - Normal(0.3, 1.2).probabilities(x)).max() < 0.004
    assert TwoClasses(0.6).probabilities(c).sum() == pytest.approx(1.0)


@pytest.mark.parametrize("process", ["new categories", "retries"])
def test_ticks_counted_together_are_those_counted_one_by_one(process: str) -> None:
    plan = Plan(process, columns=2, rows=3)
    rows = PROCESSES[process](Clock(1500, plan.tick_seconds, plan.rows, plan.columns), np.random.default_rng(1))
    profile = profile_of(rows.between(0, 15), plan)
    live, counting = rows.between(15, 21), TickCounts(profile)
    for span, (tick, counts) in zip(
        tick_spans_by_time(live.times, plan.tick_seconds), ticks(profile, live, plan.tick_seconds), strict=True
    ):
        counting.add(Batch(live.taken(slice(span.start, span.stop)).columns, span.stop - span.start))
        expected = counting.take()
        assert (tick, counts.input_rows) == (span.tick, expected.input_rows)
        assert np.array_equal(counts.bin_counts, expected.bin_counts)


def test_pictures_are_pictures() -> None:
    quiet = {"name": "a & b", "figures": {"ratio": 0.2, "upper": 0.5}}
    evidence = {"name": next(iter(KNOWN)), "figures": {"evidence": [[0, -3.0], [20_000, 1.0]]}}
    results = {"delay": {"rows": [quiet]}, "quiet": {"rows": [quiet]}, "real": {"rows": [evidence]}}
    drawn = plots.pictures(json.loads(json.dumps(results)))
    assert set(drawn) == set(plots.PICTURES)
    for picture in drawn.values():
        assert ET.fromstring(picture).tag.endswith("svg")
    assert plots.pictures({}) == {}
    assert svg.Scale(1, 1000, 0, 3, logarithmic=True)(10) == pytest.approx(1)


@pytest.mark.parametrize("name", GROUPS)
def test_every_group_has_cases_of_both_forms(name: str) -> None:
    group = GROUPS[name]
    short, full = group.cases(True), group.cases(False)
    assert [case.target for case in short] == [case.target for case in full]
    assert all(a.runs <= b.runs for a, b in zip(short, full, strict=True))


def test_a_group_without_full_results_is_shown_short_and_says_so() -> None:
    full = {"one": {"title": "One", "about": "of one"}}
    quick = {**full, "two": {"title": "Two", "about": "of two"}}
    found = table.filled(full, quick, ["two", "one", "three"])
    assert [(name, group["about"]) for name, group in found.items()] == [
        ("two", "**Short form, wide bounds.** of two"),
        ("one", "of one"),
    ]
