"""The file of an outbox: the append-only log of the intent ledger, compacted when it has grown.

An operation applies in memory at once. If the disk is full, it waits here, and each commit tries to write it again. The
file is locked, so that two processes never share it. The functions block; `file_outbox` calls them in threads.
"""

from __future__ import annotations

import errno
import logging
from collections.abc import Sequence
from pathlib import Path

from ..system.files import is_unusable, set_aside
from ..system.framing import Damage, FramedRecord
from ..system.logfile import LogFile
from . import journal
from .errors import OutboxError
from .ledger import IntentLedger, Operation
from .outbox import Step, ignore_step

_LOG = logging.getLogger("pilotfish.control")

COMPACT_AT = 256 * 1024  # bytes; a file that is larger after a compaction is compacted again at twice its size
MAX_UNSAVED = 256  # operations that wait for the disk; beyond this number, a snapshot of the ledger replaces them
SHOWN = 5  # damaged lines that a message names
MAX_OUTBOX_BYTES = 64 * 1024 * 1024  # bytes; Pilotfish writes no larger outbox

_REMEDIES = {
    errno.EAGAIN: "; give each `pilotfish run` its own --state",
    errno.ESTALE: "",
}
_READABLE_LATER = frozenset((errno.EACCES, errno.EIO, errno.EPERM))  # an outbox, whose entries must not be sent again
_CONSEQUENCE = "a retraining may be requested again or not at all"


class OutboxFile:
    """The ledger and its file. `step` is called with a name at each point where a crash has a visible result."""

    def __init__(self, path: Path, *, step: Step = ignore_step) -> None:
        self.ledger = IntentLedger()
        self.problem = ""
        self.damaged: tuple[str, ...] = ()
        self._lost = ""
        self._grows = False  # whether the last compaction failed
        self._path = path
        self._file = LogFile(
            path, journal.FRAMES, largest=MAX_OUTBOX_BYTES, exclusive=True, step=lambda name: step(f"outbox.{name}")
        )
        self._compact_at = COMPACT_AT
        self._unsaved: list[Operation] = []
        self._max_unsaved = MAX_UNSAVED

    @property
    def unsaved(self) -> int:
        """Number of operations that are not on disk yet."""
        return len(self._unsaved)

    @property
    def damage(self) -> str:
        """A message about damaged lines; empty without any."""
        if not self.damaged:
            return self._lost
        more = f" and {len(self.damaged) - SHOWN} more" if len(self.damaged) > SHOWN else ""
        places = ", ".join(self.damaged[:SHOWN]) + more
        aside = f"; {self._file.damage}" if self._file.damage else ""
        return f"outbox {self._path}: {places} damaged and skipped{aside}; {_CONSEQUENCE}"

    def open(self) -> None:
        """Lock and read the file, or create it; raise OutboxError if it exists and cannot be read or locked.

        Does nothing if the file is open already. What cannot be an outbox, such as a folder, is set aside; `damage`
        says where. If the file cannot be created, the outbox works in memory, sets `problem`, and can be opened again.
        """
        if self._file.is_open:
            return
        found: list[FramedRecord | Damage] = []
        try:
            self._file.open(found.append, create=False)
        except FileNotFoundError:
            if not self._create():
                return
        except OSError as error:
            if not is_unusable(error) or error.errno in _READABLE_LATER:
                remedy = _REMEDIES.get(
                    error.errno or 0, "; without it, Pilotfish cannot find out what was sent already"
                )
                raise OutboxError(f"outbox {self._path}: {error.strerror}{remedy}") from error
            self._lost = f"outbox {self._path} is lost: {error.strerror}; {set_aside(self._path)}; {_CONSEQUENCE}"
            _LOG.error("%s", self._lost)
            if not self._create():
                return
        try:
            self._load(found)
        except BaseException:  # such as MemoryError; release the lock, so that a later `open` can succeed
            self._file.close()
            raise

    def commit(self, operations: Sequence[Operation]) -> None:
        """Apply `operations` in memory, and write all waiting operations; a write error sets `problem`."""
        self.ledger = self.ledger.apply(operations)
        self._unsaved.extend(operations)
        if len(self._unsaved) > self._max_unsaved:
            self._unsaved = self.ledger.snapshot_operations()
            self._max_unsaved = max(MAX_UNSAVED, 2 * len(self._unsaved))
        self._save()

    def close(self) -> None:
        """Close the file and release its lock."""
        self._file.close()

    def _create(self) -> bool:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file.open()
        except OSError as error:
            self.problem = f"cannot create {self._path}: {error.strerror}"
            return False
        return True

    def _load(self, found: Sequence[FramedRecord | Damage]) -> None:
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
            self._max_unsaved, self.problem = MAX_UNSAVED, ""

    def _compact(self) -> bool:
        """Replace the file by a snapshot of the ledger; return False if that fails, and then keep the old file."""
        operations = self.ledger.snapshot_operations()
        try:
            self._file.rewrite(journal.payloads(operations))
        except OSError as error:
            if not self._grows:
                _LOG.warning("outbox %s cannot be compacted and grows: %s", self._path, error.strerror)
            self._grows = True
            return False
        self._grows = False
        self._compact_at = max(COMPACT_AT, 2 * self._file.size)
        self.ledger = IntentLedger().apply(operations)
        return True
