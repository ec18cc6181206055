"""The label journal: one append-only file per segment in the state folder.

After a restart, checkpoint and journal restore everything. `feedback-N.log` is a sequence of chunks: u32 length, u32
CRC-32, frames (`frames.py`). A chunk that a crash cut off is removed. A damaged file is set aside, and its whole chunks
stay in use. A response to the client must wait until its labels are appended and synced.
"""

from __future__ import annotations

import logging
import re
from functools import partial
from pathlib import Path

from ...errors import RefusedError, quote_value
from ...system.files import is_unusable, set_aside
from ...system.framing import BinaryFrames, Damage, FramedRecord
from ...system.logfile import LogFile

_LOG = logging.getLogger("pilotfish.analyzer")

MAX_PENDING_BYTES = 16 * 2**20  # bytes to hold in memory while the disk refuses writes
MAX_FILE_BYTES = 256 * 2**20
FRAMES = BinaryFrames(largest=MAX_FILE_BYTES)
_NAME = re.compile(r"feedback-(\d{8})\.log")

Position = tuple[int, int]  # number of the segment, bytes of its file
Chunk = tuple[int, bytes]  # bytes of the file up to the end of the chunk, content


class JournalError(RefusedError):
    """Labels cannot be written to disk."""

    status = 503


class LabelJournal:
    """The journal files of one state folder. Use it from one thread at a time.

    Attributes:
        position: number of the segment that was written last, and the size of its file in bytes.
        damage: the files that could not be read whole, and what is lost; empty if all could be read.
        problem: why labels cannot be written; empty while they can.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._waiting: list[tuple[int, bytes]] = []
        self._logs: dict[int, LogFile] = {}
        self.position: Position = (0, 0)
        self.damage = ""
        self.problem = ""

    def load(self) -> list[tuple[int, list[Chunk]]]:
        """Return the chunks of each segment, oldest segment first. Set `damage` if something cannot be read."""
        found, damages = [], []
        for number, path in self._files():
            chunks: list[Chunk] = []
            log = self._log(number)
            try:
                with log:
                    log.open(partial(_add_chunk, chunks), create=False)
            except OSError as error:
                aside = f"; {set_aside(path)}" if is_unusable(error) else ""
                damages.append(f"labels in {quote_value(path)} are lost: {error.strerror or error}{aside}")
                continue
            if lost := _lost(log):
                damages.append(f"labels in {quote_value(path)} are lost: {lost}")
            self.position = (number, log.size)
            found.append((number, chunks))
        self.damage = "; ".join(damages)
        return found

    def append(self, pieces: list[tuple[int, bytes]], oldest: int, *, sync: bool) -> None:
        """Append bytes to the files of their segments, and remove the files of segments before `oldest`.

        Bytes that cannot be written stay in memory for the next call, up to `MAX_PENDING_BYTES`.

        Args:
            pieces: number of the segment and the bytes to append, for each piece.
            oldest: number of the oldest segment to keep.
            sync: whether to sync the files.

        Raises:
            JournalError: a file cannot be written.
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
            self._logs[number] = LogFile(self._path(number), FRAMES, largest=MAX_FILE_BYTES)
        return self._logs[number]

    def _write(self, number: int, raw: bytes) -> None:
        log = self._log(number)
        log.append(raw, sync=False)
        self.position = (number, log.size)

    def _remove(self, oldest: int) -> None:
        for number in [number for number in self._logs if number < oldest]:
            self._logs.pop(number).close()
            path = self._path(number)
            try:
                path.unlink(missing_ok=True)
            except OSError as error:  # the next start tries again
                _LOG.warning("predictions that have expired stay in %s: %s", quote_value(path), error.strerror)

    def _files(self) -> list[tuple[int, Path]]:
        found = ((_NAME.fullmatch(path.name), path) for path in self._folder.iterdir())
        return sorted((int(name[1]), path) for name, path in found if name)

    def _path(self, number: int) -> Path:
        return self._folder / f"feedback-{number:08d}.log"


def _lost(log: LogFile) -> str:
    """Return how much of a file is lost; empty if nothing is."""
    if log.damaged:
        first = log.damaged[0].place
        header = ", and with the first record all its predictions" if first == "byte 0" else ""
        return f"the file is damaged at {first} ({log.lost} bytes in all{header}); {log.damage}"
    return f"its last {log.cut} bytes were cut off, by a crash or by damage" if log.cut else ""


def _add_chunk(chunks: list[Chunk], found: FramedRecord | Damage) -> None:
    if isinstance(found, FramedRecord):
        chunks.append((found.end, found.payload))
