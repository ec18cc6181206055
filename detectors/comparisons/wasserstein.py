"""The Wasserstein distance on bins: how far mass has to move, in reference standard deviations.

One of `COMPARISONS`.
"""

from __future__ import annotations

import numpy as np

from ..batch import Floats, Ints
from .score import Distance, Score, debiased_score, probabilities


def wasserstein(reference: Ints, current: Ints, positions: Floats, design_effect: float = 1.0) -> Score:
    """Return the area between the distribution functions over `positions`, which must not decrease.

    Positions are normal scores. So the unit is the standard deviation of a normal feature, and no outlier determines
    the scale; the share of out-of-range rows shows how many outliers there are. The other arguments are those of
    `score.Comparison`.

    Example:
        >>> import numpy as np
        >>> from pilotfish.detectors.comparisons.wasserstein import wasserstein
        >>> shifted = wasserstein(np.array([9000, 0, 0]), np.array([0, 9000, 0]), np.array([0.0, 2.0, 3.0]))
        >>> round(shifted.value, 1)
        2.0
    """
    p, q, rows = probabilities(reference, current)
    widths = np.append(np.diff(positions), 0.0)
    below = np.cumsum(p)
    gap = np.cumsum(q) - below
    by_current = np.cumsum((np.sign(gap) * widths)[::-1])[::-1]
    noise = float(widths @ np.sqrt(np.maximum(2 / np.pi * below * (1 - below) * rows, 0)))
    distance = Distance(float(np.abs(gap) @ widths), -by_current, by_current, False, noise, noise / 2)
    return debiased_score(distance, p, q, reference, current, design_effect)
