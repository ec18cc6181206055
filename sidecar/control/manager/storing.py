"""Stores the state of one monitor by compare-and-swap, and decides when the next checkpoint is due."""

from __future__ import annotations

from dataclasses import dataclass

from ..store import StateStore
from .key import MonitorKey

STATE = "state"  # key of the checkpoint
LEDGER = "ledger"  # key of the intent ledger
PROFILE = "profile-"  # followed by a hash of the version; a learned profile
LONGEST = 600.0  # seconds between two checkpoints
BYTES_PER_SECOND = 1024  # of checkpoints of one monitor, on average


def name_of(key: MonitorKey, part: str) -> str:
    """Return the key of a state of the monitor `key` in the store; ids of deleted monitors never return."""
    return f"{key.uid}-{part}"


@dataclass
class CheckpointFile:
    """The checkpoint of the monitor `key` in `store`. `revision` is that of the last load or save, `size` its bytes.

    `problem` is why the last save failed, empty if it succeeded.
    """

    key: MonitorKey
    store: StateStore
    revision: str = ""
    size: int = 0
    saved_at: float = float("-inf")
    problem: str = ""
    _unsure: bytes | None = None  # what a save without an answer may have written

    async def load(self) -> bytes | None:
        """Return the stored state, None without one; raise StoreError."""
        stored = await self.store.load(name_of(self.key, STATE))
        self.revision = stored.revision if stored is not None else ""
        self.size = len(stored.data) if stored is not None else 0
        self._unsure = None
        return stored.data if stored is not None else None

    async def save(self, data: bytes, now: float) -> None:
        """Store `data`; raise StoreError, or StoreConflictError if another process has stored a state since.

        After a save without an answer, the store is read first: the write may have been carried out.
        """
        if self._unsure is not None:
            await self._find_out(self._unsure)
        self._unsure = data
        self.revision = await self.store.save(name_of(self.key, STATE), data, self.revision)
        self._unsure = None
        self.size, self.saved_at = len(data), now

    async def _find_out(self, written: bytes) -> None:
        stored = await self.store.load(name_of(self.key, STATE))
        if stored is not None and stored.data == written:
            self.revision = stored.revision

    def due(self, now: float, tick_seconds: float) -> bool:
        """Return whether the next checkpoint is due at `now` (monotonic): a small state is stored more often."""
        interval = min(LONGEST, max(tick_seconds, self.size / BYTES_PER_SECOND))
        return now - self.saved_at >= interval
