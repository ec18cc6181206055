"""Histograms of one feature: the reference as a filled area, the current rows as an outline."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from ..timeline.schema import FeatureHistogram
from . import svg
from .axis import levels
from .markup import text, whole

SMALL_WIDTH, SMALL_HEIGHT = 180, 40
WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 520, 206, 48, 8, 146
LABEL_WIDTH, LABEL_LENGTH = 15, 10  # pixels between slanted labels, and their maximum length


def key(current: str) -> str:
    """Return the legend; `current` describes the current rows."""
    return f'<span class="key"><i></i>reference</span><span class="key"><i class="new"></i>{current}</span>'


def small(histogram: FeatureHistogram) -> str:
    """Return a histogram for a table row, without labels."""
    histogram, count = _bounded(histogram), len(histogram.labels)
    step = SMALL_WIDTH / max(1, count)
    top = max((*histogram.reference, *histogram.current, 1e-12))
    parts = [
        svg.path("old", _outline(histogram.reference, 0, step, SMALL_HEIGHT, (SMALL_HEIGHT - 2) / top), closed=True),
        svg.path("new", _outline(histogram.current, 0, step, SMALL_HEIGHT, (SMALL_HEIGHT - 2) / top))
        if histogram.rows
        else "",
    ]
    return svg.picture("hist", SMALL_WIDTH, SMALL_HEIGHT, "reference and current shares", parts)


def large(histogram: FeatureHistogram) -> str:
    """Return a histogram with scales; each bar has a tooltip with its shares."""
    histogram, count = _bounded(histogram), len(histogram.labels)
    step = (WIDTH - LEFT - 4) / max(1, count)
    top = max((*histogram.reference, *histogram.current, 1e-12)) * 1.05
    unit = (BOTTOM - TOP) / top
    parts = [
        *_grid(top, unit),
        svg.path("old", _outline(histogram.reference, LEFT, step, BOTTOM, unit), closed=True),
        svg.path("new", _outline(histogram.current, LEFT, step, BOTTOM, unit)) if histogram.rows else "",
        svg.line("axis", LEFT, BOTTOM, WIDTH - 4, BOTTOM),
        *_labels(histogram, step),
        *_titles(histogram, step),
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


def _labels(histogram: FeatureHistogram, step: float) -> Iterator[str]:
    """Yield numbers below bars that are intervals, and slanted names below other bars, where they fit."""
    edges, labels = histogram.edges, histogram.labels
    for place in range(0, len(edges), max(1, -(-len(edges) // 7))):
        x = LEFT + (place + 1) * step
        yield svg.line("tick", x, BOTTOM, x, BOTTOM + 4)
        yield svg.label("scale", x, BOTTOM + 16, _border(edges[place]), "middle")
    if not edges:
        every = max(1, -(-LABEL_WIDTH // max(1, int(step))))
        for place in range(0, len(labels), every):
            yield _slanted(labels[place], LEFT + (place + 0.5) * step, BOTTOM + 13)
    for place in range(len(edges) + 1, len(labels) if edges else 0):
        if not labels[place].startswith("above "):
            yield _slanted(labels[place], LEFT + (place + 0.5) * step, BOTTOM + 25)


def _border(value: float) -> str:
    return whole(value) if 1000 <= abs(value) < 1e6 else f"{value:.3g}"


def _slanted(words: str, x: float, y: float) -> str:
    short = words if len(words) <= LABEL_LENGTH else words[: LABEL_LENGTH - 1] + "…"
    where = f'transform="translate({x + 3:.1f},{y:.1f}) rotate(-38)"'
    return f'<text class="scale" text-anchor="end" {where}>{text(short)}</text>'


def _titles(histogram: FeatureHistogram, step: float) -> Iterator[str]:
    for place, (label, old, new) in enumerate(
        zip(histogram.labels, histogram.reference, histogram.current, strict=True)
    ):
        title = f"{text(label)}: reference {old:.2%}, current {new:.2%}"
        yield svg.rect("hover", LEFT + place * step, TOP, step, BOTTOM - TOP, title)
