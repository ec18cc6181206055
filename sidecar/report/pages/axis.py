"""The time axis of the charts, and round values for the other axis.

Each window has the same width on the time axis, because recent windows are ticks and older ones are hours or days.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import floor, log10

from ..timeline.schema import TimelineWindow
from . import svg
from .markup import Clock


def levels(top: float, most: int) -> list[float]:
    """Return at most `most` + 1 round values from 0 to `top` (positive)."""
    unit = 10.0 ** floor(log10(top / most))
    step = next(step for step in (unit, 2 * unit, 5 * unit, 10 * unit) if top / step < most + 1)
    return [number * step for number in range(int(top / step) + 1)]


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

    def at(self, tick: int) -> float:
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
        """Yield tick marks with their times below the axis, about `labels` of them."""
        count = len(self.spans)
        if not count:
            return
        ticks = self.spans[-1].last_tick - self.spans[0].first_tick + 1
        every = max(1, -(-count // max(1, labels)))
        for place in range(0, count, every):
            x = self.left + place * self.step
            yield svg.line("tick", x, y, x, y + 4)
            yield svg.label("scale", x, y + 16, clock.brief(self.spans[place].first_tick, ticks))
