"""Remembers reviews of callers, so that a pod that syncs each minute costs the API server one review a minute.

    get(key, ask) --> fresh entry
                  --> else one call of `ask` at a time per key, a bounded number in total
                  --> if that fails: an entry that has just expired, or ReviewError

A refusal is kept for seconds only, because a monitor or a role may have just been created.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from math import inf
from typing import Generic, TypeVar

from ..errors import PilotfishError

_LOG = logging.getLogger("pilotfish.callers")

ALLOWED_SECONDS = 60.0
DENIED_SECONDS = 3.0
STALE_SECONDS = 300.0  # how long an allowed review may be used while the API server does not answer
MAX_ENTRIES = 8192
MAX_IN_FLIGHT = 16  # reviews that the API server answers at the same time
MAX_WAITING = 512  # callers that wait for a review

Result = TypeVar("Result")


class ReviewError(PilotfishError):
    """A review that could not be made."""


@dataclass(frozen=True, slots=True)
class Reviewed(Generic[Result]):
    """The result of a review.

    Attributes:
        result: what the review found.
        allowed: whether it is kept as long as an allowed one.
        expires_in: seconds after which it must not be used in any case. None if that is not known: then it is never
            used after its time.
    """

    result: Result
    allowed: bool
    expires_in: float | None = None


@dataclass(frozen=True, slots=True)
class _Entry(Generic[Result]):
    result: Result
    allowed: bool
    fresh_until: float
    usable_until: float


class ReviewCache(Generic[Result]):
    """The reviews of one kind, which `what` names. `clock` returns monotonic seconds.

    Attributes:
        counts: calls of `get` by outcome: cached, allowed, denied, failed, stale.
        problem: why the last review failed, such as a missing right of the controller; empty after a success.
    """

    def __init__(self, what: str, clock: Callable[[], float]) -> None:
        self.counts: Counter[str] = Counter()
        self.problem = ""
        self._what = what
        self._clock = clock
        self._entries: OrderedDict[Hashable, _Entry[Result]] = OrderedDict()
        self._asking: dict[Hashable, asyncio.Task[Result]] = {}
        self._slots = asyncio.Semaphore(MAX_IN_FLIGHT)
        self._waiting = 0

    def __len__(self) -> int:
        return len(self._entries)

    def fresh(self, key: Hashable) -> Result | None:
        """Return the fresh result for `key`, if there is one."""
        entry = self._entries.get(key)
        if entry is None or self._clock() >= entry.fresh_until:
            return None
        self._entries.move_to_end(key)
        self.counts["cached"] += 1
        return entry.result

    async def get(self, key: Hashable, ask: Callable[[], Awaitable[Reviewed[Result]]]) -> Result:
        """Return the result for `key`, from memory or from `ask`.

        Raises ReviewError if too many callers wait, and the errors of `ask` unless an allowed result is still usable.
        """
        found = self.fresh(key)
        if found is not None:
            return found
        if self._waiting >= MAX_WAITING:
            raise ReviewError("too many callers wait for their review")
        task = self._asking.get(key)
        if task is None:
            task = self._asking[key] = asyncio.create_task(self._ask(key, ask))
            task.add_done_callback(lambda done: self._asked(key, done))
        self._waiting += 1
        try:
            return await asyncio.shield(task)  # a caller that leaves must not end the review of the others
        finally:
            self._waiting -= 1

    async def _ask(self, key: Hashable, ask: Callable[[], Awaitable[Reviewed[Result]]]) -> Result:
        try:
            async with self._slots:
                found = await ask()
        except PilotfishError as error:
            self._report(f"{self._what} cannot be reviewed: {error}")
            entry = self._entries.get(key)
            if entry is None or not entry.allowed or self._clock() >= entry.usable_until:
                self.counts["failed"] += 1
                raise
            self.counts["stale"] += 1
            return entry.result
        self._report("")
        self._keep(key, found)
        self.counts["allowed" if found.allowed else "denied"] += 1
        return found.result

    def _report(self, problem: str) -> None:
        """Log the problem when it begins."""
        if problem and not self.problem:
            _LOG.warning("%s", problem)
        self.problem = problem

    def _keep(self, key: Hashable, found: Reviewed[Result]) -> None:
        now = self._clock()
        fresh = ALLOWED_SECONDS if found.allowed else DENIED_SECONDS
        usable = STALE_SECONDS if found.allowed and found.expires_in is not None else fresh
        limit = inf if found.expires_in is None else max(0.0, found.expires_in)
        self._entries[key] = _Entry(found.result, found.allowed, now + min(fresh, limit), now + min(usable, limit))
        self._entries.move_to_end(key)
        while len(self._entries) > MAX_ENTRIES:
            self._entries.popitem(last=False)

    def _asked(self, key: Hashable, task: asyncio.Task[Result]) -> None:
        self._asking.pop(key, None)
        if not task.cancelled():
            task.exception()  # it is raised to those who wait; without any, it is of no interest
