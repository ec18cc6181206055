"""The population stability index: sum (q - p) log(q / p).

One of `COMPARISONS`, and the measure of `trends`.
"""

from __future__ import annotations

import numpy as np

from ..batch import Floats, Ints
from ..binning.probabilities import smoothed_probabilities
from .score import Distance, Score, debiased_score, interval, probabilities, squared_noise


def psi(reference: Ints, current: Ints, positions: Floats, design_effect: float = 1.0) -> Score:  # noqa: ARG001
    """Return the PSI in nats, the sum of both Kullback-Leibler divergences. Customary marks are .1 and .25.

    The arguments are those of `score.Comparison`; positions are not used.

    Example:
        >>> import numpy as np
        >>> from pilotfish.detectors.comparisons.psi import psi
        >>> score = psi(np.array([5000, 5000]), np.array([4000, 6000]), np.zeros(2))
        >>> round(score.value, 2), score.low > 0
        (0.04, True)
    """
    p, q, rows = probabilities(reference, current)
    return debiased_score(_distance(p, q, rows), p, q, reference, current, design_effect)


def psi_rowwise(reference: Ints, current: Ints, design_effect: float = 1.0) -> tuple[Floats, Floats, Floats]:
    """Return `psi` and the ends of its interval for each pair of rows [n, bins], n >= 1: three arrays [n].

    The values are NaN where `current` has no rows.
    """
    have, n = np.maximum(current.sum(-1), 1), np.maximum(reference.sum(-1), 1)
    p, q = (np.stack([smoothed_probabilities(row) for row in counts]) for counts in (reference, current))
    found = interval(_distance(p, q, 1 / n + 1 / have), p, q, n / design_effect, have / design_effect)
    value, low, high = (np.where(current.any(-1), part, np.nan) for part in found)
    return value, low, high


def _distance(p: Floats, q: Floats, rows: float | Floats) -> Distance:
    ratio = np.log(q / p)
    noise_mean, noise_sd = squared_noise(p.shape[-1], rows)
    value = ((q - p) * ratio).sum(-1)
    return Distance(value, 1 - q / p - ratio, 1 - p / q + ratio, True, noise_mean, noise_sd)
