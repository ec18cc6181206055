"""A bank compiled for detection: likelihood ratios and bounds as integers.

`tables.FeatureTable` compiles one per feature, or per slot. All sums are exact, so every replica gets the same bits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..batch import Bools, Floats, Ints
from ..evalues.bank import LikelihoodRatioBank
from ..evalues.bounds import FRACTION_BITS, can_show_drift, fixed_point_bounds

EXACT = 2.0**53  # float64 represents all integers up to it


@dataclass(frozen=True)
class CompiledBank:
    """The alternatives of a feature, with their bounds.

    Attributes:
        log_h: fixed point [alternatives, bins].
        log_u: fixed point [confidence levels, alternatives]; float64 that holds integers.
        p: [bins] the reference probabilities that the alternatives were made from.
        can_show_drift: [alternatives] which alternatives can gain evidence; the others keep their evidence unchanged.
    """

    log_h: NDArray[np.int32]
    log_u: Floats
    p: Floats
    can_show_drift: Bools

    @classmethod
    def of(
        cls,
        bank: LikelihoodRatioBank,
        p: Floats,
        calibration: Ints,
        variance_inflation: Floats,
        log_inverse_risk: float,
        tolerance: float,
    ) -> CompiledBank:
        """Compile a bank with the bounds that `calibration` [bins] gives it.

        The other arguments are those of `evalues.bounds.fixed_point_bounds`.
        """
        bound = fixed_point_bounds(bank, p, calibration, variance_inflation, log_inverse_risk, tolerance)
        upper = np.exp(bound.log_u[-1] / 2**FRACTION_BITS)
        log_u = bound.log_u.astype(np.float64)
        return cls(bound.log_h.astype(np.int32), log_u, p, can_show_drift(bank.h, upper))

    def h(self, alternative: int) -> Floats:
        """Return the rounded likelihood ratio [bins] of one alternative."""
        out: Floats = np.exp(self.log_h[alternative] / 2**FRACTION_BITS)
        return out

    def upper(self, alternative: int) -> float:
        """Return the lowest bound of one alternative."""
        return float(np.exp(self.log_u[0, alternative] / 2**FRACTION_BITS))

    def excess(self, counts: Ints) -> Floats:
        """Return the sum over rows of h over its lowest bound, for `counts` [bins]: [alternatives]."""
        out: Floats = np.exp((self.log_h - self.log_u[0][:, None]) / 2**FRACTION_BITS) @ counts
        return out

    def exact_sums(self, counts: Ints) -> Floats:
        """Return sum c log h - n log U: [confidence levels, alternatives].

        The sums are exact: in float64 as long as it can represent them, else in integers.
        """
        rows = int(counts.sum())
        if rows * 2.0 ** (FRACTION_BITS + 5) < EXACT:
            out: Floats = self.log_h.astype(np.float64) @ counts.astype(np.float64) - rows * self.log_u
            return out
        exact = self.log_h.astype(object) @ counts.astype(object)
        return np.array(exact - rows * self.log_u.astype(np.int64).astype(object), dtype=np.float64)
