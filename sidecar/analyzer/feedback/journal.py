"""The journal: one file a segment in the state folder, appended to; with the checkpoint all that a restart needs.

`feedback-N.log` is a row of chunks, each u32 length, u32 CRC-32, frames. A chunk that a crash cut short is cut off.
"""

from __future__ import annotations

import re
from contextlib import suppress
from functools import partial
from pathlib import Path

from ...errors import quote_value
from ...system.framing import BinaryFrames, Damage, Record
from ...system.logfile import LogFile
from ..errors import RefusedError

MAX_PENDING_BYTES = 16 * 2**20  # bytes that wait for a disk that takes none
LARGEST_FILE = 256 * 2**20
FRAMES = BinaryFrames(largest=LARGEST_FILE)
_NAME = re.compile(r"feedback-(\d{8})\.log")

Position = tuple[int, int]  # number of a segment, bytes of its file
Chunk = tuple[int, bytes]  # bytes of the file after it, what was appended


class JournalError(RefusedError):
    """Labels cannot be written where they outlive the process."""

    status = 503


class LabelJournal:
    """The files of one state folder; one thread at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._waiting: list[tuple[int, bytes]] = []
        self._logs: dict[int, LogFile] = {}
        self.position: Position = (0, 0)
        self.problem = ""

    def load(self) -> list[tuple[int, list[Chunk]]]:
        """Return what the files hold, oldest segment first; what cannot be read is left out, and said in `problem`."""
        found = []
        for number, path in self._files():
            chunks: list[Chunk] = []
            log = self._log(number)
            try:
                with log:
                    log.open(partial(_take, chunks), create=False)
            except OSError as error:
                self.problem = f"labels of {quote_value(path)} are lost: {error}"
                continue
            if log.damaged:
                self.problem = (
                    f"labels of {quote_value(path)} from {log.damaged[0].place} on are lost: they are damaged"
                )
            self.position = (number, log.size)
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
                    self._log(number).sync()
        except OSError as error:
            while sum(len(raw) for _, raw in self._waiting) > MAX_PENDING_BYTES:
                del self._waiting[0]
            self.problem = (
                f"labels cannot be written to {quote_value(self._folder)}: {error}; a restart would lose them"
            )
            raise JournalError(f"{self.problem}; send them again later") from error
        finally:
            for log in self._logs.values():
                log.close()
        self.problem = ""
        self._remove(oldest)

    def _log(self, number: int) -> LogFile:
        if number not in self._logs:
            self._logs[number] = LogFile(self._path(number), FRAMES, largest=LARGEST_FILE)
        return self._logs[number]

    def _write(self, number: int, raw: bytes) -> None:
        log = self._log(number)
        log.append(raw, sync=False)
        self.position = (number, log.size)

    def _remove(self, oldest: int) -> None:
        for number in [number for number in self._logs if number < oldest]:
            self._logs.pop(number).close()
            with suppress(OSError):  # it is tried again after the next start
                self._path(number).unlink(missing_ok=True)

    def _files(self) -> list[tuple[int, Path]]:
        found = ((_NAME.fullmatch(path.name), path) for path in self._folder.iterdir())
        return sorted((int(name[1]), path) for name, path in found if name)

    def _path(self, number: int) -> Path:
        return self._folder / f"feedback-{number:08d}.log"


def _take(chunks: list[Chunk], found: Record | Damage) -> None:
    if isinstance(found, Record):
        chunks.append((found.end, found.payload))
