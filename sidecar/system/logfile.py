"""An append-only file of framed records that survives a kill at any moment, a full disk and a damaged sector.

Opening a file recovers it: whole records are passed to the caller, damaged ones are named, a cut-off tail is removed. A
failed append leaves no part of a record in the file. The caller keeps or drops records that could not be written.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Self

from .files import staged_path, sync_path, write_all
from .framing import Damage, FramedRecord, Framing

MODE = 0o600
FLAGS = os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW

Step = Callable[[str], None]
Take = Callable[[FramedRecord | Damage], object]


class ForeignFileError(OSError):
    """The file does not begin with the magic of its framing: another program or version wrote it."""


class LogFile:
    """One log at `path`. Not thread-safe.

    largest    maximum size in bytes; opening a larger file fails (EFBIG); None for any size
    exclusive  lock the file while it is open; opening a locked file fails (EAGAIN)
    keep_tail  for lines: complete a cut-off last line instead of removing it, and do not scan the file at opening
    step       is called with `append`, `written`, `synced`, `compacted`, `replaced`, the points where a crash has a
               visible result, so that tests can crash there

    `size` is the length of all whole records in bytes. `cut` is the number of bytes that recoveries removed. `damaged`
    lists the damaged records. `problem` is the error message of the last write, empty if it succeeded.
    """

    def __init__(
        self,
        path: Path,
        framing: Framing,
        *,
        largest: int | None = None,
        exclusive: bool = False,
        keep_tail: bool = False,
        step: Step | None = None,
    ) -> None:
        self.path = path
        self.size = self.cut = 0
        self.damaged: tuple[Damage, ...] = ()
        self.problem = ""
        self._framing = framing
        self._largest = largest
        self._exclusive = exclusive
        self._keep_tail = keep_tail
        self._step: Step = step or (lambda _name: None)
        self._descriptor = -1
        self._recovered = False
        self._folder_unsynced = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def is_open(self) -> bool:
        """Whether the file is open, and locked if it is exclusive."""
        return self._descriptor >= 0

    def open(self, take: Take | None = None, *, create: bool = True) -> None:
        """Open and recover the file; raise OSError if that fails.

        `take` is called with each whole and each damaged record, in the order of the file. An exception in `take`
        closes the file. With `create`, a missing file is created; without, it raises FileNotFoundError.
        """
        self.close()
        try:
            self._open(create=create)
            self._recover(take)
        except BaseException:
            self.close()
            raise

    def append(self, payload: bytes, note: int = 0, *, sync: bool = True) -> None:
        """Append one record; on OSError, no part of it stays in the file."""
        self.extend([self._framing.frame(payload, note)], sync=sync)

    def extend(self, frames: Iterable[bytes], *, sync: bool = True) -> None:
        """Append the frames with one write; on OSError, none of them stays in the file."""
        try:
            self._ready()
            start = self._framing.magic if not self.size else self._line_end()
            raw = start + b"".join(frames)
            try:
                self._step("append")
                write_all(self._descriptor, raw)
                self._step("written")
                if sync:
                    self._sync()
            except OSError:
                with suppress(OSError):  # if this fails, the next append or opening removes the rest
                    os.ftruncate(self._descriptor, self.size)
                raise
        except OSError as error:
            self._note(error)
            raise
        self.size += len(raw)
        self.problem = ""
        if sync:
            self._step("synced")

    def sync(self) -> None:
        """Write all appended records to the disk (fsync)."""
        try:
            self._ready()
            self._sync()
        except OSError as error:
            self._note(error)
            raise

    def rewrite(self, payloads: Iterable[bytes]) -> None:
        """Replace the content by `payloads`, atomically and durably; on OSError the old content stays in use."""
        raw = self._framing.magic + b"".join(map(self._framing.frame, payloads))
        fresh = staged_path(self.path)
        descriptor = -1
        try:
            descriptor = os.open(fresh, FLAGS | os.O_CREAT | os.O_TRUNC, MODE)
            if self._exclusive:
                _lock(descriptor, fresh)  # before the rename, so that no other process can lock it first
            write_all(descriptor, raw)
            os.fsync(descriptor)
            self._step("compacted")
            os.replace(fresh, self.path)
        except OSError:
            if descriptor >= 0:
                os.close(descriptor)
            with suppress(OSError):  # if writing fails, removing may fail, too
                os.unlink(fresh)
            raise
        self.close()
        self._descriptor, self.size, self.damaged, self._recovered = descriptor, len(raw), (), True
        self.problem = ""
        with suppress(OSError):  # the content is durable; the new name becomes so with the next sync of the folder
            self._step("replaced")
            sync_path(self.path.parent)

    def rotate(self, to: Path) -> None:
        """Rename the file to `to`, replacing any file there; the next append creates a new file."""
        self.close()
        os.replace(self.path, to)
        self.size, self.damaged, self._recovered = 0, (), False

    def close(self) -> None:
        """Close the file and release its lock; the next append opens it again."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _open(self, *, create: bool) -> None:
        try:
            self._descriptor = os.open(self.path, FLAGS)
        except FileNotFoundError:
            if not create:
                raise
            self._descriptor = os.open(self.path, FLAGS | os.O_CREAT, MODE)
            self._folder_unsynced = True
        if self._exclusive:
            _lock(self._descriptor, self.path)

    def _recover(self, take: Take | None) -> None:
        length = os.fstat(self._descriptor).st_size
        if self._largest is not None and length > self._largest:
            raise OSError(errno.EFBIG, f"larger than {self._largest} bytes")
        if self._keep_tail:
            self.size = length
        else:
            self._scan(length, take)
        self._recovered = True

    def _scan(self, length: int, take: Take | None) -> None:
        damaged = []
        with open(self._descriptor, "rb", closefd=False) as file:
            file.seek(0)
            magic = self._framing.magic
            head = file.read(len(magic))
            if not magic.startswith(head):
                raise ForeignFileError(errno.EINVAL, "not a log of this kind")
            end = len(magic) if head == magic else 0
            for found in self._framing.scan(file, end) if head == magic else ():
                end = found.end
                if isinstance(found, Damage):
                    damaged.append(found)
                if take is not None:
                    take(found)
        if end < length:
            os.ftruncate(self._descriptor, end)
            self.cut += length - end
        self.size, self.damaged = end, tuple(damaged)

    def _ready(self) -> None:
        """Open the file if it is closed, and make it end after the last whole record."""
        if self._descriptor < 0:
            self._open(create=True)
        try:
            length = os.fstat(self._descriptor).st_size
            if not self._recovered or length < self.size:  # never opened, or replaced or truncated by another program
                self._recover(None)
            elif self._keep_tail:
                self.size = length
            elif length > self.size:  # the rest of a failed append
                os.ftruncate(self._descriptor, self.size)
        except BaseException:
            self.close()
            raise

    def _line_end(self) -> bytes:
        """Return the line break that a cut-off last line needs; empty if `keep_tail` is off."""
        return b"\n" if self._keep_tail and os.pread(self._descriptor, 1, self.size - 1) != b"\n" else b""

    def _sync(self) -> None:
        os.fsync(self._descriptor)
        if self._folder_unsynced:
            sync_path(self.path.parent)
            self._folder_unsynced = False

    def _note(self, error: OSError) -> None:
        self.problem = f"cannot write {self.path}: {error.strerror or error}"


def read_records(path: Path, framing: Framing) -> Iterator[FramedRecord]:
    """Yield the whole records of the log at `path` without changing it, even while another process appends to it.

    Yields nothing for a file of another kind. Raises OSError if the file cannot be read.
    """
    with path.open("rb") as file:
        if file.read(len(framing.magic)) == framing.magic:
            for found in framing.scan(file, len(framing.magic)):
                if isinstance(found, FramedRecord):
                    yield found


def _lock(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise OSError(error.errno, "another process has locked it") from error
    if os.stat(path).st_ino != os.fstat(descriptor).st_ino:
        raise OSError(errno.ESTALE, "another process replaced it during opening")
