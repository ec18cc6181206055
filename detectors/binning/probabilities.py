"""Probabilities of the bins of a feature, from counts, and the normal scores of ordered bins."""

from __future__ import annotations

from statistics import NormalDist
from typing import TypeAlias

import numpy as np

from ..batch import Floats, Ints
from .categories import CategoryBins
from .numeric import NumericBins

Bins: TypeAlias = NumericBins | CategoryBins


def smoothed_probabilities(counts: Ints) -> Floats:
    """Cell probabilities with half a row added to each cell."""
    p: Floats = (counts + 0.5) / (counts.sum() + 0.5 * len(counts))
    return p


def shrunken_probabilities(part: Ints, whole: Floats) -> Floats:
    """Cell probabilities of a part of the reference, counts [cells], drawn to the whole by half a row a cell."""
    prior = 0.5 * len(part)
    p: Floats = (part + prior * whole) / (part.sum() + prior)
    return p


def normal_scores(p: Floats, roles: np.typing.NDArray[np.str_]) -> Floats:
    """Normal score of each ordered cell's mid-rank, mean 0 and variance 1 under p; 0 for inf and missing."""
    ordered = ~np.isin(roles, ["inf", "missing"])
    mass = np.where(ordered, p, 0.0)
    ranks = (np.cumsum(mass) - mass / 2) / mass.sum()
    scores = np.array([NormalDist().inv_cdf(min(max(rank, 1e-9), 1 - 1e-9)) for rank in ranks])
    scores = np.where(ordered, scores - scores @ mass / mass.sum(), 0.0)
    spread = float(np.sqrt(scores**2 @ mass / mass.sum()))
    out: Floats = scores / spread if spread > 0 else scores
    return out
