"""The score that every comparison returns, and the interval that the divergences share.

A score shows the plain statistic of the rows, noise included, as textbooks and scipy define it. The interval is for the
distance between the distributions that the rows come from. Few rows raise the statistic of a divergence above that
distance, so the interval of equal distributions starts at 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np

from ..batch import Floats, Ints

Z_95 = 1.96
HALVINGS = 24  # of the range that is searched for an end of an interval
LEAST_NOISE = 1e-12
FEW_ROWS = 3  # in a bin
Number = TypeVar("Number", float, Floats)


@dataclass(frozen=True)
class Score:
    """The statistic of two samples with a 95 % interval for the distance of their distributions; 0 means equal.

    The interval always contains the statistic.
    """

    value: float
    low: float
    high: float


class Comparison(Protocol):
    """A function that compares counts and returns a score.

    Args:
        reference, current: counts [bins].
        positions: [bins] mean of the rows of each bin, ascending; NaN for bins without an order, such as missing. If
            reference and current have other means in the same bin, [2, bins].
        design_effect: consecutive rows that count as one independent row, for the interval.
    """

    def __call__(self, reference: Ints, current: Ints, positions: Floats, design_effect: float = 1.0) -> Score: ...


@dataclass(frozen=True)
class Divergence:
    """A divergence of two probability vectors: smooth, and of second order near equality.

    Attributes:
        value: [...] of the rows.
        noise: [...] by which few rows raise the value on average: the second-order term of its expansion.
        least_noise: [...] a lower bound: the same for independent rows, and without the bins that have fewer than
            `FEW_ROWS` current rows, for which the expansion does not hold.
        variance: [...] of the value by the delta method.
        freedom: [...] bins that have rows, less one.
    """

    value: Floats
    noise: Floats
    least_noise: Floats
    variance: Floats
    freedom: Floats

    def score(self) -> Score:
        """Return the score of a divergence of two vectors, all fields being numbers."""
        return Score(*(float(part) for part in interval(*(float(part) for part in vars(self).values()))))

    def scores(self) -> tuple[Floats, Floats, Floats]:
        """Return values and both ends of their intervals, each [n], for n pairs of vectors."""
        return interval(self.value, self.noise, self.least_noise, self.variance, self.freedom)


def shares(counts: Ints) -> Floats:
    """Return the share of the rows in each bin, for counts [..., bins]; 0 without rows."""
    out: Floats = counts / np.maximum(counts.sum(-1, keepdims=True), 1)
    return out


def effective_rows(counts: Ints, design_effect: float) -> Floats:
    """Return the number of independent rows [...] that carry as much information as counts [..., bins]."""
    out: Floats = np.maximum(counts.sum(-1), 1) / design_effect
    return out


def variance_of(derivative: Floats, p: Floats) -> Floats:
    """Return the variance of a derivative [..., bins] under p: of the delta method, for one row."""
    mean = (derivative * p).sum(-1, keepdims=True)
    out: Floats = ((derivative - mean) ** 2 * p).sum(-1)
    return out


def interval(
    value: Number, noise: Number, least_noise: Number, variance: Number, freedom: Number
) -> tuple[Number, Number, Number]:
    """Return a divergence and both ends of its 95 % interval, by inverting a test.

    The statistic of samples whose distributions have the divergence D has about the mean D + noise, and the variance
    2 noise^2 / freedom + variance D / value: that of a chi-square for D = 0, and that of the delta method for large D.
    A gamma distribution with these moments approximates it, as Patnaik does for the noncentral chi-square (Biometrika
    36, 1949), with the quantiles of Wilson and Hilferty (PNAS 17, 1931). The interval holds the D for which the
    statistic lies between the 2.5 % and the 97.5 % quantile, with the least noise at the upper end.
    tests/benchmarks/detection/intervals.py measures coverage and width.
    """
    noise = noise + (LEAST_NOISE - noise) * (noise < LEAST_NOISE)  # of a single bin it is 0 up to rounding
    least_noise = least_noise + (LEAST_NOISE - least_noise) * (least_noise < LEAST_NOISE)
    by_distance = variance / (value + (value == 0))
    by_noise = 2 * noise * noise / freedom
    reach = 4 * value + 20 * (noise + by_distance)

    def end(z: float, noise: Number) -> Number:
        """Return the largest D whose quantile is below the value."""
        distance, step = 0 * value, reach
        for _ in range(HALVINGS):
            step = step / 2
            tried = distance + step
            mean = tried + noise
            ninth = (by_noise + by_distance * tried) / (9 * mean * mean)
            distance = distance + step * (mean * (1 - ninth + z * ninth**0.5) ** 3 < value)
        return distance

    low, high = end(Z_95, noise), end(-Z_95, least_noise)
    return value, low - (low - value) * (low > value), high + (value - high) * (high < value)
