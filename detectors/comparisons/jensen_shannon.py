"""The Jensen-Shannon divergence in bits: 0 for equal distributions, 1 for disjoint ones.

One of `COMPARISONS`.
"""

from __future__ import annotations

import numpy as np

from ..batch import Floats, Ints
from .score import Distance, Score, debiased_score, probabilities, squared_noise


def jensen_shannon(reference: Ints, current: Ints, positions: Floats, design_effect: float = 1.0) -> Score:  # noqa: ARG001
    """Return the divergence (Lin: Divergence measures based on the Shannon entropy, IEEE Trans. Inf. Theory 1991).

    The arguments are those of `score.Comparison`; positions are not used.

    Example:
        >>> import numpy as np
        >>> from pilotfish.detectors.comparisons.jensen_shannon import jensen_shannon
        >>> round(jensen_shannon(np.array([9000, 0]), np.array([0, 9000]), np.zeros(2)).value, 2)
        1.0
    """
    p, q, rows = probabilities(reference, current)
    middle = (p + q) / 2
    by_p, by_q = np.log2(p / middle) / 2, np.log2(q / middle) / 2
    noise_mean, noise_sd = squared_noise(len(p), rows / (8 * float(np.log(2))))
    distance = Distance(float(p @ by_p + q @ by_q), by_p, by_q, True, noise_mean, noise_sd)
    score = debiased_score(distance, p, q, reference, current, design_effect)
    return Score(min(score.value, 1.0), min(score.low, 1.0), min(score.high, 1.0))
