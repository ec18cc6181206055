"""Small drawings for the page, as inline SVG: no script, no file, colours from the page's style."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from math import log10

WIDTH, HEIGHT, GAP = 240, 56, 1.0
MAX_BARS = 48


def histogram(labels: Sequence[str], reference: Sequence[float], current: Sequence[float]) -> str:
    """Return the reference's shares as filled bars with the current ones as outlines; neighbours join beyond 48 bars.

    All three are of one length; shares are drawn relative to the largest of them.
    """
    labels, reference, current = _joined(labels, reference, current)
    top = max((*reference, *current, 1e-12))
    step = WIDTH / max(1, len(labels))
    bars = []
    for index, (label, old, new) in enumerate(zip(labels, reference, current, strict=True)):
        left, width = index * step, max(step - GAP, 0.5)
        bars.append(
            f"<g><title>{escape(label)}: reference {old:.1%}, now {new:.1%}</title>"
            f"{_bar('old', left, width, old / top)}{_bar('new', left, width, new / top)}</g>"
        )
    return (
        f'<svg class="hist" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img" '
        f'aria-label="reference and current shares">{"".join(bars)}</svg>'
    )


def meter(ratio: float, width: int = 120) -> str:
    """Return a bar for evidence over its threshold, on a logarithmic scale from 1e-4 to 1: full is an alarm."""
    filled = 0.0 if ratio <= 0 else min(1.0, max(0.0, 1 + log10(ratio) / 4))
    kind = "hot" if ratio >= 1 else "warm" if filled > 0.75 else "calm"
    return (
        f'<svg class="meter" width="{width}" height="10" role="img" aria-label="evidence {ratio:.2g} of 1">'
        f'<rect class="rail" width="{width}" height="10"/>'
        f'<rect class="{kind}" width="{filled * width:.1f}" height="10"/></svg>'
    )


def _bar(kind: str, left: float, width: float, share: float) -> str:
    height = share * (HEIGHT - 2)
    return f'<rect class="{kind}" x="{left:.1f}" y="{HEIGHT - height:.1f}" width="{width:.1f}" height="{height:.1f}"/>'


def _joined(
    labels: Sequence[str], reference: Sequence[float], current: Sequence[float]
) -> tuple[list[str], list[float], list[float]]:
    """Join neighbours so that at most `MAX_BARS` bars are left."""
    size = -(-len(labels) // MAX_BARS) or 1
    starts = range(0, len(labels), size)
    names = [labels[at] if size == 1 else f"{labels[at]} … {labels[min(at + size, len(labels)) - 1]}" for at in starts]
    return names, [sum(reference[at : at + size]) for at in starts], [sum(current[at : at + size]) for at in starts]
