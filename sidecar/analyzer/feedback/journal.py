"""The journal: one file a segment in the state folder, appended to; with the checkpoint all that a restart needs.

`feedback-N.log` is a row of chunks, each u32 length, u32 CRC-32, frames. A chunk that a crash cut short is cut off.
"""

from __future__ import annotations

import os
import re
import struct
import zlib
from contextlib import suppress
from pathlib import Path

from ...errors import shown
from ..errors import RefusedError

MOST_WAITING = 16 * 2**20  # bytes that wait for a disk that takes none
LARGEST_FILE = 256 * 2**20
_HEADER = struct.Struct("<II")
_NAME = re.compile(r"feedback-(\d{8})\.log")

Position = tuple[int, int]  # number of a segment, bytes of its file
Chunk = tuple[int, bytes]  # bytes of the file after it, what was appended


class JournalError(RefusedError):
    """Labels cannot be written where they outlive the process."""

    status = 503


class Journal:
    """The files of one state folder; one thread at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._waiting: list[tuple[int, bytes]] = []
        self._ends: dict[int, int] = {}
        self.position: Position = (0, 0)
        self.problem = ""

    def load(self) -> list[tuple[int, list[Chunk]]]:
        """Return what the files hold, oldest segment first; what cannot be read is left out, and said in `problem`."""
        found = []
        for number, path in self._files():
            try:
                chunks = _load(path)
            except OSError as error:
                self.problem = f"labels of {shown(str(path))} are lost: {error}"
                continue
            self.position = (number, chunks[-1][0] if chunks else 0)
            self._ends[number] = self.position[1]
            found.append((number, chunks))
        return found

    def append(self, pieces: list[tuple[int, bytes]], oldest: int, *, sync: bool) -> None:
        """Append pieces to the files of their segments, and remove files older than the segment `oldest`.

        JournalError when that is not possible; then the pieces wait for the next time, as far as there is room.
        """
        self._waiting += pieces
        try:
            written = {number for number, _ in self._waiting}
            while self._waiting:
                self._write(*self._waiting[0])
                del self._waiting[0]
            if sync:
                for number in written:
                    self._sync(number)
        except OSError as error:
            while sum(len(raw) for _, raw in self._waiting) > MOST_WAITING:
                del self._waiting[0]
            self.problem = f"labels cannot be written to {shown(str(self._folder))}: {error}; a restart would lose them"
            raise JournalError(f"{self.problem}; send them again later") from error
        self.problem = ""
        self._remove(oldest)

    def _write(self, number: int, raw: bytes) -> None:
        end = self._ends.get(number, 0)
        chunk = _HEADER.pack(len(raw), zlib.crc32(raw)) + raw
        with self._path(number).open("ab") as file:
            if file.tell() != end:  # what an earlier attempt left
                file.truncate(end)
            file.write(chunk)
        self._ends[number] = end + len(chunk)
        self.position = (number, self._ends[number])

    def _sync(self, number: int) -> None:
        for path, flags in ((self._path(number), os.O_RDWR), (self._folder, os.O_RDONLY | os.O_DIRECTORY)):
            descriptor = os.open(path, flags)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def _remove(self, oldest: int) -> None:
        for number in [number for number in self._ends if number < oldest]:
            with suppress(OSError):  # it is tried again after the next start
                self._path(number).unlink(missing_ok=True)
            del self._ends[number]

    def _files(self) -> list[tuple[int, Path]]:
        found = ((_NAME.fullmatch(path.name), path) for path in self._folder.iterdir())
        return sorted((int(name[1]), path) for name, path in found if name)

    def _path(self, number: int) -> Path:
        return self._folder / f"feedback-{number:08d}.log"


def _load(path: Path) -> list[Chunk]:
    """Return the chunks of a file, which is cut off after the last whole one."""
    if path.stat().st_size > LARGEST_FILE:
        raise OSError(f"larger than {LARGEST_FILE} bytes")
    raw = path.read_bytes()
    chunks = _chunks(raw)
    end = chunks[-1][0] if chunks else 0
    if end < len(raw):
        os.truncate(path, end)
    return chunks


def _chunks(raw: bytes) -> list[Chunk]:
    found: list[Chunk] = []
    at = 0
    while at + _HEADER.size <= len(raw):
        length, crc = _HEADER.unpack_from(raw, at)
        end = at + _HEADER.size + length
        body = raw[at + _HEADER.size : end]
        if len(body) != length or zlib.crc32(body) != crc:
            break
        found.append((end, body))
        at = end
    return found
