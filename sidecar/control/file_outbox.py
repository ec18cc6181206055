"""The outbox of `pilotfish run`: a file, read and written in threads.

A full disk does not stop the loop: the file is locked, so no other process can decide meanwhile, and the operations
stay in memory until the disk has room. A crash before that may repeat a request, under the same id.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence

from .ledger import IntentLedger, Operation
from .outbox_file import OutboxFile


class FileOutbox:
    """The ledger in `file`. One thread at a time uses the file, also when the caller of an operation is cancelled."""

    def __init__(self, file: OutboxFile) -> None:
        self._file = file
        self._lock = threading.Lock()

    @property
    def ledger(self) -> IntentLedger:
        """The result of all operations so far."""
        return self._file.ledger

    @property
    def unsaved(self) -> int:
        """Number of operations that are not on disk yet."""
        return self._file.unsaved

    @property
    def problem(self) -> str:
        """Why operations are not on disk; empty if all are."""
        return self._file.problem

    @property
    def damage(self) -> str:
        """A message about damaged lines; empty without any."""
        return self._file.damage

    @property
    def damaged(self) -> tuple[str, ...]:
        """The damaged lines."""
        return self._file.damaged

    async def open(self) -> None:
        """Lock and read the file, or create it; raise OutboxError."""
        await asyncio.to_thread(self._alone, self._file.open)

    async def commit(self, operations: Sequence[Operation]) -> None:
        """Apply `operations` and write all that wait; a write error sets `problem`."""
        await asyncio.to_thread(self._alone, lambda: self._file.commit(operations))

    def close(self) -> None:
        """Close the file after the operation that a thread carries out now, and release its lock."""
        self._alone(self._file.close)

    def _alone(self, action: Callable[[], None]) -> None:
        with self._lock:
            action()
