"""When a drifted feature is back: the sequential test turned round.

While the mean of the feature's function stays at or above c, a quarter of the way from its bound to what it was
in the drift, prod (1 + lambda (c - h)) has an expectation of at most one, so that a lasting drift is closed by mistake
at most once in A ticks. The bet follows one function; a drift that changes its shape may leave that one alone. So the
others are looked at over the same stretch, and where one of them shows the drift as clearly as a page would need, the
feature stays and the bet begins again with that one. This can only delay a closing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from ...batch import Floats, Ints
from ...evalues.bounds import FRACTION_BITS

LEVEL_FRACTION = 0.25  # of the way from the bound to the drift


@dataclass(frozen=True)
class RecoveryTest:
    """log(1 + lambda (c - h)) [cells], fixed point 2^-24, rounded down."""

    log_factors: Ints

    @classmethod
    def for_drift(cls, h: Floats, p: Floats, upper: float, excess: float) -> RecoveryTest:
        """The bet for h [cells], at most `upper` on average without drift and `excess` times that since the onset."""
        mean = float(h @ p)
        spread = float((h - mean) ** 2 @ p)
        top = float(h.max())
        level = upper + LEVEL_FRACTION * max(min(excess * upper, top) - upper, 0.0)
        if level >= top:  # too few rows bound it: whatever comes says nothing
            return cls(np.zeros(len(h), dtype=np.int64))
        gap = max(level - mean, 1e-6)
        stake = min(gap / (spread + gap**2), 0.9 / max(top - level, 1e-6))
        return cls(np.floor(np.log1p(stake * (level - h)) * 2**FRACTION_BITS).astype(np.int64))

    def increment(self, counts: Ints, variance_inflation: float) -> float:
        """The tick's step of log K for `counts` [cells]."""
        return float(self.log_factors @ counts) / float(2**FRACTION_BITS) / variance_inflation


@dataclass
class RecoveryWindow:
    """What came since the closing bet last stood at nothing: a drift may change its shape instead of ending.

    Attributes:
        evidence: [rungs, functions of the feature] sum of the increments L; all fall when the feature is back.
        excess: [functions of the feature] sum over rows of h over its lowest bound.
        rows: in the stretch.
    """

    evidence: Floats
    excess: Floats
    rows: int

    @classmethod
    def empty(cls, confidence_levels: int, alternatives: int) -> Self:
        return cls(np.zeros((confidence_levels, alternatives)), np.zeros(alternatives), 0)

    def add(self, increments: Floats, excess: Floats, rows: int) -> None:
        self.evidence = self.evidence + increments
        self.excess = self.excess + excess
        self.rows += rows

    def strongest_drifting(self, log_reference_evidence: Floats, log_needed: float) -> int | None:
        """The function that shows best that the feature still differs; None when none reaches `log_needed`."""
        evidence = (self.evidence + log_reference_evidence[:, None]).min(axis=0)
        best = int(np.argmax(evidence))
        return best if evidence[best] >= log_needed else None

    def mean_excess(self, alternative: int) -> float:
        return float(self.excess[alternative]) / max(self.rows, 1)

    def state(self) -> dict[str, Any]:
        return {
            "evidence": self.evidence.astype("<f8").tobytes(),
            "excess": self.excess.astype("<f8").tobytes(),
            "rows": self.rows,
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        excess = np.frombuffer(state["excess"], "<f8").astype(np.float64)
        evidence = np.frombuffer(state["evidence"], "<f8").astype(np.float64)
        return cls(evidence.reshape(-1, len(excess)), excess, int(state["rows"]))
