"""The score that every comparison returns, and the interval that they share.

A comparison computes a `Distance` with its derivatives; `debiased_score` subtracts what noise alone would add, so that
few rows do not look like drift.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ..batch import Floats, Ints
from ..binning.probabilities import smoothed_probabilities

Z_95 = 1.96


@dataclass(frozen=True)
class Score:
    """A distance with a 95 % interval; 0 means equal."""

    value: float
    low: float
    high: float


class Comparison(Protocol):
    """A function that compares counts and returns a score.

    Args:
        reference, current: counts [bins].
        positions: [bins] positions of ordered bins, in standard deviations.
        design_effect: consecutive rows that count as one independent row, for the interval.
    """

    def __call__(self, reference: Ints, current: Ints, positions: Floats, design_effect: float = 1.0) -> Score: ...


@dataclass(frozen=True)
class Distance:
    """A distance of two probability vectors, its derivatives, and its distribution under noise alone.

    Numbers may be [n] and derivatives [n, bins], for n current samples against one reference.

    Attributes:
        by_reference, by_current: [bins] derivatives by either probability vector.
        squared: noise adds to a squared distance itself (PSI), and to the square of a plain distance (Wasserstein).
        noise_mean, noise_sd: of the distance between two samples of the same distribution.
    """

    value: float | Floats
    by_reference: Floats
    by_current: Floats
    squared: bool
    noise_mean: float | Floats
    noise_sd: float | Floats

    @property
    def without_noise(self) -> Floats:
        if self.squared:
            return np.maximum(0.0, self.value - self.noise_mean)
        squared: Floats = np.maximum(0.0, self.value**2 - self.noise_mean**2 - self.noise_sd**2)
        return np.sqrt(squared)


def probabilities(reference: Ints, current: Ints) -> tuple[Floats, Floats, float]:
    """Return smoothed bin probabilities of both samples, and 1/n + 1/m."""
    rows = 1 / max(int(reference.sum()), 1) + 1 / max(int(current.sum()), 1)
    return smoothed_probabilities(reference), smoothed_probabilities(current), rows


def debiased_score(
    distance: Distance, p: Floats, q: Floats, reference: Ints, current: Ints, design_effect: float
) -> Score:
    """Return the distance less what noise adds.

    The interval is that of the delta method, which has width 0 where nothing has changed, widened by the noise.
    """
    rows = (max(int(counts.sum()), 1) / design_effect for counts in (reference, current))
    return Score(*map(float, interval(distance, p, q, *rows)))


def interval(
    distance: Distance, p: Floats, q: Floats, reference_rows: float, current_rows: float | Floats
) -> tuple[Floats, Floats, Floats]:
    """Return the debiased distance and both ends of its interval.

    `q` is [bins], or [n, bins] with `current_rows` [n]. The method is that of `debiased_score`.
    """
    variance = _variance(distance.by_reference, p) / reference_rows + _variance(distance.by_current, q) / current_rows
    reach = Z_95 * np.hypot(np.sqrt(variance), distance.noise_sd)
    value = distance.without_noise
    return value, np.maximum(0.0, value - reach), value + reach


def squared_noise(n_bins: int, rows: float | Floats) -> tuple[float | Floats, float | Floats]:
    """Return mean and standard deviation of sum (q - p)^2 / p between two samples, a chi-square.

    `rows` is 1/n + 1/m.
    """
    freedom = n_bins - 1
    return freedom * rows, float(np.sqrt(2 * freedom)) * rows


def _variance(derivative: Floats, p: Floats) -> Floats:
    mean = (derivative * p).sum(-1, keepdims=True)
    out: Floats = np.maximum(((derivative - mean) ** 2 * p).sum(-1), 0.0)
    return out
