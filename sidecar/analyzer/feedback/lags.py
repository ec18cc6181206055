"""Count label lags: seconds from prediction to label, in buckets of doubling width.

The buckets are counters, so they survive a restart. Do not change `EDGES`: that changes the meaning of stored counters.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence

from ...report.schema import LabelLag
from ..counters import LABEL_LAG, LABEL_LAG_MS, CounterKey, Counters

EDGES = tuple(float(2**power) for power in range(21))  # 1 s to 12 days
_KEYS = tuple(LABEL_LAG.key(str(index)) for index in range(len(EDGES) + 1))
_SUM = LABEL_LAG_MS.key()

Buckets = tuple[tuple[float | None, int], ...]


def count_lags(lags: Sequence[float]) -> dict[CounterKey, int]:
    """Return the increments of the counters for `lags` in seconds."""
    if not lags:
        return {}
    found = Counter(_KEYS[bisect_left(EDGES, lag)] for lag in lags)
    return {**found, _SUM: round(1000 * sum(lags))}


def buckets(counters: Counters) -> Buckets:
    """Return upper edge and number of lags of each bucket; empty before the first label.

    The edge is in seconds, and None for the last bucket.
    """
    found = tuple(zip((*EDGES, None), map(counters.get, _KEYS), strict=True))
    return found if any(labels for _, labels in found) else ()


def seconds(counters: Counters) -> float:
    """Return the sum of all lags in seconds."""
    return counters.get(_SUM) / 1000


def summary(found: Buckets) -> LabelLag | None:
    """Return median and 95th percentile, interpolated within buckets; None before the first label."""
    return LabelLag(_quantile(found, 0.5), _quantile(found, 0.95)) if found else None


def _quantile(found: Buckets, share: float) -> float:
    wanted = share * sum(labels for _, labels in found)
    below, low = 0, 0.0
    for edge, labels in found:
        if labels and below + labels >= wanted:
            high = EDGES[-1] if edge is None else edge
            return low + (high - low) * (wanted - below) / labels
        below, low = below + labels, edge or low
    return EDGES[-1]
