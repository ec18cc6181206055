"""Store predictions that wait for labels, and the dedup keys of labelled rows. Both are bounded and expire.

The store behaves like a dict of exchanges by key and a set of dedup keys. When there are too many rows, or rows are too
old, the oldest are removed, a segment (a sixteenth of the store) at a time. Every change must also be a frame for the
journal, so that `replay` restores the same store.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from . import frames
from .frames import LabelEvent, SegmentHeader, StoredExchange
from .segment import Segment

SEGMENTS_PER_STORE = 16
MIN_DEDUP_KEYS = 10_000  # lower bound for the number of dedup keys without a stored row
MAX_RETIRED = 2 * SEGMENTS_PER_STORE
BYTES_PER_ROW = 128  # mean size of a row in the byte limit; longer texts leave space for fewer rows


@dataclass(frozen=True, slots=True)
class Lookup:
    """The result for one key.

    Attributes:
        segment: the segment with the key.
        exchange: the stored exchange; None if it is too old.
        late: whether the exchange is too old for a label.
    """

    segment: Segment
    exchange: StoredExchange | None
    late: bool = False


class PredictionStore:
    """Stores exchanges for `keep_seconds`, with at most `max_rows` rows in total.

    `header` is the header of new segments, and `first` is the number of the first segment.
    """

    def __init__(self, keep_seconds: float, max_rows: int, header: SegmentHeader, first: int = 1) -> None:
        self._keep_seconds = keep_seconds
        self._max_rows = max_rows
        self._segments: list[Segment] = []  # oldest first: retired, sealed, open
        self._unwritten: dict[int, bytearray] = {}
        self._header = header
        self._max_bytes = max_rows * BYTES_PER_ROW
        self._bounds = (max_rows, self._max_bytes, max(max_rows, MIN_DEDUP_KEYS))
        self._rows = self._bytes = 0
        self._next = first

    # --- statistics

    @property
    def rows(self) -> int:
        """Stored rows."""
        return self._rows

    @property
    def segments(self) -> tuple[Segment, ...]:
        """The segments, oldest first: retired, sealed, open."""
        return tuple(self._segments)

    @property
    def pending(self) -> int:
        """Stored rows without a label."""
        return sum(segment.rows - segment.labelled for segment in self._live())

    @property
    def coverage(self) -> float | None:
        """Labelled share of the predicted rows in the period that is kept; None without predictions."""
        live = self._live()
        seen = sum(segment.seen for segment in live)
        return min(1.0, sum(segment.labelled + segment.unmatched for segment in live) / seen) if seen else None

    @property
    def oldest(self) -> int:
        """Number of the oldest segment, retired ones included."""
        return self._segments[0].number if self._segments else self._next

    # --- changes

    def use_header(self, header: SegmentHeader) -> None:
        """Use `header` for the segments from now on."""
        if header != self._header:
            self._header = header
            for last in self._segments[-1:]:
                last.use_header(header)

    def count_predicted(self, rows: int, at: float) -> None:
        """Count rows predicted `at` (epoch s), whether or not they can be stored."""
        self._active(at).count_predicted(rows)

    def keep(self, key: int, second_key: int, at: float, rows: int, values: list[list[object] | None]) -> bool:
        """Store the predictions of an exchange under one or two keys.

        An exchange with more rows than the store may hold is not stored.

        Args:
            key: key of the first id.
            second_key: key of the second id; 0 without one.
            at: epoch seconds of the exchange.
            rows: number of predictions.
            values: `[column][row]`; None for an absent column.

        Returns:
            False, with nothing stored, if an exchange in the open segment has the key.
        """
        frame = frames.encode_exchange(key, second_key, at, rows, values) if rows <= self._max_rows else b""
        if not 0 < len(frame) <= self._max_bytes:
            return True
        if self._rows + rows > self._max_rows or self._bytes + len(frame) > self._max_bytes:
            self._make_room(rows, len(frame))
        segment = self._active(at)
        if not segment.keep(frame, key, second_key, at, rows):
            return False
        self._write(segment, frame)
        self._rows += rows
        self._bytes += len(frame)
        self._seal_full(segment)
        return True

    def count(self, event: LabelEvent) -> None:
        """Add the dedup keys of a label event, and queue its frame for the journal."""
        if not event.dedup_keys and not any(event.outcomes.values()):
            return
        segment = self._active(event.at)
        self._write(segment, frames.encode_labels(event))
        self._add_dedup_keys(segment, event)
        self._seal_full(segment)

    def expire(self, now: float) -> None:
        """Retire segments that are too old `now` (epoch s), and remove the oldest retired ones."""
        for segment in self._live():
            if segment.newest + self._keep_seconds < now:
                self._retire(segment)
        self._remove_retired()

    # --- queries

    def find(self, keys: list[int], now: float) -> list[Lookup | None]:
        """Return the exchange of each key, or None for unknown keys.

        If exchanges share a key, the result is the first one that is not too old `now` (epoch s).
        """
        found: list[Lookup | None] = [None] * len(keys)
        array = np.array(keys, np.uint64)
        for segment in self._segments:
            offsets = segment.find(array, keys)
            for index in np.flatnonzero(offsets >= 0).tolist():
                if (before := found[index]) is None or before.late:
                    found[index] = self._lookup(segment, int(offsets[index]), now)
        return found

    def contains_dedup_keys(self, dedup_keys: list[int]) -> list[bool]:
        """Return for each dedup key whether its row has a label."""
        array, known = np.array(dedup_keys, np.uint64), np.zeros(len(dedup_keys), np.bool_)
        for segment in self._live():
            known |= segment.contains_dedup_keys(array, dedup_keys)
        return known.tolist()

    # --- journal and checkpoint

    def drain(self) -> list[tuple[int, bytes]]:
        """Return the bytes to append to the journal since the last call, with the numbers of their segments."""
        found = [(number, bytes(raw)) for number, raw in self._unwritten.items()]
        self._unwritten = {}
        return found

    def state(self) -> list[tuple[int, int, float]]:
        """Return what no frame contains: number, predicted rows and start (epoch s) of each segment."""
        return [(segment.number, segment.seen, segment.started_at) for segment in self._live()]

    def restore(self, state: Iterable[tuple[int, int, float]], first: int = 1) -> None:
        """Restore the result of `state`, before any `replay`. New segments get numbers from `first` on."""
        self._next = max(self._next, first)
        for number, seen, started_at in state:
            self._open(number, self._header, started_at).count_predicted(seen)

    def replay(self, number: int, chunks: Sequence[bytes]) -> Iterator[list[LabelEvent]]:
        """Restore the segment `number` from the chunks of its file. Yield the label events of each chunk.

        Without the header, which may be damaged, the columns of the predictions are unknown, so only labels are kept.
        """
        segment: Segment | None = None
        has_header = False
        for chunk in chunks:
            labels = []
            for frame, raw in frames.read(chunk):
                if segment is None:
                    has_header = isinstance(frame, SegmentHeader)
                    segment = self._reopen(number, frame if isinstance(frame, SegmentHeader) else SegmentHeader())
                match frame:
                    case StoredExchange(key, second_key, at, rows) if has_header:
                        segment.start(at)
                        if segment.keep(raw, key, second_key, at, rows):
                            self._rows, self._bytes = self._rows + rows, self._bytes + len(raw)
                    case LabelEvent():
                        segment.extend(frame.at)
                        self._add_dedup_keys(segment, frame)
                        labels.append(frame)
            yield labels
        if segment is not None:
            if segment is not self._segments[-1] or segment.header != self._header:
                segment.seal()
            self._seal_full(segment)
            self._make_room()

    # --- internals

    def _live(self) -> list[Segment]:
        return [segment for segment in self._segments if not segment.retired]

    def _active(self, at: float) -> Segment:
        """Return the open segment; a new one if the last is sealed or covers its share of time."""
        last = self._segments[-1] if self._segments else None
        if last is not None and last.is_open and at - last.started_at <= self._keep_seconds / SEGMENTS_PER_STORE:
            return last
        segment = self._open(self._next, self._header, at)
        self.expire(at)
        return segment

    def _write(self, segment: Segment, frame: bytes) -> None:
        if not segment.written:
            segment.mark_written()
            self._unwritten[segment.number] = bytearray(frames.encode_header(segment.header))
        self._unwritten.setdefault(segment.number, bytearray()).extend(frame)

    def _open(self, number: int, header: SegmentHeader, started_at: float) -> Segment:
        if self._segments:
            self._segments[-1].seal()
        segment = Segment(number, header, started_at)
        self._segments.append(segment)
        self._next = max(self._next, number + 1)
        return segment

    def _reopen(self, number: int, header: SegmentHeader) -> Segment:
        """Return a new segment `number` to restore from frames. It replaces the one from `restore`."""
        known = next((segment for segment in self._segments if segment.number == number), None)
        fresh = self._open(number, header, known.started_at if known else 0.0)
        fresh.count_predicted(known.seen if known else 0)
        fresh.mark_written()
        self._segments = sorted(
            (segment for segment in self._segments if segment is not known), key=lambda segment: segment.number
        )
        return fresh

    def _lookup(self, segment: Segment, offset: int, now: float) -> Lookup:
        exchange = None if segment.retired else segment.exchange_at(offset)
        late = exchange is None or exchange.at + self._keep_seconds < now
        return Lookup(segment, None if late else exchange, late)

    def _add_dedup_keys(self, segment: Segment, event: LabelEvent) -> None:
        segments = {other.number: other for other in self._segments}
        for dedup_key, number in zip(event.dedup_keys, event.segments, strict=True):
            segment.add_dedup_key(dedup_key)
            if number < 0:
                segment.count_unmatched()
            elif number in segments:
                segments[number].count_labelled()

    def _seal_full(self, segment: Segment) -> None:
        fill = (segment.rows, segment.size, segment.unmatched)
        if any(
            amount > 0 and amount >= bound // SEGMENTS_PER_STORE
            for amount, bound in zip(fill, self._bounds, strict=True)
        ):
            segment.seal()
            self._make_room()

    def _make_room(self, rows: int = 0, size: int = 0) -> None:
        """Retire the oldest segments until `rows` more rows of `size` bytes fit, and dedup keys are within bounds."""
        live = self._live()
        unmatched = sum(segment.unmatched for segment in live)
        for segment in live:
            total = (self._rows + rows, self._bytes + size, unmatched)
            if all(amount <= bound for amount, bound in zip(total, self._bounds, strict=True)):
                break
            self._retire(segment)
            unmatched -= segment.unmatched
        self._remove_retired()

    def _retire(self, segment: Segment) -> None:
        self._rows -= segment.rows
        self._bytes -= segment.size
        segment.retire()

    def _remove_retired(self) -> None:
        """Remove the oldest retired segments. At most `max_rows` keys and `MAX_RETIRED` segments stay."""
        retired = [segment for segment in self._segments if segment.retired]
        keys = sum(segment.keys for segment in retired)
        for count, segment in enumerate(retired):
            if keys <= self._max_rows and len(retired) - count <= MAX_RETIRED:
                break
            keys -= segment.keys
            self._segments.remove(segment)
            self._unwritten.pop(segment.number, None)
