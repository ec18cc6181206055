"""The recovery test: when a drifted feature is back within its bound.

Let c be a level a quarter of the way from the bound of the feature's alternative to its mean during the drift. While
the mean of h stays at or above c, prod (1 + lambda (c - h)) has an expectation of at most one. So a lasting drift is
closed by mistake at most once in A ticks.

The test follows one alternative, and a drift that changes its shape may leave that one. So the others are tested over
the same time. If one of them shows the drift as clearly as an alarm would need, the feature stays in the episode and
the test restarts with that alternative. This can only delay the recovery.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from ...batch import Floats, Ints
from ...evalues.bounds import FRACTION_BITS

LEVEL_FRACTION = 0.25  # position of c between the bound and the mean during the drift


@dataclass(frozen=True)
class RecoveryTest:
    """log(1 + lambda (c - h)) [bins] in fixed point 2^-24, rounded down.

    Example:
        >>> import numpy as np
        >>> from pilotfish.detectors.detection.sequential.recovery import RecoveryTest
        >>> h, p = np.array([0.5, 2.0]), np.array([2 / 3, 1 / 3])
        >>> test = RecoveryTest.for_drift(h, p, upper=1.05, excess=1.5)
        >>> recovered, drifting = np.array([67, 33]), np.array([20, 80])
        >>> test.increment(recovered, variance_inflation=1.0) > 0, test.increment(drifting, variance_inflation=1.0) > 0
        (True, False)
    """

    log_factors: Ints

    @classmethod
    def for_drift(cls, h: Floats, p: Floats, upper: float, excess: float) -> RecoveryTest:
        """Return the test for one alternative.

        Args:
            h: [bins] its likelihood ratio.
            p: [bins] reference probabilities.
            upper: its lowest bound.
            excess: its mean since the onset, over `upper`.
        """
        mean = float(h @ p)
        spread = float((h - mean) ** 2 @ p)
        top = float(h.max())
        level = upper + LEVEL_FRACTION * max(min(excess * upper, top) - upper, 0.0)
        if level >= top:  # too few reference rows bound it, so no row is evidence
            return cls(np.zeros(len(h), dtype=np.int64))
        gap = max(level - mean, 1e-6)
        stake = min(gap / (spread + gap**2), 0.9 / max(top - level, 1e-6))
        return cls(np.floor(np.log1p(stake * (level - h)) * 2**FRACTION_BITS).astype(np.int64))

    def increment(self, counts: Ints, variance_inflation: float) -> float:
        """Return the increment of the log recovery evidence for the `counts` [bins] of a tick."""
        return float(self.log_factors @ counts) / float(2**FRACTION_BITS) / variance_inflation


@dataclass
class RecoveryWindow:
    """What arrived since the recovery test last restarted: a drift may change its shape instead of ending.

    Attributes:
        evidence: [confidence levels, alternatives] sum of the increments L; all decrease when the feature has
            recovered.
        excess: [alternatives] sum over rows of h over its lowest bound.
        rows: number of rows.
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
        """Return the alternative that shows the drift most clearly; None if none reaches `log_needed`."""
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
