"""The chi-square distance of the current rows to the reference: sum (q - p)^2 / p."""

from __future__ import annotations

from ..batch import Floats, Ints
from .score import Distance, Score, debiased_score, probabilities, squared_noise


def chi_square(reference: Ints, current: Ints, positions: Floats, design_effect: float = 1.0) -> Score:  # noqa: ARG001
    """The unit of the drift tolerance; close to PSI when both are small."""
    p, q, rows = probabilities(reference, current)
    ratio = q / p
    noise_mean, noise_sd = squared_noise(len(p), rows)
    distance = Distance(float((ratio - 1) ** 2 @ p), 1 - ratio**2, 2 * (ratio - 1), True, noise_mean, noise_sd)
    return debiased_score(distance, p, q, reference, current, design_effect)
