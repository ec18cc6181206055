"""The Kolmogorov-Smirnov distance on bins: the largest gap between the two distribution functions.

One of `COMPARISONS`.
"""

from __future__ import annotations

import numpy as np

from ..batch import Floats, Ints
from .score import Score, effective_rows, shares

BAND = 1.358  # 95 % quantile of Kolmogorov's distribution, in units of sqrt(1/n + 1/m)


def ks(reference: Ints, current: Ints, positions: Floats, design_effect: float = 1.0) -> Score:
    """Return the statistic of `scipy.stats.ks_2samp` at the borders of the bins; missing values are left out.

    The interval follows from the triangle inequality: the statistic differs from the distance of the distributions by
    at most the largest deviation of both samples, so its 95 % quantile (Kolmogorov 1933; Massart 1990 for any size)
    bounds both ends. Coverage is at least 95 %, whatever the distributions. The arguments are those of
    `score.Comparison`. Categories have no order; use another score for them.

    Example:
        >>> import numpy as np
        >>> from pilotfish.detectors.comparisons.ks import ks
        >>> ks(np.array([5000, 5000, 0]), np.array([0, 5000, 5000]), np.zeros(3)).value
        0.5
    """
    ordered = ~np.isnan(np.atleast_2d(positions)[0])
    reference, current = reference[ordered], current[ordered]
    value = float(np.abs(np.cumsum(shares(current) - shares(reference))).max(initial=0.0))
    reach = BAND * float(sum(1 / effective_rows(counts, design_effect) for counts in (reference, current))) ** 0.5
    return Score(min(value, 1.0), max(value - reach, 0.0), min(value + reach, 1.0))
