"""Evidence that something has changed, and since when.

R_t = (R_(t-1) + 1) exp(L_t) for each function and each rung of its ladder of bounds (`bounds`), where exp(L_t) has an
expectation of at most one as long as nothing drifts. Then R_t - t is a supermartingale, and so is any mixture of many
of them: the expected number of times that the mixture crosses A in T ticks, starting afresh each time, is at most
T / A (Shin, Ramdas, Rinaldo: E-detectors, New England J. Statistics in Data Science 2023). Beside it a CUSUM, whose
last zero estimates the onset.

An empty tick moves nothing. Adding one to R would be within the budget, too, but it would count a possible change
between two rows once for each empty tick, and make the state depend on how idle time is reported; this way the
promise holds for the ticks with rows, so all the more for all ticks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...batch import Bools, Floats, Ints
from ...errors import StateError

STATE_VERSION = 2
NEVER = -1


class ShiryaevRoberts:
    """log R, CUSUM and onset; all functions of a family, one feature after another.

    Attributes:
        log_r: [rungs, functions] log R, -inf where there is none.
        cusum: [functions] the largest sum of the lowest rung's increments up to now, at least 0 before each step.
        onset: [functions] tick after the CUSUM's last zero, NEVER before the first step.
    """

    def __init__(self, confidence_levels: int, alternatives: int) -> None:
        self.log_r: Floats = np.full((confidence_levels, alternatives), -np.inf)
        self.cusum: Floats = np.zeros(alternatives)
        self.onset: Ints = np.full(alternatives, NEVER, dtype=np.int64)

    def step(self, tick: int, increments: Floats, active: Bools) -> None:
        """One tick: `increments` [rungs, functions] of those that are `active`; the others stay as they are."""
        moved = np.logaddexp(self.log_r, 0.0)
        moved += increments
        fresh = active & (self.cusum <= 0)
        self.log_r = np.where(active, moved, self.log_r)
        self.onset = np.where(fresh, tick, self.onset)
        self.cusum = np.where(active, np.maximum(self.cusum, 0.0) + increments[0], self.cusum)

    def forget(self, where: Bools | slice) -> None:
        """Start afresh: no evidence, no onset."""
        self.log_r[:, where] = -np.inf
        self.cusum[where] = 0.0
        self.onset[where] = NEVER

    def state(self) -> dict[str, Any]:
        return {
            "cusum": self.cusum.astype("<f8").tobytes(),
            "log_r": self.log_r.astype("<f8").tobytes(),
            "onset": self.onset.astype("<i8").tobytes(),
            "version": STATE_VERSION,
        }

    @classmethod
    def from_state(cls, confidence_levels: int, alternatives: int, state: Mapping[str, Any]) -> ShiryaevRoberts:
        """StateError if the state is of another version or size."""
        if state.get("version") != STATE_VERSION:
            raise StateError(f"evidence of version {state.get('version')!r}, not {STATE_VERSION}; start afresh")
        out = cls(confidence_levels, alternatives)
        log_r = np.frombuffer(state["log_r"], "<f8").astype(np.float64)
        out.cusum = np.frombuffer(state["cusum"], "<f8").astype(np.float64)
        out.onset = np.frombuffer(state["onset"], "<i8").astype(np.int64)
        if not len(log_r) / confidence_levels == len(out.cusum) == len(out.onset) == alternatives:
            raise StateError(f"evidence of {len(out.cusum)} functions does not fit {alternatives}; start afresh")
        out.log_r = log_r.reshape(confidence_levels, alternatives)
        return out
