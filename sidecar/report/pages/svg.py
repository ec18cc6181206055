"""Basic shapes of the charts. The style sheet sets colours by class (`kind`); all numbers are pixels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .markup import text

Point = tuple[float, float]


def picture(kind: str, width: int, height: int, label: str, parts: Iterable[str]) -> str:
    """Return a chart of that size; `label` describes it to screen readers."""
    return (
        f'<svg class="{kind}" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
        f'aria-label="{text(label)}">{"".join(parts)}</svg>'
    )


def rect(kind: str, x: float, y: float, width: float, height: float, title: str = "") -> str:
    """Return a rectangle; `title` is its tooltip and must be escaped."""
    where = f'class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{max(width, 0):.1f}" height="{max(height, 0):.1f}"'
    return f"<rect {where}><title>{title}</title></rect>" if title else f"<rect {where}/>"


def line(kind: str, x1: float, y1: float, x2: float, y2: float) -> str:
    """Return a straight line."""
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def label(kind: str, x: float, y: float, words: str, anchor: str = "start") -> str:
    """Return a text that starts, ends or is centred at x; `words` must be escaped."""
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{words}</text>'


def path(kind: str, points: Sequence[Point], closed: bool = False) -> str:
    """Return a line through the points; empty without points."""
    if not points:
        return ""
    steps = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<path class="{kind}" d="M{steps}{"Z" if closed else ""}"/>'


def marker(kind: str, x: float, y: float, title: str) -> str:
    """Return a triangle that points down to (x, y)."""
    corners = f"M{x:.1f},{y:.1f} {x - 6:.1f},{y - 10:.1f} {x + 6:.1f},{y - 10:.1f}Z"
    return f'<path class="{kind}" d="{corners}"><title>{title}</title></path>'


def runs(values: Sequence[float | None], xs: Sequence[float]) -> Iterable[list[Point]]:
    """Yield each run of consecutive values without None, as (x, value) pairs."""
    run: list[Point] = []
    for x, value in zip(xs, values, strict=True):
        if value is not None:
            run.append((x, value))
        elif run:
            yield run
            run = []
    if run:
        yield run
