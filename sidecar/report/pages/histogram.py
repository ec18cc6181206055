"""Histograms of one feature: the reference as a filled area, the current rows as an outline."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec

from ..timeline.schema import FeatureHistogram
from . import svg
from .axis import levels, round_values
from .markup import text, whole

SMALL_WIDTH, SMALL_HEIGHT = 180, 40
WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 520, 206, 48, 8, 146
GAP, SMALL_GAP = 14, 4  # pixels between the intervals and the bars outside
MARKS = 7  # at most, on the axis
LABEL_WIDTH, LABEL_LENGTH = 15, 10  # pixels between slanted labels, and their maximum length


def key(current: str) -> str:
    """Return the legend; `current` describes the current rows."""
    return f'<span class="key"><i></i>reference</span><span class="key"><i class="new"></i>{current}</span>'


@dataclass(frozen=True)
class Bars:
    """Places of the bars: those outside the intervals stand apart from them, on both sides.

    Attributes:
        parts: first and last bar + 1 of each part.
        starts: left pixel of each part.
        step: width of a bar.
    """

    parts: tuple[tuple[int, int], ...]
    starts: tuple[float, ...]
    step: float

    @classmethod
    def of(cls, histogram: FeatureHistogram, left: float, right: float, gap: float) -> Bars:
        """Return the places of the bars between two pixels, with a gap between two parts."""
        count, inner = len(histogram.labels), max(len(histogram.edges) - 1, 0)
        first = min(max(histogram.before, 0), count) if inner else 0
        end = min(first + inner, count) if inner else count
        parts = tuple((one, other) for one, other in ((0, first), (first, end), (end, count)) if other > one)
        step = (right - left - gap * max(len(parts) - 1, 0)) / max(1, count)
        starts = tuple(left + one * step + place * gap for place, (one, _) in enumerate(parts))
        return cls(parts, starts, step)

    def x(self, bar: int) -> float:
        """Return the left pixel of a bar."""
        for (first, end), start in zip(self.parts, self.starts, strict=True):
            if first <= bar < end:
                return start + (bar - first) * self.step
        raise IndexError(bar)

    def outlines(self, kind: str, shares: Sequence[float], bottom: float, unit: float, closed: bool) -> Iterator[str]:
        """Yield the outline of each part."""
        for (first, end), start in zip(self.parts, self.starts, strict=True):
            yield svg.path(kind, _outline(shares[first:end], start, self.step, bottom, unit), closed=closed)


def small(histogram: FeatureHistogram) -> str:
    """Return a histogram for a table row, without labels."""
    histogram = _bounded(histogram)
    unit = (SMALL_HEIGHT - 2) / max((*histogram.reference, *histogram.current, 1e-12))
    bars = Bars.of(histogram, 0, SMALL_WIDTH, SMALL_GAP)
    parts = [
        *bars.outlines("old", histogram.reference, SMALL_HEIGHT, unit, closed=True),
        *(bars.outlines("new", histogram.current, SMALL_HEIGHT, unit, closed=False) if histogram.rows else ()),
    ]
    return svg.picture("hist", SMALL_WIDTH, SMALL_HEIGHT, "reference and current shares", parts)


def large(histogram: FeatureHistogram) -> str:
    """Return a histogram with scales; each bar has a tooltip with its shares."""
    histogram = _bounded(histogram)
    top = max((*histogram.reference, *histogram.current, 1e-12)) * 1.05
    unit = (BOTTOM - TOP) / top
    bars = Bars.of(histogram, LEFT, WIDTH - 4, GAP)
    parts = [
        *_grid(top, unit),
        *bars.outlines("old", histogram.reference, BOTTOM, unit, closed=True),
        *(bars.outlines("new", histogram.current, BOTTOM, unit, closed=False) if histogram.rows else ()),
        *(
            svg.line("axis", start, BOTTOM, start + (end - first) * bars.step, BOTTOM)
            for (first, end), start in zip(bars.parts, bars.starts, strict=True)
        ),
        *_labels(histogram, bars),
        *_titles(histogram, bars),
    ]
    return svg.picture("hist", WIDTH, HEIGHT, "reference and current shares", parts)


def _bounded(histogram: FeatureHistogram) -> FeatureHistogram:
    """Limit the shares to [0, 1], because they may come from a file."""
    reference, current = (
        tuple(min(max(share, 0.0), 1.0) for share in shares) for shares in (histogram.reference, histogram.current)
    )
    return msgspec.structs.replace(histogram, reference=reference, current=current)


def _outline(shares: Sequence[float], left: float, step: float, bottom: float, unit: float) -> list[svg.Point]:
    points: list[svg.Point] = [(left, bottom)]
    for place, share in enumerate(shares):
        y = bottom - share * unit
        points += [(left + place * step, y), (left + (place + 1) * step, y)]
    return [*points, (left + len(shares) * step, bottom)]


def _grid(top: float, unit: float) -> Iterator[str]:
    for value in levels(top, 4):
        y = BOTTOM - value * unit
        yield svg.line("grid", LEFT, y, WIDTH - 4, y)
        yield svg.label("scale", LEFT - 5, y + 4, f"{100 * value:.3g} %", "end")


def _labels(histogram: FeatureHistogram, bars: Bars) -> Iterator[str]:
    """Yield round numbers below intervals, and slanted names below other bars, where they fit."""
    edges, labels, step = histogram.edges, histogram.labels, bars.step
    if len(edges) < 2:  # an interval has two
        every = max(1, -(-LABEL_WIDTH // max(1, int(step))))
        for place in range(0, len(labels), every):
            yield _slanted(labels[place], bars.x(place) + step / 2, BOTTOM + 13)
        return
    first, inner = min(histogram.before, len(labels)), len(edges) - 1
    if first < len(labels) and edges[-1] > edges[0]:
        start, width = bars.x(first), inner * step
        for value in round_values(edges[0], edges[-1], MARKS):
            x = start + (value - edges[0]) / (edges[-1] - edges[0]) * width
            yield svg.line("tick", x, BOTTOM, x, BOTTOM + 4)
            yield svg.label("scale", x, BOTTOM + 16, _border(value), "middle")
    for place in (*range(first), *range(first + inner, len(labels))):
        words = labels[place].removesuffix(labels[place].rpartition(" ")[2]).strip() or labels[place]
        yield _slanted(words, bars.x(place) + step / 2, BOTTOM + 13)


def _border(value: float) -> str:
    return whole(value) if 1000 <= abs(value) < 1e6 and value == round(value) else f"{value:.6g}"


def _slanted(words: str, x: float, y: float) -> str:
    short = words if len(words) <= LABEL_LENGTH else words[: LABEL_LENGTH - 1] + "…"
    where = f'transform="translate({x + 3:.1f},{y:.1f}) rotate(-38)"'
    return f'<text class="scale" text-anchor="end" {where}>{text(short)}</text>'


def _titles(histogram: FeatureHistogram, bars: Bars) -> Iterator[str]:
    for place, (label, old, new) in enumerate(
        zip(histogram.labels, histogram.reference, histogram.current, strict=True)
    ):
        title = f"{text(label)}: reference {old:.2%}, current {new:.2%}"
        yield svg.rect("hover", bars.x(place), TOP, bars.step, BOTTOM - TOP, title)
