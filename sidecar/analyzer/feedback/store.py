"""Predictions that wait for their labels, and which rows have theirs: bounded in rows and marks, expiring by time.

The law of it: a dict of exchanges by key, from which the oldest go when there are too many rows or too much time has
passed, and a set of labelled rows. What differs is the grain: a sixteenth of the whole goes at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from . import frames
from .frames import LabelEvent, SegmentHeader, StoredExchange
from .segment import Segment

SEGMENTS_PER_STORE = 16
MIN_DEDUP_KEYS = 10_000  # marks without a kept row that are remembered at least
MAX_RETIRED = 2 * SEGMENTS_PER_STORE
BYTES_A_ROW = 128  # that the rows may have in the mean; longer texts leave room for fewer rows


@dataclass(frozen=True, slots=True)
class Lookup:
    """A kept exchange, and where it is; `late` when it is too old for a label (then there is nothing else of it)."""

    home: Segment
    kept: StoredExchange | None
    late: bool = False


class PredictionStore:
    """Keeps exchanges for `keep_seconds`, at most `max_rows` rows of them; the first segment has the number `first`."""

    def __init__(self, keep_seconds: float, max_rows: int, tag: SegmentHeader, first: int = 1) -> None:
        self._keep_seconds = keep_seconds
        self._max_rows = max_rows
        self._segments: list[Segment] = []  # oldest first: retired ones, live ones, the one that is filled
        self._unwritten: dict[int, bytearray] = {}
        self._tag = tag
        self._max_bytes = max_rows * BYTES_A_ROW
        self._bounds = (max_rows, self._max_bytes, max(max_rows, MIN_DEDUP_KEYS))
        self._rows = self._bytes = 0
        self._next = first

    # --- numbers

    @property
    def rows(self) -> int:
        """Rows that are kept."""
        return self._rows

    @property
    def pending(self) -> int:
        """Rows that are kept and have no label."""
        return sum(segment.rows - segment.labelled for segment in self._live())

    @property
    def coverage(self) -> float | None:
        """Labelled share of the predicted rows of the time that is kept; None before any."""
        live = self._live()
        seen = sum(segment.seen for segment in live)
        return min(1.0, sum(segment.labelled + segment.alone for segment in live) / seen) if seen else None

    @property
    def oldest(self) -> int:
        """The number of the oldest segment of which anything is still known."""
        return self._segments[0].number if self._segments else self._next

    # --- what changes it

    def follow(self, tag: SegmentHeader) -> None:
        """Keep under `tag` from now on."""
        if tag != self._tag:
            self._tag = tag
            for last in self._segments[-1:]:
                if last.written:
                    last.seal()
                last.tag = last.tag if last.written else tag

    def see(self, rows: int, at: float) -> None:
        """Note that so many rows were predicted `at` (epoch s), whether they can be kept or not."""
        self._active(at).seen += rows

    def keep(self, key: int, second: int, at: float, rows: int, values: list[list[object] | None]) -> bool:
        """Keep the predictions of an exchange `at` (epoch s) under one or two keys (0: none).

        False, and nothing kept, where one of the latest exchanges has the key. More rows than the store may hold are
        not kept either.
        """
        frame = frames.encode_exchange(key, second, at, rows, values) if rows <= self._max_rows else b""
        if not 0 < len(frame) <= self._max_bytes:
            return True
        if self._rows + rows > self._max_rows or self._bytes + len(frame) > self._max_bytes:
            self._make_room(rows, len(frame))
        segment = self._active(at)
        if not segment.keep(frame, key, second, at, rows):
            return False
        self._write(segment, frame)
        self._rows += rows
        self._bytes += len(frame)
        self._seal_full(segment)
        return True

    def count(self, taken: LabelEvent) -> None:
        """Mark the labelled rows of `taken`, and have it written."""
        if not taken.marks and not any(taken.outcomes.values()):
            return
        segment = self._active(taken.at)
        self._write(segment, frames.encode_labels(taken))
        self._mark(segment, taken)
        self._seal_full(segment)

    def expire(self, now: float) -> None:
        """Retire what is too old at `now`, forget what was retired long ago."""
        for segment in self._live():
            if segment.newest + self._keep_seconds < now:
                self._retire(segment)
        self._forget()

    # --- what asks it

    def find(self, keys: list[int], now: float) -> list[Lookup | None]:
        """Return the exchange of each key; the first of those that share one, if it is not too old at `now`."""
        found: list[Lookup | None] = [None] * len(keys)
        array = np.array(keys, np.uint64)
        for segment in self._segments:
            offsets = segment.find(array, keys)
            for index in np.flatnonzero(offsets >= 0).tolist():
                if (before := found[index]) is None or before.late:
                    found[index] = self._found(segment, int(offsets[index]), now)
        return found

    def marked(self, marks: list[int]) -> list[bool]:
        """Tell of each mark whether its row has its label."""
        array, known = np.array(marks, np.uint64), np.zeros(len(marks), np.bool_)
        for segment in self._live():
            known |= segment.marked(array, marks)
        return known.tolist()

    # --- what outlives the process

    def drain(self) -> list[tuple[int, bytes]]:
        """Return what must be written since the last time: bytes to append, by the number of their segment."""
        found = [(number, bytes(raw)) for number, raw in self._unwritten.items()]
        self._unwritten = {}
        return found

    def state(self) -> list[tuple[int, int, float]]:
        """Return what stands in no frame: number of each segment, the rows that it has seen, since when (epoch s)."""
        return [(segment.number, segment.seen, segment.started_at) for segment in self._live()]

    def restore(self, state: Iterable[tuple[int, int, float]], first: int = 1) -> None:
        """Take over what `state` returned, before any `replay`; new segments are numbered from `first` on."""
        self._next = max(self._next, first)
        for number, seen, started_at in state:
            self._open(number, self._tag, started_at).seen = seen

    def replay(self, number: int, chunks: Sequence[bytes]) -> Iterator[list[LabelEvent]]:
        """Take up what was written of the segment `number`; yield, for each chunk, the labels in it."""
        segment: Segment | None = None
        for chunk in chunks:
            labels = []
            for frame, raw in frames.read(chunk):
                match frame:
                    case SegmentHeader():
                        segment = self._reopened(number, frame)
                    case _ if segment is None:
                        return
                    case StoredExchange(key, second, at, rows):
                        segment.started_at = segment.started_at or at
                        if segment.keep(raw, key, second, at, rows):
                            self._rows, self._bytes = self._rows + rows, self._bytes + len(raw)
                    case LabelEvent():
                        segment.newest = max(segment.newest, frame.at)
                        self._mark(segment, frame)
                        labels.append(frame)
            yield labels
        if segment is not None:
            if segment is not self._segments[-1] or segment.tag != self._tag:
                segment.seal()
            self._seal_full(segment)
            self._make_room()

    # --- inside

    def _live(self) -> list[Segment]:
        return [segment for segment in self._segments if not segment.retired]

    def _active(self, at: float) -> Segment:
        """Return the segment that is filled; a new one where the last is sealed, or spans too much time."""
        last = self._segments[-1] if self._segments else None
        if last is not None and last.is_open and at - last.started_at <= self._keep_seconds / SEGMENTS_PER_STORE:
            return last
        segment = self._open(self._next, self._tag, at)
        self.expire(at)
        return segment

    def _write(self, segment: Segment, frame: bytes) -> None:
        if not segment.written:
            segment.written = True
            self._unwritten[segment.number] = bytearray(frames.encode_header(segment.tag))
        self._unwritten.setdefault(segment.number, bytearray()).extend(frame)

    def _open(self, number: int, tag: SegmentHeader, started_at: float) -> Segment:
        if self._segments:
            self._segments[-1].seal()
        segment = Segment(number, tag, started_at)
        self._segments.append(segment)
        self._next = max(self._next, number + 1)
        return segment

    def _reopened(self, number: int, tag: SegmentHeader) -> Segment:
        """Return the segment `number`, to be filled from its frames; in the place of what is known of it."""
        known = next((segment for segment in self._segments if segment.number == number), None)
        fresh = self._open(number, tag, known.started_at if known else 0.0)
        fresh.seen, fresh.written = known.seen if known else 0, True
        self._segments = sorted(
            (segment for segment in self._segments if segment is not known), key=lambda segment: segment.number
        )
        return fresh

    def _found(self, segment: Segment, offset: int, now: float) -> Lookup:
        kept = None if segment.retired else segment.kept(offset)
        late = kept is None or kept.at + self._keep_seconds < now
        return Lookup(segment, None if late else kept, late)

    def _mark(self, segment: Segment, taken: LabelEvent) -> None:
        homes = {other.number: other for other in self._segments}
        for mark, home in zip(taken.marks, taken.homes, strict=True):
            segment.mark(mark)
            if home < 0:
                segment.alone += 1
            elif home in homes:
                homes[home].labelled += 1

    def _seal_full(self, segment: Segment) -> None:
        fill = (segment.rows, segment.size, segment.alone)
        if any(
            amount > 0 and amount >= bound // SEGMENTS_PER_STORE
            for amount, bound in zip(fill, self._bounds, strict=True)
        ):
            segment.seal()
            self._make_room()

    def _make_room(self, rows: int = 0, size: int = 0) -> None:
        """Retire the oldest segments until `rows` more, of `size` bytes, and the marks are within their bounds."""
        live = self._live()
        alone = sum(segment.alone for segment in live)
        for segment in live:
            held = (self._rows + rows, self._bytes + size, alone)
            if all(amount <= bound for amount, bound in zip(held, self._bounds, strict=True)):
                break
            self._retire(segment)
            alone -= segment.alone
        self._forget()

    def _retire(self, segment: Segment) -> None:
        self._rows -= segment.rows
        self._bytes -= segment.size
        segment.retire()

    def _forget(self) -> None:
        """Forget the oldest retired segments; keys of as many exchanges as are kept stay."""
        retired = [segment for segment in self._segments if segment.retired]
        keys = sum(segment.keys for segment in retired)
        for count, segment in enumerate(retired):
            if keys <= self._max_rows and len(retired) - count <= MAX_RETIRED:
                break
            keys -= segment.keys
            self._segments.remove(segment)
            self._unwritten.pop(segment.number, None)
