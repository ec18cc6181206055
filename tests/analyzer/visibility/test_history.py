"""The history of counters: the shortest window with enough events, bounded memory, and a new beginning."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.analyzer.visibility.history import MAX_ENTRIES, History, Totals
from tests.support.examples import examples

STEPS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=60)


def totals(first: int, second: int) -> Totals:
    return Totals({("outcome", "measured", ""): first, ("outcome", "undecodable", "ragged"): second})


def measured(found: Totals) -> int:
    return found.of("outcome", "measured", "")


def history(steps: list[tuple[int, int]]) -> History:
    made, first, second = History(), 0, 0
    for one, other in steps:
        first, second = first + one, second + other
        made.add(totals(first, second))
    return made


@given(steps=STEPS, at_least=st.integers(1, 60))
@settings(max_examples=examples(200))
def test_the_window_is_the_shortest_one_with_enough_events(steps: list[tuple[int, int]], at_least: int) -> None:
    found = history(steps).recent(measured, at_least)
    changes = [step for step in steps if step != (0, 0)]
    suffixes = [changes[-size:] for size in range(1, len(changes) + 1)]
    expected = next((part for part in suffixes if sum(one for one, _ in part) >= at_least), None)
    if expected is None:
        assert found is None
    else:
        assert found is not None
        assert measured(found) == sum(one for one, _ in expected)
        assert found.of("outcome", "undecodable", "ragged") == sum(other for _, other in expected)


@given(steps=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=600, max_size=700))
@settings(max_examples=examples(20))
def test_memory_is_bounded_and_every_window_has_enough_events(steps: list[tuple[int, int]]) -> None:
    made = history(steps)
    assert len(made) <= MAX_ENTRIES
    total = sum(one for one, _ in steps)
    for at_least in (1, 20, total // 2, total):
        found = made.recent(measured, at_least)
        assert (found is None) == (total < at_least)
        assert found is None or measured(found) >= at_least


def test_a_window_may_begin_before_the_first_reading() -> None:
    found = history([(30, 0)]).recent(measured, 20)
    assert found is not None
    assert measured(found) == 30


def test_a_new_proxy_begins_again() -> None:
    made = history([(30, 0), (5, 0)])
    made.add(totals(2, 0))
    assert made.recent(measured, 20) is None
    found = made.recent(measured, 2)
    assert found is not None
    assert measured(found) == 2


@pytest.mark.parametrize("repeats", [1, 1000])
def test_a_quiet_service_keeps_its_window(repeats: int) -> None:
    made = history([(20, 0), (0, 7)])
    for _ in range(repeats):
        made.add(totals(20, 7))
    found = made.recent(lambda item: measured(item) + item.of("outcome", "undecodable", "ragged"), 7)
    assert found is not None
    assert measured(found) == 0
