"""The ledger's durable form: a file that only grows, until it is rewritten short.

An operation is committed in memory at once and on disk as soon as the disk takes it: with a full disk the loop goes on,
the operations wait here, and every cycle tries again. The file is locked, so that two processes never share one.
"""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from ..system.framing import Damage, Record
from ..system.logfile import LogFile
from . import journal
from .errors import OutboxError
from .ledger import IntentLedger, Operation

_LOG = logging.getLogger("pilotfish.control")

COMPACT_AT = 256 * 1024  # bytes; a rewritten file of this size or more waits until it has doubled
MAX_UNSAVED = 256  # operations held for a full disk; beyond it they are held in their shortest form
SHOWN = 5  # damaged lines that are named
MAX_OUTBOX_BYTES = 64 * 1024 * 1024  # bytes; a file beyond this was not written here

_REMEDIES = {
    errno.EAGAIN: "; give each `pilotfish run` its own --state",
    errno.EFBIG: ", so it is no outbox; move it away",
    errno.ESTALE: "",
}

Step = Callable[[str], None]


def ignore_step(_name: str) -> None:
    """Nobody watches the steps."""


class Outbox:
    """Holds the ledger and its file; `step` is called with a name at each point where a crash would leave a trace."""

    def __init__(self, path: Path, *, step: Step = ignore_step) -> None:
        self.ledger = IntentLedger()
        self.problem = ""
        self.damaged: tuple[str, ...] = ()
        self._path = path
        self._file = LogFile(
            path, journal.FRAMES, largest=MAX_OUTBOX_BYTES, exclusive=True, step=lambda name: step(f"outbox.{name}")
        )
        self._compact_at = COMPACT_AT
        self._unsaved: list[Operation] = []
        self._most = MAX_UNSAVED

    @property
    def unsaved(self) -> int:
        """How many operations the disk has not taken yet."""
        return len(self._unsaved)

    @property
    def damage(self) -> str:
        """What is to be said of damaged lines; empty when there are none."""
        if not self.damaged:
            return ""
        more = f" and {len(self.damaged) - SHOWN} more" if len(self.damaged) > SHOWN else ""
        places = ", ".join(self.damaged[:SHOWN]) + more
        return f"outbox {self._path}: {places} damaged and left out; what it asked for may be asked again or never"

    def open(self) -> None:
        """Read the file and lock it, or make one; raise OutboxError when it is there but cannot be had.

        Does nothing once that is done. Where there is neither a file nor room for one, the outbox lives in memory, says
        so, and can be opened again.
        """
        if self._file.is_open:
            return
        found: list[Record | Damage] = []
        try:
            self._file.open(found.append, create=False)
        except FileNotFoundError:
            if not self._create():
                return
        except OSError as error:
            remedy = _REMEDIES.get(error.errno or 0, "; what was sent already is not known")
            raise OutboxError(f"outbox {self._path}: {error.strerror}{remedy}") from error
        try:
            self._load(found)
        except BaseException:  # no memory, say: the lock goes, so that the next try can have it
            self._file.close()
            raise

    def commit(self, operations: Sequence[Operation]) -> None:
        """Apply `operations`, and write them (with those that wait) if the disk lets us; see `problem`."""
        self.ledger = self.ledger.apply(operations)
        self._unsaved.extend(operations)
        if len(self._unsaved) > self._most:
            self._unsaved = self.ledger.snapshot_operations()
            self._most = max(MAX_UNSAVED, 2 * len(self._unsaved))
        self._save()

    def close(self) -> None:
        """Give the file and its lock back."""
        self._file.close()

    def _create(self) -> bool:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file.open()
        except OSError as error:
            self.problem = f"cannot make {self._path}: {error.strerror}"
            return False
        return True

    def _load(self, found: Sequence[Record | Damage]) -> None:
        known = journal.interpret(found)
        self.damaged = known.damaged
        self.problem = ""
        if known.damaged:
            _LOG.error("%s", self.damage)
        self.ledger = IntentLedger().apply((*known.operations, *self._unsaved))
        self._save()

    def _save(self) -> None:
        if not self._file.is_open or not self._unsaved:
            return
        try:
            if not (self._file.size > self._compact_at and self._compact()):
                self._file.extend([journal.encode(self._unsaved)])
        except OSError:
            self.problem = self._file.problem
        else:
            self._unsaved.clear()
            self._most, self.problem = MAX_UNSAVED, ""

    def _compact(self) -> bool:
        """Rewrite the file short; False when there is no room for it, in which case the old one goes on."""
        operations = self.ledger.snapshot_operations()
        try:
            self._file.rewrite(journal.payloads(operations))
        except OSError:
            return False
        self._compact_at = max(COMPACT_AT, 2 * self._file.size)
        self.ledger = IntentLedger().apply(operations)
        return True
