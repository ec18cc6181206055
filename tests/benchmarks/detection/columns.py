"""Columns whose distribution is known: reference rows, the true probabilities of a profile's bins, the information."""

from __future__ import annotations

from dataclasses import dataclass
from math import erfc, sqrt
from typing import Protocol

import numpy as np

from pilotfish.detectors.batch import Column as Rows
from pilotfish.detectors.profile.feature import Feature


class Column(Protocol):
    """A distribution that rows are drawn from, and its Kullback-Leibler divergence from the quiet one, nats a row."""

    @property
    def information(self) -> float: ...

    def rows(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Rows of the quiet distribution."""

    def probabilities(self, feature: Feature) -> np.ndarray:
        """The probability of each bin under this distribution."""


@dataclass(frozen=True)
class Normal:
    """The standard normal, shifted, spread, or with `bump` times the density between two quantiles."""

    shift: float = 0.0
    sd: float = 1.0
    bump: float = 1.0
    window: tuple[float, float] = (0.425, 0.525)

    @property
    def information(self) -> float:
        width = self.window[1] - self.window[0]
        total = 1 + width * (self.bump - 1)
        bump = width * self.bump / total * np.log(self.bump) - np.log(total)
        return float((self.sd**2 + self.shift**2 - 1) / 2 - np.log(self.sd) + bump)

    def rows(self, count: int, rng: np.random.Generator) -> np.ndarray:
        return rng.normal(size=count)

    def probabilities(self, feature: Feature) -> np.ndarray:
        cuts = feature.bins.cuts  # type: ignore[union-attr]  # a numeric feature
        masses = np.diff([0.0, *(self._below(float(cut)) for cut in cuts), 1.0])
        inside = np.concatenate([[cuts[0] - 1], (cuts[1:] + cuts[:-1]) / 2, [cuts[-1] + 1]])
        out = np.zeros(feature.bins.size)
        np.add.at(out, feature.bins.digitize(Rows(inside))[0], masses)
        probabilities: np.ndarray = out / out.sum()
        return probabilities

    def _below(self, x: float) -> float:
        mass = _below((x - self.shift) / self.sd)
        width = self.window[1] - self.window[0]
        inside = min(max(mass - self.window[0], 0.0), width)
        return (mass + inside * (self.bump - 1)) / (1 + width * (self.bump - 1))


@dataclass(frozen=True)
class TwoClasses:
    """A class "a" with this share, else "b"; quiet is one half."""

    share: float = 0.5

    @property
    def information(self) -> float:
        return float(self.share * np.log(2 * self.share) + (1 - self.share) * np.log(2 * (1 - self.share)))

    def rows(self, count: int, rng: np.random.Generator) -> np.ndarray:
        return np.where(rng.random(count) < 0.5, "a", "b")

    def probabilities(self, feature: Feature) -> np.ndarray:
        shares = {"a": self.share, "b": 1 - self.share}
        return np.array([shares.get(label, 0.0) for label in feature.labels])


def _below(x: float) -> float:
    return erfc(-x / sqrt(2)) / 2
