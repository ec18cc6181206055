"""Changes of the replicas by others after a write of the controller: by a person, or by a loop that reverts.

A manual change is held for `spec.scaling.manualHold`, then scaling continues from it. A client that sets the replicas
back twice is an owner: the controller stops, instead of fighting it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .managed_fields import FieldWriter
from .owners import FieldOwner

REVERTS = 2  # times that a client sets the replicas back until it counts as their owner
REVERTS_COUNTED = 86_400.0  # seconds; older writes do not count, so that one attempt a day remains


@dataclass(frozen=True, slots=True)
class OwnWrite:
    """A write of the controller that was delivered: the replicas before and after, at an epoch second."""

    before: int
    after: int
    at: float


@dataclass(frozen=True, slots=True)
class ManualChange:
    """The replicas that another client set after the last write of the controller, at an epoch second.

    `manager` is the field manager of the client, empty if it is unknown.
    """

    replicas: int
    manager: str
    at: float

    def held_for(self, hold: float, now: float) -> float:
        """Return for how many more seconds the change is held, if a change is held for `hold` seconds; 0 if it ended."""
        return max(0.0, min(self.at, now) + hold - now)


def manual_change(writes: Sequence[OwnWrite], replicas: int, writers: Sequence[FieldWriter]) -> ManualChange | None:
    """Return the change of the replicas by another client since the last of `writes`; None if there is none.

    `writes` are in order of time. `writers` are those of the present value, `replicas`.
    """
    raise NotImplementedError


def reverting_owner(
    writes: Sequence[OwnWrite], replicas: int, writers: Sequence[FieldWriter], now: float
) -> FieldOwner | None:
    """Return the client that keeps setting the replicas back to what they were before; None if there is none."""
    raise NotImplementedError
