"""One odd value among many changes neither the kind of a derived feature nor the bins of other rows."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.detectors.batch import Batch, Column, Floats
from pilotfish.detectors.columns.inference import are_timestamps
from pilotfish.detectors.profile.profile import Profile
from pilotfish.detectors.quality.monitor import QualityMonitor
from pilotfish.detectors.reference.build import build_profile
from pilotfish.detectors.summaries.counts import Counts, TickCounts
from pilotfish.detectors.transforms import Block
from pilotfish.detectors.transforms.arrays import fit_arrays
from pilotfish.detectors.transforms.rows import ReferenceRows
from tests.detectors.described import T0, Rows, iso, rows_of
from tests.support.examples import examples

ROWS = 1000
AT = T0 + 900.0 * np.arange(ROWS, dtype=np.float64)
ODD: dict[str, list[Any]] = {
    "booked": ["unknown", "", 17, "2024-13-01", True, [1.0], "9999-12-31", float("nan")],
    "comment": [17, 1.5, None, True, ["a"], {"a": 1}, ""],
    "emb": [
        None,
        [],
        "error",
        5.0,
        [1.0] * 59,
        [None] + [1.0] * 59,
        [1e308] * 60,
        [[1, 2], [3]],
        [True] * 60,
        {"a": 1},
    ],
    "tags": [None, "solo", 7, {"a": 1}, [], [["t"], []], True],
}
PLACES = [(name, value) for name, values in ODD.items() for value in values]


def reference(**odd: Any) -> Rows:
    made = rows_of(ROWS, np.random.default_rng(3), AT)
    made["emb"] = [list(map(float, row)) for row in made["emb"]]
    for name, value in odd.items():
        made[name][777] = value
    return made


def built(rows: Rows) -> Profile:
    return build_profile(rows, times=AT, tick_seconds=3600.0)


@cache
def _usual() -> Rows:
    return reference()


@cache
def clean() -> Profile:
    return built(reference())


@pytest.mark.long
def test_an_odd_row_of_the_reference_is_missing_and_counted() -> None:
    profile = built(reference(booked="unknown", comment=17, emb=[None] + [1.0] * 59, tags="solo"))
    assert list(profile.index) == list(clean().index)
    for found in (feature for feature in profile.features if feature.name in profile.column_transforms):
        usual = clean().feature(found.name)
        assert (found.kind, found.mismatches, usual.mismatches) == (usual.kind, 1, 0)
        assert found.reference_counts[-1] == usual.reference_counts[-1] + 1  # missing
    assert Profile.from_bytes(profile.to_bytes()).hash == profile.hash


def counted(rows: Rows, at: Any) -> Counts:
    counts = TickCounts(clean())
    counts.add(Batch(rows, len(at), at=at))
    return counts.take()


@given(st.sampled_from(PLACES), st.integers(0, 29))
@settings(max_examples=examples(60), deadline=None)
def test_an_odd_live_row_never_changes_the_bins_of_the_others(odd: tuple[str, Any], place: int) -> None:
    (name, value), at = odd, AT[:30]
    rows = {one: values[:30] for one, values in _usual().items()}
    rows[name] = [*rows[name][:place], value, *rows[name][place + 1 :]]
    alone, others = [place], [row for row in range(30) if row != place]
    parts = [
        counted({one: [values[row] for row in part] for one, values in rows.items()}, at[part])
        for part in (alone, others)
    ]
    whole = counted(rows, at)
    assert whole.bin_counts.tolist() == (parts[0].bin_counts + parts[1].bin_counts).tolist()
    assert whole.mismatches.tolist() == (parts[0].mismatches + parts[1].mismatches).tolist()


def test_directions_do_not_follow_an_array_with_a_fill_value() -> None:
    arrays = np.random.default_rng(4).normal(size=(600, 8)) * np.arange(8, 0, -1)
    usual = _first_coordinates(arrays, arrays)
    filled = arrays.copy()
    filled[::50, 7] = 1e9
    assert abs(np.corrcoef(usual, _first_coordinates(filled, arrays))[0, 1]) > 0.99


def _first_coordinates(rows: Floats, live: Floats) -> Floats:
    """Return the first coordinate [live] along the directions of a reference."""
    reference = ReferenceRows({"emb": Column(rows)}, {"emb": "input"}, {"emb": "array"}, np.ones(len(rows), bool), None)
    (transform,) = fit_arrays(reference)
    values: Floats = transform.apply(Block({"emb": Column(live)}, len(live)))["emb:pc1"].values
    return values


def test_empty_lists_stand_for_missing_arrays_up_to_half_of_the_rows() -> None:
    rng = np.random.default_rng(5)
    rows = [[] if row % 3 == 0 else rng.normal(size=8).tolist() for row in range(1200)]
    profile = build_profile({"emb": rows}, exchangeable=True)
    assert profile.feature("emb:norm").mismatches == 400


@pytest.mark.parametrize(("odd", "expected"), [(3, True), (40, True), (60, False)])
def test_a_column_of_times_may_have_a_few_other_texts(odd: int, expected: bool) -> None:
    assert are_timestamps([iso(time) for time in AT[: 1000 - odd]] + ["unknown"] * odd) == expected


def test_numbers_since_1970_with_a_text_among_them_stay_numbers() -> None:
    seen: list[Any] = (AT - np.random.default_rng(6).exponential(500, ROWS)).astype(int).astype(str).tolist()
    seen[5] = "unknown"
    profile = build_profile({"seen": seen}, times=AT, tick_seconds=3600.0, kinds={"seen": "timestamp"})
    assert profile.feature("seen:lag").mismatches == 1
    counts = TickCounts(profile)
    counts.add(Batch({"seen": [int(AT[-1])] * 10}, 10, at=float(AT[-1] + 300)))
    assert counts.take().mismatches.tolist() == [0] * len(profile.features)


def test_as_many_odd_rows_as_in_the_reference_are_no_finding() -> None:
    rng = np.random.default_rng(7)

    def rows(count: int, each: int) -> list[Any]:
        return [[0.0] if row % each == 0 else rng.normal(size=8).tolist() for row in range(count)]

    profile = build_profile({"emb": rows(2000, 50)}, exchangeable=True)
    for each, expected in ((50, []), (10, ["type_change"])):
        monitor, counting = QualityMonitor(profile), TickCounts(profile)
        batch = Batch({"emb": rows(1000, each)}, 1000)
        monitor.observe(batch)
        counting.add(batch)
        assert [finding.kind for finding in monitor.close_tick(0, counting.take())] == expected
