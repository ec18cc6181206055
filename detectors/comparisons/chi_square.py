"""The chi-square distance of the current rows from the reference: sum (q - p)^2 / p.

It is the unit of the drift tolerance. One of `COMPARISONS`.
"""

from __future__ import annotations

import numpy as np

from ..batch import Floats, Ints
from .psi import filled_shares
from .score import Divergence, Score, effective_rows, shares, variance_of


def chi_square(reference: Ints, current: Ints, positions: Floats, design_effect: float = 1.0) -> Score:  # noqa: ARG001
    """Return the chi-square distance, which is close to PSI if both are small.

    A bin without reference rows counts as half a row of the reference, or as the current share if that is smaller. The
    arguments are those of `score.Comparison`; positions are not used.

    Example:
        >>> import numpy as np
        >>> from pilotfish.detectors.comparisons.chi_square import chi_square
        >>> score = chi_square(np.array([5000, 5000]), np.array([400, 600]), np.zeros(2))
        >>> round(score.value, 3), round(score.low, 3), round(score.high, 3)
        (0.04, 0.018, 0.068)
    """
    m, n = (effective_rows(counts, design_effect) for counts in (reference, current))
    p, _ = filled_shares(reference, current)
    q = shares(current)
    used = p > 0
    ratio = np.where(used, q / np.where(used, p, 1.0), 0.0)
    noise = ratio.sum() / n + (ratio**2).sum() / m - 1 / n - 1 / m
    return Divergence(
        value=((ratio - 1) ** 2) @ p,
        noise=noise,
        least_noise=noise / design_effect,
        variance=variance_of(1 - ratio**2, p) / m + variance_of(2 * (ratio - 1), q) / n,
        freedom=np.maximum(used.sum() - 1.0, 1.0),
    ).score()
