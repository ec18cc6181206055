"""The Jensen-Shannon distance, base 2: 0 for equal distributions, 1 for disjoint ones.

One of `COMPARISONS`.
"""

from __future__ import annotations

import numpy as np

from ..batch import Floats, Ints
from .score import FEW_ROWS, Divergence, Score, effective_rows, shares, variance_of


def jensen_shannon_distance(
    reference: Ints,
    current: Ints,
    positions: Floats,  # noqa: ARG001  # every comparison has them
    design_effect: float = 1.0,
) -> Score:
    """Return the square root of the divergence in bits, like `scipy.spatial.distance.jensenshannon` with base 2.

    Source: Endres and Schindelin, A new metric for probability distributions, IEEE Trans. Inf. Theory 49 (2003). The
    arguments are those of `score.Comparison`; positions are not used.

    Example:
        >>> import numpy as np
        >>> from pilotfish.detectors.comparisons.jensen_shannon import jensen_shannon_distance
        >>> score = jensen_shannon_distance(np.array([5000, 5000]), np.array([400, 600]), np.zeros(2))
        >>> round(score.value, 4), jensen_shannon_distance(np.array([9, 0]), np.array([0, 9]), np.zeros(2)).value
        (0.0854, 1.0)
    """
    m, n = (effective_rows(counts, design_effect) for counts in (reference, current))
    p, q = shares(reference), shares(current)
    used = p + q > 0
    middle = np.where(used, (p + q) / 2, 1.0)
    by_p, by_q = (np.log2(np.where(part > 0, part, middle) / middle) / 2 for part in (p, q))
    terms, least = p / middle / n + q / middle / m, 1 / n + 1 / m
    found = Divergence(
        value=np.maximum(p @ by_p + q @ by_q, 0.0),
        noise=(terms.sum() - least) / (8 * np.log(2)),
        least_noise=(terms[current >= FEW_ROWS].sum() - least) / (8 * np.log(2) * design_effect),
        variance=variance_of(by_p, p) / m + variance_of(by_q, q) / n,
        freedom=np.maximum(used.sum() - 1.0, 1.0),
    ).score()
    value, low, high = (float(np.sqrt(min(end, 1.0))) for end in (found.value, found.low, found.high))
    return Score(value, low, high)
