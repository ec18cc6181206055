"""The chi-square distance of the current rows to the reference: sum (q - p)^2 / p."""

from __future__ import annotations

from ..batch import Floats, Ints
from .score import Distance, Score, probabilities, scored, squared_noise


def chi_square(reference: Ints, current: Ints, positions: Floats, alike: float = 1.0) -> Score:  # noqa: ARG001
    """The unit of the drift tolerance; close to PSI when both are small."""
    p, q, rows = probabilities(reference, current)
    ratio = q / p
    noise_mean, noise_sd = squared_noise(len(p), rows)
    distance = Distance(float((ratio - 1) ** 2 @ p), 1 - ratio**2, 2 * (ratio - 1), True, noise_mean, noise_sd)
    return scored(distance, p, q, reference, current, alike)
