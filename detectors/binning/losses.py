"""Cells of a loss in [0, 1], and cells of whole numbers: fixed by what they stand for, not by how rows fall."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..batch import Floats, Ints
from .categories import CategoryBins
from .numeric import FIRST_VALUE_BIN, NumericBins

STEPS = 16  # borders of a loss that is more than right or wrong: equal steps, and as many quantiles
EDGE = 1e-6


@dataclass(frozen=True)
class LossBins(NumericBins):
    """Cells of a loss: of each the mean that its reference rows had (`atoms`), which is the loss that is tested."""

    @classmethod
    def for_zero_one_loss(cls) -> LossBins:
        """Two cells: right and wrong."""
        return cls._between(np.array([0.5]), np.array([0.0, 1.0]))

    @classmethod
    def from_losses(cls, values: Floats) -> LossBins:
        """Cells for losses in [0, 1] of reference rows [n]: equal steps and quantiles together, about 30 cells."""
        quantiles = np.quantile(values, np.arange(1, STEPS) / STEPS, method="inverted_cdf")
        inner = np.unique(np.concatenate([np.arange(1, STEPS) / STEPS, quantiles]))
        inner = inner[(inner > EDGE) & (inner < 1 - EDGE)]
        bin_ids = np.searchsorted(inner, values, side="right")
        rows = np.bincount(bin_ids, minlength=len(inner) + 1)
        sums = np.bincount(bin_ids, weights=values, minlength=len(inner) + 1)
        middles = (np.concatenate([[0.0], inner]) + np.concatenate([inner, [1.0]])) / 2
        return cls._between(inner, np.where(rows > 0, sums / np.maximum(rows, 1), middles))

    @classmethod
    def _between(cls, inner: Floats, atoms: Floats) -> LossBins:
        cuts = np.concatenate([[-0.5, -EDGE], inner, [1 + EDGE, 1.5]])
        return cls(cuts, atoms, discrete=True, centre=float(atoms.mean()), spread=float(atoms.std()))

    def rows_and_losses(self, counts: Ints) -> tuple[Ints, Floats]:
        """Rows [cells that stand for a loss] of counts [cells], and the loss of each such cell."""
        return counts[tested_bins(self)], self.atoms

    def document(self) -> dict[str, Any]:
        return {**super().document(), "loss": True}


def tested_bins(bins: NumericBins | CategoryBins) -> slice:
    """The cells that detection looks at: all, but of a loss only those of rows that have one."""
    return slice(FIRST_VALUE_BIN, FIRST_VALUE_BIN + len(bins.atoms)) if isinstance(bins, LossBins) else slice(None)


def integer_bins(size: int) -> NumericBins:
    """A cell for each of the numbers 0 to size - 1."""
    numbers = np.arange(size, dtype=np.float64)
    cuts = np.concatenate([[-1.5], np.arange(size + 1) - 0.5, [size + 0.5]])
    return NumericBins(cuts, numbers, discrete=True, centre=float(numbers.mean()), spread=float(numbers.std()))
