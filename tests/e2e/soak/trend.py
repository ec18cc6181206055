"""Whether a quantity grows: the slope of its samples, robust against single steps."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from statistics import median

Sample = tuple[float, float]  # seconds, value


def slope(samples: Sequence[Sample]) -> float:
    """Return the median slope between all pairs of samples, per second (Theil and Sen)."""
    return median((later[1] - first[1]) / (later[0] - first[0]) for first, later in combinations(samples, 2))


def growth(samples: Sequence[Sample]) -> float:
    """Return the growth over all samples as the slope predicts it."""
    return slope(samples) * (samples[-1][0] - samples[0][0])
