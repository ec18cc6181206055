"""When a drifted feature is back: the sequential test turned round.

While the mean of the feature's function stays at or above c, halfway (a quarter) between its bound and what it was
in the drift, prod (1 + lambda (c - h)) has an expectation of at most one, so that a lasting drift is closed by mistake
at most once in A ticks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pilotfish.detectors.batch import Floats, Ints
from pilotfish.detectors.bounds import FRACTION_BITS

SHARE = 0.25  # of the way from the bound to the drift


@dataclass(frozen=True)
class ClosingBet:
    """log(1 + lambda (c - h)) [cells], fixed point 2^-24, rounded down."""

    log_factors: Ints

    @classmethod
    def against(cls, h: Floats, p: Floats, upper: float, drifted: float) -> ClosingBet:
        """The bet for h [cells], whose mean is at most `upper` without drift and was `drifted` since the onset."""
        mean = float(h @ p)
        spread = float((h - mean) ** 2 @ p)
        level = upper + SHARE * max(drifted - upper, 0.0)
        gap = max(level - mean, 1e-6)
        stake = min(gap / (spread + gap**2), 0.9 / max(float(h.max()) - level, 1e-6))
        return cls(np.floor(np.log1p(stake * (level - h)) * 2**FRACTION_BITS).astype(np.int64))

    def increment(self, counts: Ints, inflation: float) -> float:
        """The tick's step of log K for `counts` [cells]."""
        return float(self.log_factors @ counts) / float(2**FRACTION_BITS) / inflation
