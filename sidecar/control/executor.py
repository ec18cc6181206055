"""The executor: the only part that has an effect on the world. One per kind of intent."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Protocol

from .intent import Intent
from .reasons import Reason

_LOG = logging.getLogger("pilotfish.control")


@dataclass(frozen=True, slots=True)
class Done:
    """The effect is there."""

    reason: str


@dataclass(frozen=True, slots=True)
class RetryAt:
    """The attempt failed in a way that may pass; the next one comes `at` this epoch second or after the loop's backoff.

    The later of the two counts. An executor that has no wish of its own leaves `at` out.
    """

    reason: str
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class Failed:
    """The attempt failed, and another one would fail in the same way: the intent is given up and shown to a person."""

    reason: str


Outcome = Done | RetryAt | Failed


class Executor(Protocol):
    """Applies intents of one kind, one at a time.

    An attempt whose outcome was lost in a crash is repeated with the same intent, so an effect must be idempotent:
    send it under `intent.id`, or set a value instead of changing it by a difference. `apply` bounds its own time; until
    it returns, the executor gets nothing else to do, and no other executor waits for it.
    """

    async def apply(self, intent: Intent, now: float) -> Outcome:
        """Make one attempt, begun at `now` in epoch seconds, and return its outcome."""


async def attempt(executor: Executor, intent: Intent, now: float) -> Outcome:
    """Return the outcome of one attempt; an exception is an outcome, too."""
    try:
        return await executor.apply(intent, now)
    except Exception:
        _LOG.exception("intent %s: its executor failed; it is tried again", intent.id)
        return RetryAt(Reason.EXECUTOR_ERROR)
