"""The outbox of the controller: the whole ledger as one state in a store, written by compare-and-swap.

A write that fails stops the loop, unlike a full disk with `file_outbox`. There, a lock proves that no other process
decides. Here, only a successful write proves it: another leader may have taken over. So an operation applies once it is
stored, and after any failure the ledger is loaded again before the next decision. Its outcome may then be lost, and the
attempt is repeated under the same id.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from . import journal
from .errors import OutboxError, StoreConflictError, StoreError
from .ledger import IntentLedger, Operation
from .outbox import Step, ignore_step
from .store import StateStore

_LOG = logging.getLogger("pilotfish.control")

MAX_ENDED_ENTRIES = 200  # of each lane; each commit writes all entries


class StoreOutbox:
    """The ledger in the state `key` of `store`. `step` is called where a crash has a visible result."""

    def __init__(self, store: StateStore, key: str, *, step: Step = ignore_step) -> None:
        self.ledger = IntentLedger()
        self.problem = ""
        self.damaged: tuple[str, ...] = ()
        self._store = store
        self._key = key
        self._step = step
        self._revision: str | None = None  # None: not open

    @property
    def unsaved(self) -> int:
        """Always 0: an operation that is not stored does not apply."""
        return 0

    @property
    def damage(self) -> str:
        """A message about damaged lines; empty without any."""
        return f"ledger {self._key}: {', '.join(self.damaged[:5])} damaged and skipped" if self.damaged else ""

    async def open(self) -> None:
        """Load the ledger, unless it is open already; raise OutboxError."""
        if self._revision is not None:
            return
        try:
            stored = await self._store.load(self._key)
        except StoreError as error:
            raise self._failed("it cannot be loaded", error) from error
        known = journal.decode(stored.data if stored else b"")
        self.ledger = IntentLedger().apply(known.operations)
        self.damaged, self.problem = known.damaged, ""
        self._revision = stored.revision if stored else ""
        if self.damaged:
            _LOG.error("%s", self.damage)

    async def commit(self, operations: Sequence[Operation]) -> None:
        """Store `operations`, then apply them; raise OutboxError, and apply nothing, if that is uncertain."""
        if not operations:
            return
        if self._revision is None:
            raise OutboxError(f"ledger {self._key}: it changed while this was decided; it is decided again")
        kept = self.ledger.apply(operations).snapshot_operations(MAX_ENDED_ENTRIES)
        revision, self._revision = self._revision, None  # stays None if this is cancelled: the write may have happened
        self._step("outbox.save")
        try:
            revision = await self._store.save(self._key, journal.encode(kept), revision)
        except StoreConflictError as error:
            raise self._failed("another process has written it", error) from error
        except StoreError as error:
            raise self._failed("it cannot be written, so nothing is done", error) from error
        self._step("outbox.saved")
        self.ledger, self._revision, self.problem = IntentLedger().apply(kept), revision, ""

    def close(self) -> None:
        """Forget the ledger; `open` loads it again."""
        self._revision = None

    def _failed(self, what: str, error: StoreError) -> OutboxError:
        self.problem = f"ledger {self._key}: {what}: {error}"
        return OutboxError(self.problem)
