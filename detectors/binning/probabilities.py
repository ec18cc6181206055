"""Bin probabilities from counts, and the normal scores of ordered bins.

Comparisons, the bank of alternatives and data quality share these estimates. The amount of smoothing is part of the
profile format: bounds depend on it to the bit.
"""

from __future__ import annotations

from statistics import NormalDist
from typing import TypeAlias

import numpy as np

from ..batch import Floats, Ints
from .categories import CategoryBins
from .numeric import NumericBins

Bins: TypeAlias = NumericBins | CategoryBins


def smoothed_probabilities(counts: Ints) -> Floats:
    """Return bin probabilities of counts [bins], with half a row added to each bin.

    Example:
        >>> import numpy as np
        >>> from pilotfish.detectors.binning.probabilities import smoothed_probabilities
        >>> smoothed_probabilities(np.array([3, 1, 0])).round(2).tolist()
        [0.64, 0.27, 0.09]
    """
    p: Floats = (counts + 0.5) / (counts.sum() + 0.5 * len(counts))
    return p


def shrunken_probabilities(part: Ints, whole: Floats) -> Floats:
    """Return bin probabilities of `part` [bins], shrunken towards those of the whole reference.

    The weight of the whole is half a row per bin.
    """
    prior = 0.5 * len(part)
    p: Floats = (part + prior * whole) / (part.sum() + prior)
    return p


def normal_scores(p: Floats, roles: np.typing.NDArray[np.str_]) -> Floats:
    """Return the normal score of each ordered bin's mid-rank, with mean 0 and variance 1 under p.

    The bins inf and missing have no order; their score is 0.
    """
    ordered = ~np.isin(roles, ["inf", "missing"])
    mass = np.where(ordered, p, 0.0)
    ranks = (np.cumsum(mass) - mass / 2) / mass.sum()
    scores = np.array([NormalDist().inv_cdf(min(max(rank, 1e-9), 1 - 1e-9)) for rank in ranks])
    scores = np.where(ordered, scores - scores @ mass / mass.sum(), 0.0)
    spread = float(np.sqrt(scores**2 @ mass / mass.sum()))
    out: Floats = scores / spread if spread > 0 else scores
    return out
