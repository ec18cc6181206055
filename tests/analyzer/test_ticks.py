"""Rows are assigned to ticks; the watermark closes ticks; late rows count in the oldest open tick."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.analyzer.ticks import MAX_OPEN, SECOND, TickClock
from tests.support.examples import examples

TEN = 10 * SECOND


def closed(clock: TickClock, now_ns: int) -> list[int]:
    due = clock.due(now_ns)
    for tick in due:
        clock.close(tick)
    return due


def test_a_row_counts_in_the_tick_of_its_time() -> None:
    clock = TickClock.of(10)
    assert clock.place(25 * SECOND, 25 * SECOND) == (2, False)
    assert clock.place(19 * SECOND, 25 * SECOND) == (1, False)
    assert clock.open == [1, 2]


def test_a_tick_closes_after_its_end_and_a_grace() -> None:
    clock = TickClock.of(10)
    clock.place(5 * SECOND, 5 * SECOND)
    assert closed(clock, 11_900_000_000) == []
    assert closed(clock, 12_000_000_000) == [0]


def test_a_short_tick_has_a_short_grace() -> None:
    clock = TickClock.of(0.5)
    clock.place(0, 0)
    assert closed(clock, 999_000_000) == []
    assert closed(clock, 1_000_000_000) == [0]


def test_a_late_row_counts_in_the_oldest_open_tick() -> None:
    clock = TickClock.of(10)
    clock.place(5 * SECOND, 5 * SECOND)
    closed(clock, 13 * SECOND)
    clock.place(14 * SECOND, 14 * SECOND)
    assert clock.place(6 * SECOND, 15 * SECOND) == (1, True)


def test_a_late_row_opens_the_next_tick_when_none_is_open() -> None:
    clock = TickClock.of(10)
    clock.place(5 * SECOND, 5 * SECOND)
    closed(clock, 13 * SECOND)
    assert clock.place(6 * SECOND, 15 * SECOND) == (1, True)


def test_a_third_tick_closes_the_oldest() -> None:
    clock = TickClock.of(10)
    for second in (5, 15, 25):
        clock.place(second * SECOND, 25 * SECOND)
    assert closed(clock, 0) == [0, 1]


def test_a_time_in_the_future_counts_as_now() -> None:
    clock = TickClock.of(10)
    assert clock.place(10**18, 25 * SECOND) == (2, False)
    assert clock.newest_ns == 25 * SECOND


def test_ticks_still_close_after_the_clock_is_set_back() -> None:
    clock, year = TickClock.of(10), 365 * 86400 * SECOND
    clock.place(year, year)
    assert closed(clock, year + 13 * SECOND) == [year // TEN]
    assert clock.place(100 * SECOND, 100 * SECOND) == (year // TEN + 1, True)
    assert clock.place(110 * SECOND, 110 * SECOND) == (year // TEN + 1, False)
    assert clock.place(120 * SECOND, 120 * SECOND) == (year // TEN + 2, False)
    assert closed(clock, 122 * SECOND) == [year // TEN + 1]
    later = year + 1000 * SECOND
    assert clock.place(later, later) == (later // TEN, False)
    assert clock.shift_ns == 0


@given(
    st.lists(st.tuples(st.integers(0, 10**5), st.integers(0, 10**5)), max_size=20),
    st.integers(0, 10**5),
)
@settings(max_examples=examples(300), deadline=None)
def test_ticks_close_again_after_any_jumps_of_the_clock(jumps: list[tuple[int, int]], start: int) -> None:
    clock = TickClock.of(10)
    for at, now in jumps:
        clock.place(at * SECOND, now * SECOND)
        closed(clock, now * SECOND)
    before = clock.closed_through
    order = []
    for step in range(30):
        now = (start + 10 * step) * SECOND
        clock.place(now, now)
        order += closed(clock, now + 3 * SECOND)
    assert len(order) >= 15
    assert order == sorted(set(order))
    assert order[0] > before


@given(st.lists(st.tuples(st.integers(0, 200 * SECOND), st.integers(0, 200 * SECOND), st.booleans()), max_size=60))
@settings(max_examples=examples(300), deadline=None)
def test_ticks_close_once_and_in_order_under_any_clock(steps: list[tuple[int, int, bool]]) -> None:
    clock, order = TickClock.of(10), []
    for at_ns, now_ns, advance in steps:
        tick, _ = clock.place(at_ns, now_ns)
        assert tick in clock.open
        if advance or len(clock.open) > MAX_OPEN:
            order += closed(clock, now_ns)
        assert len(clock.open) <= MAX_OPEN
    assert order == sorted(set(order))
