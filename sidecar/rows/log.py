"""A log of rows on disk: segments that only grow, bounded in rows and bytes. One process writes, any may read.

Nothing is synced: what a kill -9 leaves is whole up to the block that was being written, and what a power cut takes is
a sample of traffic, not evidence. A log that keeps its newest rows drops whole segments, an eighth of its bound each:
so appending never rewrites anything. (A uniform sample of all time would rewrite single rows, and mix what was with
what is; a report on recent rows wants the recent ones.)
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ..errors import quote_value
from ..system.framing import Damage, Record
from ..system.logfile import ForeignFileError, LogFile, read_records
from .blocks import FRAMES, MAGIC, Block, parse, render
from .errors import RowsError

SEGMENTS = 8
SUFFIX = ".rows"


@dataclass
class LogSegment:
    """One file and how many rows are whole in it."""

    file: LogFile
    rows: int = 0

    def count(self, found: Record | Damage) -> None:
        """Add the rows of a record."""
        if isinstance(found, Record):
            self.rows += found.note


class RowLog:
    """The log `name` in `folder`, of `most_rows` and `most_bytes`; keeps the `newest`, or the first ones and no more.

    `cut` counts bytes that were torn off at the last opening; `full` tells that the first rows have met a bound (a disk
    without room is another matter); `problem` says why the last write failed, else is empty.
    """

    def __init__(self, folder: Path, name: str, *, most_rows: int, most_bytes: int, newest: bool) -> None:
        self.most_rows, self.most_bytes = most_rows, most_bytes
        self.cut = 0
        self.full = False
        self.problem = ""
        self._folder, self._name, self._newest = folder, name, newest
        self._segments: list[LogSegment] = []
        try:
            self._segments = [segment for path in list_segments(folder, name) if (segment := self._open_segment(path))]
        except OSError as error:
            self.problem = f"rows cannot be kept in {quote_value(folder)}: {error.strerror}"

    @property
    def rows(self) -> int:
        """How many rows are on disk."""
        return sum(segment.rows for segment in self._segments)

    @property
    def size(self) -> int:
        """How many bytes they take."""
        return sum(segment.file.size for segment in self._segments)

    def append(self, blocks: Sequence[Block]) -> int:
        """Write `blocks`; return how many of their rows were not kept: no room, values that cannot be written."""
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

    def clear(self) -> None:
        """Remove everything."""
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
            self.problem = f"rows cannot be kept in {quote_value(self._folder)}: {error.strerror}"
            return False
        segment.rows, self.problem = segment.rows + rows, ""
        if self._newest:
            self._drop_oldest()
        return True

    def _current(self) -> LogSegment:
        """Return the segment that is written to, a new one when the last has its share."""
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
        """Remove the oldest segments that the bounds do not need any more."""
        while len(self._segments) > 1:
            oldest = self._segments[0]
            if self.rows - oldest.rows < self.most_rows and self.size <= self.most_bytes:
                return
            oldest.file.close()
            oldest.file.path.unlink(missing_ok=True)
            del self._segments[0]

    def _open_segment(self, path: Path) -> LogSegment | None:
        """Return the segment at `path` as far as it is whole, cutting off the rest; None removes it."""
        found = LogSegment(LogFile(path, FRAMES))
        with suppress(ForeignFileError), found.file as file:
            file.open(found.count, create=False)
        self.cut += file.cut
        if not found.rows:
            self.cut += path.stat().st_size
            path.unlink()
            return None
        return found


def list_segments(folder: Path, name: str) -> list[Path]:
    """Return the segments of the log `name`, oldest first."""
    return sorted(path for path in folder.glob(f"{name}.*{SUFFIX}") if path.name.split(".")[-2].isdigit())


def _number(path: Path) -> int:
    return int(path.name.split(".")[-2])


def read_blocks(folder: Path, name: str) -> Iterator[Block]:
    """Yield the blocks of the log `name`, oldest first, also while it is written to; what is damaged is left out."""
    for path in list_segments(folder, name):
        with suppress(FileNotFoundError):  # its bound dropped it in the meantime
            for record in read_records(path, FRAMES):
                with suppress(RowsError):
                    yield parse(record.payload)


def newest_blocks(folder: Path, name: str, rows: int) -> Iterator[Block]:
    """Yield the newest `rows` rows of the log `name`, oldest first."""
    kept: deque[Block] = deque()
    held = 0
    for block in read_blocks(folder, name):
        kept.append(block)
        held += len(block.at)
        while held - len(kept[0].at) >= rows:
            held -= len(kept.popleft().at)
    over = held - rows
    for block in kept:
        yield block if over <= 0 else _without(block, over)
        over = 0


def _without(block: Block, first: int) -> Block:
    columns = ({name: values[first:] for name, values in side.items()} for side in (block.inputs, block.outputs))
    return Block(block.at[first:], *columns)
