"""Data-quality problems of rows become findings, and nothing else does."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotfish.detectors.batch import Batch, Column
from pilotfish.detectors.errors import StateError
from pilotfish.detectors.quality.duplicates import DuplicateCount, listed
from pilotfish.detectors.quality.findings import Finding
from pilotfish.detectors.quality.monitor import MAX_UNKNOWN_COLUMNS, WINDOW_TICKS, QualityMonitor
from pilotfish.detectors.reference.build import build_profile
from pilotfish.detectors.summaries.counts import TickCounts
from pilotfish.detectors.summaries.heavy import KEPT, HeavyHitters

RANDOM = np.random.default_rng(1)
ROWS = 2000
REFERENCE = {
    "age": RANDOM.normal(40, 10, ROWS),
    "city": RANDOM.choice(["Rome", "Oslo", "Lima"], ROWS),
    "score": RANDOM.random(ROWS),
}
PROFILE = build_profile(REFERENCE, sides={"score": "prediction"}, exchangeable=True)


@pytest.fixture(autouse=True)
def numbers() -> None:
    """Reset the generator, so that no test depends on earlier tests."""
    RANDOM.bit_generator.state = np.random.default_rng(1).bit_generator.state


def _inputs(rows: int = 200, seed: int = 2) -> dict[str, list[Any]]:
    random = np.random.default_rng(seed)
    return {"age": random.normal(40, 10, rows).tolist(), "city": random.choice(["Rome", "Oslo"], rows).tolist()}


def _monitored(ticks: list[dict[str, list[Any]]]) -> tuple[QualityMonitor, list[Finding]]:
    """Return the monitor after these ticks, and the new findings of each tick."""
    monitor, counting = QualityMonitor(PROFILE), TickCounts(PROFILE)
    new: list[Finding] = []
    for tick, columns in enumerate(ticks):
        batch = Batch(columns, len(next(iter(columns.values()))))
        monitor.observe(batch)
        counting.add(batch)
        new += monitor.close_tick(tick, counting.take())
    return monitor, new


def _kinds(columns: dict[str, list[Any]]) -> dict[str, tuple[str, str, float]]:
    monitor, _ = _monitored([columns])
    return {item.kind: (item.column, item.renamed_to, round(item.share, 2)) for item in monitor.findings}


def test_rows_like_the_reference_have_no_findings() -> None:
    assert _kinds(_inputs()) == {}


def test_numbers_sent_as_text_are_a_change_of_type() -> None:
    rows = _inputs()
    rows["age"][:50] = [str(value) for value in rows["age"][:50]]
    assert _kinds(rows) == {"type_change": ("age", "", 0.25)}


def test_a_column_that_got_stuck_is_constant() -> None:
    rows = _inputs()
    rows["age"] = [40.0] * 200
    assert _kinds(rows)["constant_column"] == ("age", "", 1.0)


def test_a_common_category_for_a_while_is_no_constant() -> None:
    monitor, _ = _monitored([{key: values[:10] for key, values in _inputs().items()} | {"city": ["Rome"] * 10}])
    assert monitor.findings == ()


def test_a_column_that_is_not_sent_is_missing() -> None:
    rows = _inputs()
    del rows["city"]
    assert _kinds(rows) == {"missing_column": ("city", "", 1.0)}


def test_a_column_that_the_reference_has_not_is_new() -> None:
    assert _kinds(_inputs() | {"zodiac": ["Leo"] * 200}) == {"new_column": ("zodiac", "", 1.0)}


def test_a_missing_column_with_a_new_one_of_like_name_is_renamed() -> None:
    rows = _inputs()
    rows["City_"] = rows.pop("city")
    assert _kinds(rows) == {"renamed_column": ("city", "City_", 1.0)}


def test_rows_that_are_sent_again_are_duplicates() -> None:
    rows = {key: values[:100] * 2 for key, values in _inputs().items()}
    assert _kinds(rows) == {"duplicate_rows": ("", "", 0.5)}


MISSING = st.sampled_from([None, float("nan"), np.nan, -float("nan")])
CELLS = st.one_of(MISSING, st.sampled_from([0.0, 1.5]))


@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=20), st.data())
def test_a_missing_value_equals_each_other_in_lists_and_arrays(
    rows: list[tuple[Any, Any]], data: st.DataObject
) -> None:
    columns = [list(column) for column in zip(*rows, strict=True)]
    plain = [[None if value is None or value != value else value for value in column] for column in columns]
    expected = DuplicateCount().add(plain)
    assert expected == (len(rows) - len(set(zip(*plain, strict=True))), len(rows))
    assert DuplicateCount().add([listed(column) for column in columns]) == expected
    masks = [np.array([value is None for value in column]) for column in plain]
    numbers = [np.array([0.0 if value is None else value for value in column]) for column in plain]
    noise = data.draw(st.floats(0, 1))  # what a masked cell holds does not count
    arrays = [np.where(mask, noise + np.arange(len(rows)), of) for mask, of in zip(masks, numbers, strict=True)]
    masked = [Column(values, mask) for values, mask in zip(arrays, masks, strict=True)]
    assert DuplicateCount().add([listed(column) for column in masked]) == expected


def test_rows_of_few_values_repeat_in_the_reference_already() -> None:
    coin = RANDOM.integers(0, 2, 1000)
    profile = build_profile({"coin": coin}, exchangeable=True)
    assert profile.reference.duplicate_ratio > 0.9
    monitor, counting = QualityMonitor(profile), TickCounts(profile)
    batch = Batch({"coin": coin[:300]}, 300)
    monitor.observe(batch)
    counting.add(batch)
    assert monitor.close_tick(0, counting.take()) == ()


def test_a_finding_is_new_once_and_goes_when_its_rows_are_past() -> None:
    broken = [_inputs(seed=100 + tick) | {"zodiac": ["Leo"] * 200} for tick in range(2)]
    monitor, new = _monitored([*broken, *[_inputs(seed=tick) for tick in range(2 * WINDOW_TICKS)]])
    assert [item.kind for item in new] == ["new_column"]
    assert monitor.findings == ()


def test_a_finding_tells_since_when() -> None:
    broken = [_inputs(seed=100 + tick) | {"zodiac": ["Leo"] * 200} for tick in range(2)]
    monitor, _ = _monitored([_inputs(seed=1), _inputs(seed=2), *broken])
    assert [item.since_tick for item in monitor.findings] == [2]


def test_new_names_without_end_are_remembered_in_part() -> None:
    monitor, _ = _monitored([_inputs() | {f"new{i}": [i] * 200 for i in range(3 * MAX_UNKNOWN_COLUMNS)}])
    assert sum(item.kind == "new_column" for item in monitor.findings) == MAX_UNKNOWN_COLUMNS


def test_predictions_that_are_not_in_the_profile_are_not_a_finding() -> None:
    profile = build_profile({"age": REFERENCE["age"]}, exchangeable=True)
    monitor, counting = QualityMonitor(profile), TickCounts(profile)
    monitor.observe(Batch({"score": [0.5] * 300}, 300, "prediction"))
    monitor.observe(Batch({"age": [1.0] * 300, "label": [1] * 300}, 300, "label"))
    assert monitor.close_tick(0, counting.take()) == ()


@pytest.mark.parametrize("value", [None, float("nan"), [1], {}, 10**400, "\ud800", object(), np.zeros(2)])
def test_no_value_makes_it_raise(value: object) -> None:
    monitor = QualityMonitor(PROFILE)
    monitor.observe(Batch({"age": [value] * 3, "city": [value] * 3}, 3))
    monitor.observe(Batch({"age": np.zeros((3, 2)), "city": ["Rome"] * 3}, 3))


def test_new_categories_are_listed_by_name_and_rare_ones_are_not() -> None:
    monitor = QualityMonitor(PROFILE)
    counting = TickCounts(PROFILE, monitor.add_unseen_values)
    counting.add(Batch({"city": ["Rome"] * 50 + ["Bern"] * 7 + ["Ann's house"] * 2}, 59))
    monitor.close_tick(0, counting.take())
    assert monitor.new_values() == {"city": [("Bern", 7)]}
    again = QualityMonitor(PROFILE)
    again.restore(monitor.state())
    assert again.new_values() == monitor.new_values()


@given(st.lists(st.lists(st.sampled_from("abcdefghijklmnopqrstuvwxyz"))))
def test_heavy_hitters_keep_their_bound_however_they_are_added_up(parts: list[list[str]]) -> None:
    whole = sum((HeavyHitters.of(part) for part in parts), HeavyHitters())
    true = Counter(value for part in parts for value in part)
    assert whole.rows == true.total()
    assert len(whole.counts) <= KEPT
    assert whole.max_undercount <= whole.rows / (KEPT + 1)
    for value, rows in true.items():
        assert whole.counts.get(value, 0) <= rows <= whole.counts.get(value, 0) + whole.max_undercount
    assert HeavyHitters.from_state(whole.state()) == whole


def test_duplicates_are_sought_in_bounded_stretches() -> None:
    count = DuplicateCount()
    assert count.add([list(range(256))]) == (0, 256)
    assert count.add([[0, 0]]) == (1, 2)


def test_findings_survive_a_restart() -> None:
    monitor, _ = _monitored([_inputs(), _inputs(seed=3) | {"zodiac": ["Leo"] * 200}])
    again = QualityMonitor(PROFILE)
    again.restore(monitor.state())
    assert again.findings == monitor.findings
    assert again.state() == monitor.state()
    with pytest.raises(StateError, match="version 7"):
        again.restore(monitor.state() | {"version": 7})
