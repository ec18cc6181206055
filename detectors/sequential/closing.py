"""When a drifted feature is back: the sequential test turned round.

While the mean of the feature's function stays at or above c, halfway (a quarter) between its bound and what it was
in the drift, prod (1 + lambda (c - h)) has an expectation of at most one, so that a lasting drift is closed by mistake
at most once in A ticks. The bet follows one function; a drift that changes its shape may leave that one alone. So the
others are looked at over the same stretch, and where one of them shows the drift as clearly as a page would need, the
feature stays and the bet begins again with that one. This can only delay a closing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from pilotfish.detectors.batch import Floats, Ints
from pilotfish.detectors.bounds import FRACTION_BITS

State = Mapping[str, bytes]

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


@dataclass
class Stretch:
    """What came since the closing bet last stood at nothing: a drift may change its shape instead of ending.

    Attributes:
        evidence: [functions of the feature] sum of the increments L; all fall when the feature is back.
        counts: [cells of the feature].
    """

    evidence: Floats
    counts: Ints

    @classmethod
    def empty(cls, functions: int, cells: int) -> Self:
        return cls(np.zeros(functions), np.zeros(cells, np.int64))

    def add(self, increments: Floats, counts: Ints) -> None:
        self.evidence = self.evidence + increments
        self.counts = self.counts + counts

    def still_drifting(self, log_needed: float) -> int | None:
        """The function that shows best that the feature still differs; None when none reaches `log_needed`."""
        best = int(np.argmax(self.evidence))
        return best if self.evidence[best] >= log_needed else None

    def state(self) -> dict[str, bytes]:
        return {"counts": self.counts.astype("<i8").tobytes(), "evidence": self.evidence.astype("<f8").tobytes()}

    @classmethod
    def from_state(cls, state: State) -> Self:
        counts = np.frombuffer(state["counts"], "<i8").astype(np.int64)
        return cls(np.frombuffer(state["evidence"], "<f8").astype(np.float64), counts)
