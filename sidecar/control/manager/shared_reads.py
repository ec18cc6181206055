"""Keeps what was read for a short time, so that all monitors of a process share it; who waits for a reading gets it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

Found = TypeVar("Found")
Key = tuple[str, ...]
BRIEF_SECONDS = 10.0  # for which a reading that failed for now is kept, so that those who wait do not try in turn
MOST_KEPT = 2000  # readings, beyond which the outdated ones are dropped: nodes come and go


@dataclass
class _Kept:
    value: Any
    since: float
    until: float
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def fresh(self, now: float) -> bool:
        return self.since <= now < self.until  # the clock may be set back


@dataclass
class SharedReads:
    """Readings by key; `clock` returns epoch seconds."""

    clock: Callable[[], float]
    _kept: dict[Key, _Kept] = field(default_factory=dict)

    def __len__(self) -> int:
        """Return the number of readings that are kept."""
        return len(self._kept)

    async def once(
        self,
        key: Key,
        seconds: float,
        read: Callable[[], Awaitable[Found]],
        lasts: Callable[[Found], bool] = lambda _found: True,
    ) -> Found:
        """Return what `read` returned for `key` at most `seconds` ago, or BRIEF_SECONDS if it does not last."""
        kept = self._kept.get(key)
        if kept is None:
            self._bound()
            kept = self._kept[key] = _Kept(None, 0.0, 0.0)
        async with kept.lock:
            if not kept.fresh(self.clock()):
                kept.value = await read()
                kept.since = self.clock()
                kept.until = kept.since + (seconds if lasts(kept.value) else min(seconds, BRIEF_SECONDS))
            value: Found = kept.value
            return value

    def _bound(self) -> None:
        if len(self._kept) >= MOST_KEPT:
            now = self.clock()
            self._kept = {key: one for key, one in self._kept.items() if one.lock.locked() or one.fresh(now)}
