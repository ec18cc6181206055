"""The Wasserstein distance on cells: how far mass has to move, in reference standard deviations."""

from __future__ import annotations

import numpy as np

from ..batch import Floats, Ints
from .score import Distance, Score, debiased_score, probabilities


def wasserstein(reference: Ints, current: Ints, positions: Floats, design_effect: float = 1.0) -> Score:
    """The area between the distribution functions over `positions`, which must not fall.

    Positions are normal scores, so the unit is the standard deviation of a normal feature, and one wild value does
    not set the scale; how far values lie outside of the range is told by their share.
    """
    p, q, rows = probabilities(reference, current)
    widths = np.append(np.diff(positions), 0.0)
    below = np.cumsum(p)
    gap = np.cumsum(q) - below
    by_current = np.cumsum((np.sign(gap) * widths)[::-1])[::-1]
    noise = float(widths @ np.sqrt(np.maximum(2 / np.pi * below * (1 - below) * rows, 0)))
    distance = Distance(float(np.abs(gap) @ widths), -by_current, by_current, False, noise, noise / 2)
    return debiased_score(distance, p, q, reference, current, design_effect)
