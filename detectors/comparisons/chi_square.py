"""The chi-square distance of the current rows from the reference: sum (q - p)^2 / p.

It is the unit of the drift tolerance. One of `COMPARISONS`.
"""

from __future__ import annotations

from ..batch import Floats, Ints
from .score import Distance, Score, debiased_score, probabilities, squared_noise


def chi_square(reference: Ints, current: Ints, positions: Floats, design_effect: float = 1.0) -> Score:  # noqa: ARG001
    """Return the chi-square distance, which is close to PSI if both are small.

    The arguments are those of `score.Comparison`; positions are not used.

    Example:
        >>> import numpy as np
        >>> from pilotfish.detectors.comparisons.chi_square import chi_square
        >>> score = chi_square(np.array([5000, 5000]), np.array([400, 600]), np.zeros(2))
        >>> round(score.value, 3), round(score.low, 3), round(score.high, 3)
        (0.039, 0.013, 0.065)
    """
    p, q, rows = probabilities(reference, current)
    ratio = q / p
    noise_mean, noise_sd = squared_noise(len(p), rows)
    distance = Distance(float((ratio - 1) ** 2 @ p), 1 - ratio**2, 2 * (ratio - 1), True, noise_mean, noise_sd)
    return debiased_score(distance, p, q, reference, current, design_effect)
