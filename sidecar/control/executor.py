"""The protocol of executors, and the outcomes of an attempt.

Executors are the only part of the control loop that causes effects outside Pilotfish. There is one per lane.
The loop repeats an attempt whose outcome was lost in a crash, so an effect must be idempotent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from .intent import Intent
from .ledger import RetrainingRecord


@dataclass(frozen=True, slots=True)
class Done:
    """The attempt succeeded. `retraining` is the object that it created, or had created before."""

    reason: str
    retraining: RetrainingRecord | None = None


@dataclass(frozen=True, slots=True)
class RetryAt:
    """The attempt failed, and a later one may succeed.

    The next attempt is made at the epoch second `at` or after the loop's backoff, whichever is later. Leave `at` out to
    use the backoff alone. `detail` says in words what failed and what to do; it contains no body and no secret.
    """

    reason: str
    at: float = 0.0
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Failed:
    """The attempt failed permanently: the intent is given up, and the report shows it with the words in `detail`."""

    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Dropped:
    """The attempt had no effect, and this intent is not tried again, because what it was based on has changed.

    The next observation decides anew. Only for intents of nature LEVEL. `detail` says in words what has changed.
    """

    reason: str
    detail: str = ""


Outcome = Done | Dropped | Failed | RetryAt


class Executor(Protocol):
    """Applies the intents of one lane, one at a time.

    Make the effect idempotent: send it under `intent.id`, or set an absolute value instead of adding a difference.
    `apply` must bound its own time. The loop makes no other attempt with this executor until `apply` returns; other
    executors do not wait for it.
    """

    async def apply(self, intent: Intent, now: float) -> Outcome:
        """Make one attempt, begun at `now` in epoch seconds, and return its outcome."""
