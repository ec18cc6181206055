"""Stores the state of one monitor by compare-and-swap, and decides when the next checkpoint is due."""

from __future__ import annotations

from dataclasses import dataclass

from ..store import StateStore

STATE = "state"  # key of the checkpoint
LEDGER = "ledger"  # key of the intent ledger
PROFILE = "profile-"  # followed by the place of the version's source in the document; a learned profile
LONGEST = 600.0  # seconds between two checkpoints
BYTES_PER_SECOND = 1024  # of checkpoints of one monitor, on average


@dataclass
class CheckpointFile:
    """The checkpoint in `store`. `revision` is that of the last load or save, `size` its bytes.

    `problem` is why the last save failed, empty if it succeeded.
    """

    store: StateStore
    revision: str = ""
    size: int = 0
    saved_at: float = float("-inf")
    problem: str = ""

    async def load(self) -> bytes | None:
        """Return the stored state, None without one; raise StoreError."""
        stored = await self.store.load(STATE)
        self.revision = stored.revision if stored is not None else ""
        self.size = len(stored.data) if stored is not None else 0
        return stored.data if stored is not None else None

    async def save(self, data: bytes, now: float) -> None:
        """Store `data`; raise StoreError, or StoreConflictError if another process has stored a state since."""
        self.revision = await self.store.save(STATE, data, self.revision)
        self.size, self.saved_at = len(data), now

    def due(self, now: float, tick_seconds: float) -> bool:
        """Return whether the next checkpoint is due at `now` (monotonic): a small state is stored more often."""
        interval = min(LONGEST, max(tick_seconds, self.size / BYTES_PER_SECOND))
        return now - self.saved_at >= interval
