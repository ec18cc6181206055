"""False alarms where rows are independent: every run has a reference of its own."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from pilotfish.detectors.batch import Batch, Side
from pilotfish.detectors.detection.monitor import DriftMonitor
from pilotfish.detectors.reference.build import build_profile
from pilotfish.detectors.summaries.counts import TickCounts
from tests.benchmarks.detection.columns import Normal
from tests.benchmarks.detection.relations import ERROR, answers, pairs
from tests.benchmarks.detection.results import false_alarms
from tests.benchmarks.detection.runner import Case
from tests.benchmarks.detection.traffic import Crossings, Draw, reference, settings

A = 200.0
FEATURES, RELATED = 20, 10
RATES = (5, 50, 500)


def crossings(seeds: Sequence[int], *, rows: int, n0: int, ticks: int) -> list[int]:
    """How often each run crosses its threshold without drift."""
    columns = [Normal()] * FEATURES
    found = []
    for seed in seeds:
        profile = reference(columns, n0, 0.0, [seed, rows, n0])
        draw = Draw(profile, columns, np.random.default_rng([seed, rows, n0, 1]))
        evidence = Crossings(profile, A)
        found.append(sum(len(evidence.step(tick, draw.flat_counts(rows))) for tick in range(ticks)))
    return found


def pages_of_all(seeds: Sequence[int], *, rows: int, n0: int, ticks: int) -> list[int]:
    """Alarms of each run over all families: columns in related pairs, their derived columns, predictions and labels."""
    found = []
    for seed in seeds:
        rng = np.random.default_rng([seed, rows, n0, 2])
        sides: dict[str, Side] = {"answer": "prediction", "truth": "label"}
        columns = {**pairs(n0, rng, broken=False, columns=RELATED), **answers(n0, ERROR, rng)}
        profile = build_profile(columns, sides=sides, exchangeable=True, tolerance=0.0)
        monitor, counts, pages = DriftMonitor(profile, settings(A)), TickCounts(profile), 0
        for tick in range(ticks):
            answered = answers(rows, ERROR, rng)
            counts.add(Batch(pairs(rows, rng, broken=False, columns=RELATED), rows))
            counts.add(Batch({"answer": answered["answer"]}, rows, "prediction"))
            counts.add(Batch(answered, rows, "label"))
            pages += len(monitor.close_tick(tick, counts.take()).alarms)
        found.append(pages)
    return found


def everything(quick: bool) -> list[Case]:
    runs, ticks = (6, 300) if quick else (30, 400)
    return [
        Case(
            name=f"reference of {n0:,} rows, 50 rows a tick",
            target="<= 1.0 at its bound",
            measure=pages_of_all,
            judge=partial(false_alarms, allowed=ticks / A),
            runs=runs,
            chunk=2 if quick else 5,
            options={"rows": 50, "n0": n0, "ticks": ticks},
        )
        for n0 in (2_000, 20_000)
    ]


def _cases(sizes: Sequence[int], runs: int, ticks: int) -> list[Case]:
    return [
        Case(
            name=f"reference of {n0:,} rows, {rows} rows a tick",
            target="<= 1.0 at its bound",
            measure=crossings,
            judge=partial(false_alarms, allowed=ticks / A),
            runs=runs,
            chunk=max(4, runs // 20),
            options={"rows": rows, "n0": n0, "ticks": ticks},
        )
        for n0 in sizes
        for rows in RATES
    ]


def large(quick: bool) -> list[Case]:
    return _cases([100_000], *((16, 400) if quick else (200, 2000)))


def small(quick: bool) -> list[Case]:
    return _cases([1_000, 10_000], *((16, 200) if quick else (200, 500)))
