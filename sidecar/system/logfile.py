"""An append-only file of framed records that survives a kill at any moment, a full disk and a damaged sector.

Opening a file recovers it: whole records are passed to the caller, and a cut-off tail is removed. A file with damaged
records is set aside, and a file with its whole records takes its place. A failed append leaves no part of a record in
the file. The caller keeps or drops records that could not be written.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import Self

from ..errors import quote_value
from .files import lock_file, move_aside, require_regular, staged_path, sync_path, write_all
from .framing import Damage, FramedRecord, Framing

MODE = 0o600
FLAGS = os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
_PORTION = 1024 * 1024

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

    `size` is the length of all whole records in bytes. `cut` is the number of bytes that a crash cut off, removed by
    recoveries. `damaged` lists the damaged records, `lost` is their length in bytes, and `damage` says where they are
    now. `problem` is the error message of the last write, empty if it succeeded.
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
        self.size = self.cut = self.lost = 0
        self.damaged: tuple[Damage, ...] = ()
        self.damage = ""
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
        with self._successor(fresh, [raw]) as descriptor:
            self._step("compacted")
            os.replace(fresh, self.path)
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

    @contextmanager
    def _successor(self, fresh: Path, parts: Iterable[bytes]) -> Iterator[int]:
        """Write `parts` to the new file `fresh`, and yield its descriptor; on OSError, in the block too, remove it."""
        descriptor = -1
        try:
            with suppress(FileNotFoundError):  # left by a crash
                os.unlink(fresh)
            descriptor = os.open(fresh, FLAGS | os.O_CREAT | os.O_EXCL, MODE)
            if self._exclusive:
                lock_file(descriptor, fresh)  # before the rename, so that no other process can lock it first
            for part in parts:
                write_all(descriptor, part)
            os.fsync(descriptor)
            yield descriptor
        except OSError:
            if descriptor >= 0:
                os.close(descriptor)
            with suppress(OSError):  # if writing fails, removing may fail, too
                os.unlink(fresh)
            raise

    def _open(self, *, create: bool) -> None:
        try:
            self._descriptor = os.open(self.path, FLAGS)
        except FileNotFoundError:
            if not create:
                raise
            self._descriptor = os.open(self.path, FLAGS | os.O_CREAT, MODE)
            self._folder_unsynced = True
        require_regular(self._descriptor, self._largest)
        if self._exclusive:
            lock_file(self._descriptor, self.path)

    def _recover(self, take: Take | None) -> None:
        length = require_regular(self._descriptor, self._largest)
        if self._keep_tail:
            self.size = length
        else:
            self._scan(length, take)
        self._recovered = True

    def _scan(self, length: int, take: Take | None) -> None:
        damaged, whole = list[Damage](), list[tuple[int, int]]()  # start and end of each run of whole records
        with open(self._descriptor, "rb", closefd=False) as file:
            file.seek(0)
            magic = self._framing.magic
            head = file.read(len(magic))
            if not magic.startswith(head):
                raise ForeignFileError(errno.EINVAL, "not a log of this kind")
            end = len(magic) if head == magic else 0
            for found in self._framing.scan(file, end) if head == magic else ():
                if isinstance(found, Damage):
                    damaged.append(found)
                    self.lost += found.end - end
                elif whole and whole[-1][1] == end:
                    whole[-1] = whole[-1][0], found.end
                else:
                    whole.append((end, found.end))
                end = found.end
                if take is not None:
                    take(found)
        if end < length:
            os.ftruncate(self._descriptor, end)
            self.cut += length - end
        self.size, self.damaged = end, tuple(damaged)
        if damaged:
            self._set_aside(whole)

    def _set_aside(self, whole: list[tuple[int, int]]) -> None:
        """Set the damaged file aside, and continue in a new file with the ranges `whole`; without room, keep the file.

        Records that are appended after damage can only be read if the last record is whole, so a damaged end is cut.
        """
        fresh, magic = staged_path(self.path), self._framing.magic
        try:
            with self._successor(fresh, chain([magic], self._portions(whole))) as descriptor:
                self.damage = f"it was renamed to {quote_value(move_aside(self.path, fresh))}"
        except OSError as error:
            self.damage = f"it cannot be renamed: {error.strerror}"
            last = whole[-1][1] if whole else len(magic)
            if self.damaged[-1].end == self.size:
                os.ftruncate(self._descriptor, last)
                self.size = last
            return
        self.close()
        self._descriptor = descriptor
        self.size = len(magic) + sum(end - start for start, end in whole)

    def _portions(self, ranges: Iterable[tuple[int, int]]) -> Iterator[bytes]:
        for start, end in ranges:
            for at in range(start, end, _PORTION):
                yield os.pread(self._descriptor, min(_PORTION, end - at), at)

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


def read_records(path: Path, framing: Framing) -> Iterator[FramedRecord | Damage]:
    """Yield the records and damages of the log at `path` without changing it, while another process may append to it.

    Yields nothing for a file of another kind. Raises OSError if the file cannot be read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY)
    with open(descriptor, "rb") as file:
        require_regular(descriptor)
        if file.read(len(framing.magic)) == framing.magic:
            yield from framing.scan(file, len(framing.magic))
