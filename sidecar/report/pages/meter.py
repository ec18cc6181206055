"""A ratio as a horizontal bar."""

from __future__ import annotations

from math import log10


def meter(ratio: float, width: int = 120) -> str:
    """Return a bar for an evidence ratio, on a logarithmic scale from 1e-4 to 1; a full bar is an alarm."""
    filled = 0.0 if ratio <= 0 else min(1.0, max(0.0, 1 + log10(ratio) / 4))
    kind = "hot" if ratio >= 1 else "warm" if filled > 0.75 else "calm"
    return (
        f'<svg class="meter" width="{width}" height="10" role="img" aria-label="evidence {ratio:.2g} of 1">'
        f'<rect class="rail" width="{width}" height="10"/>'
        f'<rect class="{kind}" width="{filled * width:.1f}" height="10"/></svg>'
    )
