"""Bounds on what callers may take: requests per second and at once, and the memory of bodies."""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

from .backend import RefusedRequestError

MAX_CALLERS = 16_384  # of which the rate is remembered
BODY_BYTES = 96 * 1024 * 1024  # of all bodies that are read and decoded at the same time
BODY_WAIT_SECONDS = 5.0


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


class RateLimiter:
    """A token bucket per caller: `burst` requests at once, and `rate` per second after that.

    The callers that were seen last are remembered, at most MAX_CALLERS.
    """

    def __init__(self, rate: float, burst: float, clock: Callable[[], float]) -> None:
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def wait(self, caller: str) -> float:
        """Return the seconds until the next request of `caller` may come, 0 if it may come now. Takes no token."""
        bucket = self._filled(caller)
        return max(0.0, (1.0 - bucket.tokens) / self._rate)

    def take(self, caller: str) -> float:
        """Take one token and return 0; without one, return the seconds until there is one."""
        bucket = self._filled(caller)
        if bucket.tokens < 1.0:
            return (1.0 - bucket.tokens) / self._rate
        bucket.tokens -= 1.0
        return 0.0

    def _filled(self, caller: str) -> _Bucket:
        now = self._clock()
        bucket = self._buckets.get(caller)
        if bucket is None:
            bucket = self._buckets[caller] = _Bucket(self._burst, now)
            if len(self._buckets) > MAX_CALLERS:
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(caller)
            bucket.tokens = min(self._burst, bucket.tokens + (now - bucket.at) * self._rate)
            bucket.at = now
        return bucket


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
