"""The population stability index: sum (q - p) log(q / p)."""

from __future__ import annotations

import numpy as np

from pilotfish.detectors.batch import Floats, Ints
from pilotfish.detectors.comparisons.score import Distance, Score, probabilities, scored, squared_noise


def psi(reference: Ints, current: Ints, positions: Floats) -> Score:  # noqa: ARG001  # one signature for all
    """The sum of both Kullback-Leibler divergences, in nats; .1 and .25 are the customary marks."""
    p, q, rows = probabilities(reference, current)
    ratio = np.log(q / p)
    noise_mean, noise_sd = squared_noise(len(p), rows)
    distance = Distance(float((q - p) @ ratio), 1 - q / p - ratio, 1 - p / q + ratio, True, noise_mean, noise_sd)
    return scored(distance, p, q, reference, current)
