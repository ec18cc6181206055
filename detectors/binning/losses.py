"""Bins of a loss in [0, 1], and bins of integers.

Other bins follow the distribution of the reference. These bins follow what a value means: detection tests the mean
loss, so the bin of a row must determine its loss.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from .. import schema
from ..batch import Floats, Ints
from .categories import CategoryBins
from .numeric import FIRST_VALUE_BIN, NumericBins

STEPS = 16  # equal steps of a loss with more than two values; also the number of its quantiles
EDGE = 1e-6


@dataclass(frozen=True)
class LossBins(NumericBins):
    """Bins of a loss. `atoms` holds the mean loss of each bin's reference rows; detection tests these means.

    Example:
        >>> import numpy as np
        >>> from pilotfish.detectors.batch import Column
        >>> from pilotfish.detectors.binning.losses import LossBins
        >>> bins = LossBins.for_zero_one_loss()
        >>> [bins.labels[i] for i in bins.digitize(Column(np.array([0.0, 1.0, np.nan])))[0]]
        ['0', '1', 'missing']
    """

    @classmethod
    def for_zero_one_loss(cls) -> LossBins:
        """Return two bins: right and wrong."""
        return cls._between(np.array([0.5]), np.array([0.0, 1.0]))

    @classmethod
    def from_losses(cls, values: Floats) -> LossBins:
        """Build about 30 bins for losses in [0, 1] of reference rows [n], from equal steps and quantiles."""
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
        """Return the rows of each bin that stands for a loss, and the loss of each such bin, from counts [bins]."""
        return counts[tested_bins(self)], self.atoms

    def document(self) -> dict[str, Any]:
        return {**super().document(), "loss": True}

    @classmethod
    def from_document(cls, document: object, where: str) -> Self:
        if not isinstance(document, dict) or document.get("loss") is not True:
            raise schema.unfit(where, "an object with loss true", document)
        return super().from_document({key: value for key, value in document.items() if key != "loss"}, where)

    @classmethod
    def _check_atoms(cls, atoms: Floats, cuts: Floats, where: str) -> None:
        """Raise ProfileError unless each atom, a mean with its rounding error, lies in its bin and in [0, 1]."""
        low, high = np.maximum(cuts[1:-2], 0.0) - EDGE, np.minimum(cuts[2:-1], 1.0) + EDGE
        wrong = np.flatnonzero(~((atoms >= low) & (atoms <= high)))
        if len(wrong):
            raise schema.unfit(f"{where}[{wrong[0]}]", "the mean loss of its bin", atoms[wrong[0]].item())


def tested_bins(bins: NumericBins | CategoryBins) -> slice:
    """Return the bins that detection uses: all bins, except that a loss leaves out the rows without a loss."""
    return slice(FIRST_VALUE_BIN, FIRST_VALUE_BIN + len(bins.atoms)) if isinstance(bins, LossBins) else slice(None)


def integer_bins(size: int) -> NumericBins:
    """Return one bin for each of the numbers 0 to size - 1."""
    numbers = np.arange(size, dtype=np.float64)
    cuts = np.concatenate([[-1.5], np.arange(size + 1) - 0.5, [size + 0.5]])
    return NumericBins(cuts, numbers, discrete=True, centre=float(numbers.mean()), spread=float(numbers.std()))
