"""Marks of the axes: round numbers and round times, apart from each other."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotfish.sidecar.report.pages.axis import Axis, round_values
from pilotfish.sidecar.report.pages.markup import Clock
from pilotfish.sidecar.report.timeline.schema import TimelineWindow

DAY = 1440  # ticks of a minute


def window(first: int, ticks: int) -> TimelineWindow:
    return TimelineWindow(first_tick=first, last_tick=first + ticks - 1, ticks=ticks, rows={}, evidence={})


def marks(spans: list[TimelineWindow], clock: Clock, labels: int = 8) -> list[str]:
    drawn = "".join(Axis(spans, 60.0, 1060.0).scale(clock, 240.0, labels))
    return re.findall(r"<text[^>]*>([^<]*)</text>", drawn)


@pytest.mark.parametrize(
    ("low", "high", "values"),
    [
        (0.0, 1.05, [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (14.4, 66.0, [20.0, 30.0, 40.0, 50.0, 60.0]),
        (-2.6, 2.7, [-2.0, -1.0, 0.0, 1.0, 2.0]),
        (5.0, 5.0, [5.0]),
    ],
)
def test_marks_are_round_numbers(low: float, high: float, values: list[float]) -> None:
    assert round_values(low, high, 6) == values


@given(st.floats(-1e300, 1e300), st.floats(0, 1e300), st.integers(1, 9))
def test_marks_are_few_and_within_the_axis(low: float, width: float, most: int) -> None:
    high = low + width
    found = round_values(low, high, most)
    assert len(found) <= most
    slack = 1e-6 * (abs(low) + abs(high))
    assert all(low - slack <= value <= high + slack for value in found)


def test_times_are_round_hours() -> None:
    ticks = [window(tick, 1) for tick in range(29_853_333, 29_853_333 + 450)]
    found = marks(ticks, Clock(60.0, None))
    assert len(found) >= 3
    assert all(text.endswith(":00") for text in found), found


def test_windows_of_days_hours_and_ticks_have_round_times_apart_from_each_other() -> None:
    days = [window(20_000 * DAY + day * DAY, DAY) for day in range(14)]
    hours = [window(20_014 * DAY + hour * 60, 60) for hour in range(24)]
    ticks = [window(20_015 * DAY + tick, 1) for tick in range(60)]
    found = marks([*days, *hours, *ticks], Clock(60.0, None))
    assert 2 <= len(found) <= 8
    assert all(re.search(r":[03]0$|:15$|:45$", text) for text in found), found


def test_rows_are_round_numbers() -> None:
    assert marks([window(tick * 26, 26) for tick in range(240)], Clock(60.0, 1.0))[1] == "row 1\u202f000"
