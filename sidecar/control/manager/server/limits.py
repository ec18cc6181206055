"""Bounds on what callers may take: requests at once, and the memory of bodies."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from ....callers.errors import RefusedRequestError

BODY_BYTES = 96 * 1024 * 1024  # of all bodies that are read and decoded at the same time
BODY_WAIT_SECONDS = 5.0


class InFlight:
    """Bounds the requests that are served at the same time, in total and per caller."""

    def __init__(self, most: int, per_caller: int) -> None:
        self._most = most
        self._per_caller = per_caller
        self._callers: Counter[str] = Counter()
        self._total = 0

    @contextmanager
    def serving(self, caller: str) -> Iterator[None]:
        """Count a request of `caller` inside the block; raise RefusedRequestError at a limit."""
        if self._total >= self._most:
            raise RefusedRequestError(
                f"the controller serves {self._most} requests already; send this one again later",
                status=503,
                reason="busy",
                retry_after=1.0,
            )
        if self._callers[caller] >= self._per_caller:
            raise RefusedRequestError(
                f"this caller has {self._per_caller} requests in progress; wait for their responses",
                status=429,
                reason="concurrency",
                retry_after=1.0,
            )
        self._total += 1
        self._callers[caller] += 1
        try:
            yield
        finally:
            self._total -= 1
            self._callers[caller] -= 1
            if not self._callers[caller]:
                del self._callers[caller]


class BodyBudget:
    """The memory for bodies: a request reserves the most that its body may take before the body is read."""

    def __init__(self, total: int = BODY_BYTES) -> None:
        self._total = total
        self._free = total
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def reserve(self, size: int) -> AsyncIterator[None]:
        """Hold `size` bytes inside the block; raise RefusedRequestError if they do not become free in time."""
        size = min(size, self._total)
        try:
            async with asyncio.timeout(BODY_WAIT_SECONDS), self._changed:
                await self._changed.wait_for(lambda: self._free >= size)
                self._free -= size
        except TimeoutError:
            raise RefusedRequestError(
                "the controller reads too many large bodies at the moment; send this one again later",
                status=503,
                reason="busy",
                retry_after=2.0,
            ) from None
        try:
            yield
        finally:
            self._free += size
            async with self._changed:
                self._changed.notify_all()
