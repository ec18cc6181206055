"""The ledger's durable form: a file that only grows, until it is rewritten short.

An operation is committed in memory at once and on disk as soon as the disk takes it: with a full disk the loop goes on,
the operations wait here, and every cycle tries again. The file is locked, so that two processes never share one.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from . import journal
from .errors import OutboxError
from .ledger import Ledger, Operation

_LOG = logging.getLogger("pilotfish.control")

COMPACT_AT = 256 * 1024  # bytes; a rewritten file of this size or more waits until it has doubled
MOST_UNSAVED = 256  # operations held for a full disk; beyond it they are held in their shortest form
SHOWN = 5  # damaged lines that are named
LARGEST = 64 * 1024 * 1024  # bytes; a file beyond this was not written here

Step = Callable[[str], None]


def no_step(_name: str) -> None:
    """Nobody watches the steps."""


class Outbox:
    """Holds the ledger and its file; `step` is called with a name at each point where a crash would leave a trace."""

    def __init__(self, path: Path, *, step: Step = no_step) -> None:
        self.ledger = Ledger()
        self.problem = ""
        self.damaged: tuple[str, ...] = ()
        self._path = path
        self._step = step
        self._descriptor: int | None = None
        self._end = 0
        self._compact_at = COMPACT_AT
        self._waiting: list[Operation] = []
        self._most = MOST_UNSAVED

    @property
    def unsaved(self) -> int:
        """How many operations the disk has not taken yet."""
        return len(self._waiting)

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
        if self._descriptor is not None:
            return
        try:
            descriptor: int | None = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
        except FileNotFoundError:
            descriptor = self._create()
        except OSError as error:
            raise OutboxError(f"outbox {self._path}: {error.strerror}; what was sent already is not known") from error
        if descriptor is not None:
            self._take(descriptor)

    def commit(self, operations: Sequence[Operation]) -> None:
        """Apply `operations`, and write them (with those that wait) if the disk lets us; see `problem`."""
        self.ledger = self.ledger.apply(operations)
        self._waiting.extend(operations)
        if len(self._waiting) > self._most:
            self._waiting = self.ledger.compacted()
            self._most = max(MOST_UNSAVED, 2 * len(self._waiting))
        self._save()

    def close(self) -> None:
        """Give the file and its lock back."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _create(self) -> int | None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            return os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            self.problem = f"cannot make {self._path}: {error.strerror}"
            return None

    def _take(self, descriptor: int) -> None:
        try:
            _lock(descriptor, self._path)
            raw = _read(descriptor)
            found = journal.decode(raw)
            if found.end < len(raw):
                os.ftruncate(descriptor, found.end)
        except OSError as error:
            os.close(descriptor)
            raise OutboxError(f"outbox {self._path}: {error.strerror}") from error
        except BaseException:  # no memory, say: the lock goes, so that the next try can have it
            os.close(descriptor)
            raise
        self._descriptor, self._end, self.damaged = descriptor, found.end, found.damaged
        self.problem = ""
        if found.damaged:
            _LOG.error("%s", self.damage)
        self.ledger = Ledger().apply((*found.operations, *self._waiting))
        self._save()

    def _save(self) -> None:
        if self._descriptor is None or not self._waiting:
            return
        try:
            if not (self._end > self._compact_at and self._compact()):
                self._append(self._descriptor)
        except OSError as error:
            self.problem = f"cannot write {self._path}: {error.strerror}"
        else:
            self._waiting.clear()
            self._most, self.problem = MOST_UNSAVED, ""

    def _append(self, descriptor: int) -> None:
        data = journal.encode(self._waiting)
        try:
            self._step("outbox.append")
            _write(descriptor, data)
            self._step("outbox.written")
            os.fsync(descriptor)
        except OSError:
            with suppress(OSError):  # the half line is cut off at the next start, too
                os.ftruncate(descriptor, self._end)
            raise
        self._end += len(data)
        self._step("outbox.synced")

    def _compact(self) -> bool:
        """Rewrite the file short; False when there is no room for it, in which case the old one goes on."""
        operations = self.ledger.compacted()
        data = journal.encode(operations)
        fresh = self._path.with_name(self._path.name + ".new")
        try:
            descriptor = _write_new(fresh, data)
            self._step("outbox.compacted")
            fresh.replace(self._path)
        except OSError:
            fresh.unlink(missing_ok=True)
            return False
        self.close()
        self._descriptor, self._end = descriptor, len(data)
        self._compact_at = max(COMPACT_AT, 2 * len(data))
        self.ledger = Ledger().apply(operations)
        with suppress(OSError):  # the file itself is safe; its new name is, too, with the folder's next sync
            self._step("outbox.replaced")
            _sync_folder(self._path.parent)
        return True


def _write_new(path: Path, data: bytes) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        _lock(descriptor, path)
        _write(descriptor, data)
        os.fsync(descriptor)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _lock(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise OSError(error.errno, "another process holds it; give each `pilotfish run` its own --state") from error
    if path.stat().st_ino != os.fstat(descriptor).st_ino:
        raise OSError(errno.ESTALE, "another process has just rewritten it")


def _read(descriptor: int) -> bytes:
    if os.fstat(descriptor).st_size > LARGEST:
        raise OSError(errno.EFBIG, f"larger than {LARGEST} bytes, so it is no outbox; move it away")
    with open(descriptor, "rb", closefd=False) as file:
        return file.read()


def _write(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
