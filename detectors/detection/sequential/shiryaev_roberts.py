"""The Shiryaev-Roberts statistic: evidence that something has changed, and since when.

R_t = (R_(t-1) + 1) exp(L_t) for each alternative and each confidence level, where exp(L_t) has an expectation of at
most one as long as nothing drifts. Then R_t - t is a supermartingale, and so is a mixture of many of them. With a
restart after each crossing, the expected number of times that the mixture reaches A in T ticks is at most T / A (Shin,
Ramdas, Rinaldo: E-detectors, New England Journal of Statistics in Data Science, 2023). A CUSUM beside it estimates the
onset: the tick after its last zero.

An empty tick changes nothing. Adding one to R would be within the budget, but the state would then depend on how idle
time is reported. This way the guarantee holds for the ticks with rows, and so for all ticks.
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
    """log R, CUSUM and onset of all alternatives of a family, one feature after another.

    Attributes:
        log_r: [confidence levels, alternatives] log R, -inf without evidence.
        cusum: [alternatives] sum of the increments at the first confidence level since the last zero.
        onset: [alternatives] tick after the CUSUM's last zero, NEVER before the first step.

    Example:
        >>> import numpy as np
        >>> from pilotfish.detectors.detection.sequential.shiryaev_roberts import ShiryaevRoberts
        >>> test = ShiryaevRoberts(confidence_levels=1, alternatives=1)
        >>> for tick, increment in enumerate([-0.5, -0.2, 1.0, 1.5]):
        ...     test.step(tick, np.array([[increment]]), np.array([True]))
        >>> round(float(np.exp(test.log_r[0, 0])), 2), int(test.onset[0])
        (32.69, 2)
    """

    def __init__(self, confidence_levels: int, alternatives: int) -> None:
        self.log_r: Floats = np.full((confidence_levels, alternatives), -np.inf)
        self.cusum: Floats = np.zeros(alternatives)
        self.onset: Ints = np.full(alternatives, NEVER, dtype=np.int64)

    def step(self, tick: int, increments: Floats, active: Bools) -> None:
        """Add a tick with `increments` [confidence levels, alternatives].

        Alternatives that are not `active` stay unchanged.
        """
        moved = np.logaddexp(self.log_r, 0.0)
        moved += increments
        fresh = active & (self.cusum <= 0)
        self.log_r = np.where(active, moved, self.log_r)
        self.onset = np.where(fresh, tick, self.onset)
        self.cusum = np.where(active, np.maximum(self.cusum, 0.0) + increments[0], self.cusum)

    def forget(self, where: Bools | slice) -> None:
        """Reset evidence and onset of some alternatives."""
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
        """Restore a state of `state`.

        Raises:
            StateError: the state has another version or size.
        """
        if state.get("version") != STATE_VERSION:
            raise StateError(
                f"the stored evidence has version {state.get('version')!r}, not {STATE_VERSION}; start without it"
            )
        out = cls(confidence_levels, alternatives)
        log_r = np.frombuffer(state["log_r"], "<f8").astype(np.float64)
        out.cusum = np.frombuffer(state["cusum"], "<f8").astype(np.float64)
        out.onset = np.frombuffer(state["onset"], "<i8").astype(np.int64)
        if not len(log_r) / confidence_levels == len(out.cusum) == len(out.onset) == alternatives:
            raise StateError(
                f"the stored evidence has {len(out.cusum)} alternatives, not {alternatives}; start without it"
            )
        out.log_r = log_r.reshape(confidence_levels, alternatives)
        return out
