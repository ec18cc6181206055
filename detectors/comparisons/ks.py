"""The Kolmogorov-Smirnov distance on bins: the largest gap between the two distribution functions.

One of `COMPARISONS`.
"""

from __future__ import annotations

import numpy as np

from ..batch import Floats, Ints
from .score import Distance, Score, debiased_score, probabilities

NULL_MEAN, NULL_SD = 0.8687, 0.2603  # of Kolmogorov's distribution, in units of sqrt(1/n + 1/m)


def ks(reference: Ints, current: Ints, positions: Floats, design_effect: float = 1.0) -> Score:  # noqa: ARG001
    """Return the distance in the order of the bins. Categories have no order; use another score for them.

    The arguments are those of `score.Comparison`; positions are not used.

    Example:
        >>> import numpy as np
        >>> from pilotfish.detectors.comparisons.ks import ks
        >>> round(ks(np.array([5000, 5000, 0]), np.array([0, 5000, 5000]), np.zeros(3)).value, 2)
        0.5
    """
    p, q, rows = probabilities(reference, current)
    gap = np.cumsum(q - p)
    widest = int(np.argmax(np.abs(gap)))
    below = np.where(np.arange(len(p)) <= widest, float(np.sign(gap[widest])), 0.0)
    unit = float(np.sqrt(rows))
    distance = Distance(float(abs(gap[widest])), -below, below, False, NULL_MEAN * unit, NULL_SD * unit)
    score = debiased_score(distance, p, q, reference, current, design_effect)
    return Score(min(score.value, 1.0), min(score.low, 1.0), min(score.high, 1.0))
