"""The time axis of the charts, and round values for the other axis.

Each window has the same width on the time axis, because recent windows are ticks and older ones are hours or days.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, floor, log10

from ..timeline.schema import TimelineWindow
from . import svg
from .markup import Clock

HOUR, DAY = 3600.0, 86_400.0
DAYS, HOURS = (28, 14, 7, 1), (12, 6, 3, 1)
TIME_STEPS = (*(DAY * days for days in DAYS), *(HOUR * hours for hours in HOURS), 1800, 900, 300, 60, 30, 15, 5, 1)  # s
LEAST_STEP = 1e-300
ROUNDING = 1e-9  # of a step
LEAST_MARKS = 3  # of one step
MOST_MARKS = 400  # that one step may try
LABEL_WIDTH = 76  # pixels of a time


def levels(top: float, most: int) -> list[float]:
    """Return at most `most` + 1 round values from 0 to `top` (positive)."""
    return round_values(0.0, top, most + 1)


def round_values(low: float, high: float, most: int) -> list[float]:
    """Return at most `most` multiples of 1, 2, 2.5 or 5 times a power of ten from `low` to `high` (larger)."""
    distance = high / most - low / most  # avoids overflow near the largest double
    if not distance > LEAST_STEP:
        return [low]
    unit = 10.0 ** floor(log10(distance))
    for step in (unit, 2 * unit, 2.5 * unit, 5 * unit, 10 * unit):
        first, last = ceil(low / step - ROUNDING), floor(high / step + ROUNDING)
        if last - first < most:
            return [float(f"{place * step:.12g}") for place in range(first, last + 1)]
    return [low]


@dataclass(frozen=True)
class Axis:
    """Positions of windows between the pixels `left` and `right`."""

    spans: Sequence[TimelineWindow]
    left: float
    right: float

    @property
    def step(self) -> float:
        """The width of a window."""
        return (self.right - self.left) / max(1, len(self.spans))

    @property
    def middles(self) -> list[float]:
        """The middle of each window."""
        return [self.left + (place + 0.5) * self.step for place in range(len(self.spans))]

    def at(self, tick: float) -> float:
        """Return the pixel where `tick` begins, limited to the range of the windows."""
        place = bisect_right([span.first_tick for span in self.spans], tick) - 1
        if place < 0:
            return self.left
        span = self.spans[place]
        inside = min(1.0, (tick - span.first_tick) / (span.last_tick - span.first_tick + 1))
        return self.left + (place + inside) * self.step

    def band(self, kind: str, first: int, last: int | None, top: float, bottom: float, title: str = "") -> str:
        """Return the ticks `first` to `last` as a band of at least two pixels; empty if it precedes the windows."""
        if not self.spans or (last is not None and last < self.spans[0].first_tick):
            return ""
        start, end = self.at(first), self.right if last is None else self.at(last + 1)
        return svg.rect(kind, min(start, self.right - 2), top, max(end - start, 2), bottom - top, title)

    def scale(self, clock: Clock, y: float, labels: int) -> Iterator[str]:
        """Yield tick marks with round times below the axis, at most `labels` of them."""
        if not self.spans:
            return
        first, last = self.spans[0].first_tick, self.spans[-1].last_tick + 1
        end = self.left  # of the label before
        for x, tick in self._marks(clock, first, last, labels) or [(self.left, float(first))]:
            yield svg.line("tick", x, y, x, y + 4)
            start = min(x, self.right - LABEL_WIDTH)
            if start >= end:
                anchor = "start" if start == x else "end"
                yield svg.label(
                    "scale", x if start == x else self.right, y + 16, clock.brief(tick, last - first), anchor
                )
                end = start + LABEL_WIDTH

    def _marks(self, clock: Clock, first: int, last: int, labels: int) -> list[tuple[float, float]]:
        """Return (pixel, tick) of the marks: multiples of one step, or the roundest times where windows are unequal."""
        if clock.rows_per_tick:
            rows = round_values(first * clock.rows_per_tick, last * clock.rows_per_tick, labels)
            marks = [(self.at(row / clock.rows_per_tick), row / clock.rows_per_tick) for row in rows]
            return [mark for mark in marks if mark[1] >= first]
        apart, placed = (self.right - self.left) / max(1, labels), list[tuple[float, float]]()
        seconds = max(clock.tick_seconds, 1e-9)
        for step in TIME_STEPS:
            if (last - first) * seconds / step > MOST_MARKS:
                break
            times = range(ceil(first * seconds / step), floor(last * seconds / step) + 1)
            marks = [(self.at(at * step / seconds), at * step / seconds) for at in times]
            if len(marks) >= LEAST_MARKS and all(one[0] - other[0] >= apart for other, one in pairwise(marks)):
                placed = marks
                continue
            if len(placed) >= LEAST_MARKS:
                break
            placed += [mark for mark in marks if all(abs(mark[0] - other) >= apart for other, _ in placed)][:labels]
        return _spaced(placed, apart)


def _spaced(marks: list[tuple[float, float]], apart: float) -> list[tuple[float, float]]:
    """Return the marks in order, without those that are closer than `apart` pixels to the one before."""
    out: list[tuple[float, float]] = []
    for mark in sorted(marks):
        if not out or mark[0] - out[-1][0] >= apart:
            out.append(mark)
    return out
