"""A log of row blocks on disk, bounded in rows and bytes. One process writes; any number of processes read.

A log consists of segment files that only grow. It is never synced. After `kill -9`, everything is intact except the
block that was being written. A power cut may lose more, but the rows are only a sample of the traffic.

A log that keeps its newest rows drops whole segments, an eighth of its bound each, so that appending never rewrites a
file. A uniform sample over time would have to rewrite single rows, and would mix old rows with recent ones.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import quote_value
from ..system.files import is_unusable, set_aside
from ..system.framing import Damage, FramedRecord
from ..system.logfile import LogFile, read_records
from .blocks import FRAMES, MAGIC, RowBlock, count_rows, parse, render
from .errors import RowsError

_LOG = logging.getLogger("pilotfish.rows")

SEGMENTS = 8
SUFFIX = ".rows"


@dataclass
class LogSegment:
    """One file, and the number of intact rows in it."""

    file: LogFile
    rows: int = 0

    def count(self, found: FramedRecord | Damage) -> None:
        """Add the rows of an intact record; ignore damage."""
        if isinstance(found, FramedRecord):
            self.rows += count_rows(found.payload)


class RowLog:
    """The log `name` in `folder`. With `newest`, it keeps its newest rows; otherwise it stops at its bounds.

    Attributes:
        most_rows: upper bound of the rows.
        most_bytes: upper bound of the size in bytes.
        cut: bytes of ends that a crash cut off, removed when the log was opened.
        damage: the files that could not be read whole, and what is lost; empty if all could be read.
        full: whether a log without `newest` has reached a bound. A full disk does not count.
        problem: why the last write failed; empty if it succeeded.
    """

    def __init__(self, folder: Path, name: str, *, most_rows: int, most_bytes: int, newest: bool) -> None:
        self.most_rows, self.most_bytes = most_rows, most_bytes
        self.cut = 0
        self.full = False
        self.damage = ""
        self.problem = ""
        self._folder, self._name, self._newest = folder, name, newest
        self._segments: list[LogSegment] = []
        try:
            if folder.exists() and not folder.is_dir():
                self._note_damage(folder, "it is not a folder", set_aside(folder))
            self._segments = [segment for path in list_segments(folder, name) if (segment := self._open_segment(path))]
        except OSError as error:
            self.problem = f"rows cannot be stored in {quote_value(folder)}: {error.strerror}"

    @property
    def rows(self) -> int:
        """Number of rows on disk."""
        return sum(segment.rows for segment in self._segments)

    @property
    def size(self) -> int:
        """Size of the log in bytes."""
        return sum(segment.file.size for segment in self._segments)

    def append(self, blocks: Sequence[RowBlock]) -> int:
        """Write `blocks`. Return the number of rows that were not stored: no space, or unsupported values."""
        lost = 0
        for block in blocks:
            try:
                raw = render(block)
            except RowsError:
                lost += len(block.at)
                continue
            if not self._fits(len(raw)) or not self._written(raw, len(block.at)):
                lost += len(block.at)
        return lost

    def limit_rows(self, most_rows: int) -> None:
        """Use another upper bound of the rows from the next `append` on."""
        self.most_rows = most_rows

    def clear(self) -> None:
        """Remove all rows."""
        for segment in self._segments:
            segment.file.close()
            segment.file.path.unlink(missing_ok=True)
        self._segments = []
        self.full = False
        self.problem = ""

    def _fits(self, size: int) -> bool:
        if size > self.most_bytes // SEGMENTS + len(MAGIC):
            return False
        return self._newest or not self._full(size)

    def _full(self, size: int) -> bool:
        self.full = self.full or self.rows >= self.most_rows or self.size + size > self.most_bytes
        return self.full

    def _written(self, raw: bytes, rows: int) -> bool:
        try:
            segment = self._current()
            segment.file.extend([raw], sync=False)
        except OSError as error:
            self.problem = f"rows cannot be stored in {quote_value(self._folder)}: {error.strerror}"
            return False
        segment.rows, self.problem = segment.rows + rows, ""
        if self._newest:
            self._drop_oldest()
        return True

    def _current(self) -> LogSegment:
        """Return the segment to write to; a new one if the last has reached its share of the bounds."""
        last = self._segments[-1] if self._segments else None
        if last is None or last.rows >= self.most_rows / SEGMENTS or last.file.size >= self.most_bytes / SEGMENTS:
            number = 1
            if last is not None:
                last.file.close()
                number += _number(last.file.path)
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            last = LogSegment(LogFile(self._folder / f"{self._name}.{number:012d}{SUFFIX}", FRAMES))
            self._segments.append(last)
        return last

    def _drop_oldest(self) -> None:
        """Remove the oldest segments while the others hold enough rows, or while the log is too large."""
        while len(self._segments) > 1:
            oldest = self._segments[0]
            if self.rows - oldest.rows < self.most_rows and self.size <= self.most_bytes:
                return
            oldest.file.close()
            oldest.file.path.unlink(missing_ok=True)
            del self._segments[0]

    def _open_segment(self, path: Path) -> LogSegment | None:
        """Open the segment at `path`. Set a damaged file aside, delete one without rows, and return None then."""
        found = LogSegment(LogFile(path, FRAMES))
        try:
            with found.file as file:
                file.open(found.count, create=False)
        except OSError as error:
            if not is_unusable(error):
                raise
            self._note_damage(path, error.strerror or str(error), set_aside(path))
            return None
        self.cut += file.cut
        if file.damaged:
            self._note_damage(path, f"{file.lost} bytes are damaged, from {file.damaged[0].place} on", file.damage)
        if not found.rows:
            self.cut += file.size
            path.unlink()
            return None
        return found

    def _note_damage(self, path: Path, reason: str, aside: str) -> None:
        text = f"rows in {quote_value(path)} are lost: {reason}; {aside}"
        self.damage = f"{self.damage}; {text}" if self.damage else text


def list_segments(folder: Path, name: str) -> list[Path]:
    """Return the segments of the log `name`, oldest first."""
    return sorted(path for path in folder.glob(f"{name}.*{SUFFIX}") if path.name.split(".")[-2].isdigit())


def _number(path: Path) -> int:
    return int(path.name.split(".")[-2])


def read_blocks(folder: Path, name: str, note: Callable[[str], None] = _LOG.warning) -> Iterator[RowBlock]:
    """Yield the blocks of the log `name`, oldest first. Another process may write to it.

    Blocks that cannot be read are skipped, and `note` gets one text per segment that has such blocks.
    """
    for path in list_segments(folder, name):
        damaged, why = 0, ""
        try:
            for record in read_records(path, FRAMES):
                if isinstance(record, Damage):
                    damaged, why = damaged + 1, f"the bytes from {record.place} on are damaged"
                    continue
                try:
                    block = parse(record.payload)
                except RowsError as error:
                    damaged, why = damaged + 1, str(error)
                else:
                    yield block
        except FileNotFoundError:  # the writer has dropped this segment
            continue
        except OSError as error:
            note(f"rows in {quote_value(path)} are left out: {error.strerror}")
        if damaged:
            note(f"{damaged} blocks of rows in {quote_value(path)} are left out: {why}")


def newest_blocks(folder: Path, name: str, rows: int) -> Iterator[RowBlock]:
    """Yield the newest `rows` rows of the log `name`, oldest first."""
    blocks: deque[RowBlock] = deque()
    held = 0
    for block in read_blocks(folder, name):
        blocks.append(block)
        held += len(block.at)
        while held - len(blocks[0].at) >= rows:
            held -= len(blocks.popleft().at)
    excess = held - rows
    for block in blocks:
        yield block if excess <= 0 else _without_first(block, excess)
        excess = 0


def _without_first(block: RowBlock, count: int) -> RowBlock:
    columns = ({name: values[count:] for name, values in side.items()} for side in (block.inputs, block.outputs))
    return RowBlock(block.at[count:], *columns)
