"""One segment of the prediction store: stored exchanges in one block of bytes, and the dedup keys of labelled rows.

The newest segment is open: it accepts exchanges, and a dict and a set find them. A sealed segment consists of sorted
arrays. It takes about 70 bytes per row for exchanges with one row, a class and a score, and 8 more per labelled row.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from . import frames
from .frames import SegmentHeader, StoredExchange

Keys: TypeAlias = NDArray[np.uint64]
_ODD, _MASK = 0x9E3779B97F4A7C15, 2**64 - 1


def dedup_key(key: int, row: int) -> int:
    """Return the dedup key of a row: a 64-bit hash of key and row. It is in the journal, so do not change it."""
    return (key ^ ((row + 1) * _ODD)) & _MASK


class Segment:
    """A period of stored exchanges and dedup keys.

    Attributes:
        number: number of the segment and of its journal file.
        header: the profile and the columns of its exchanges.
        started_at: start of the period, epoch seconds.
        newest: time of the newest exchange or label, epoch seconds.
        rows: stored rows.
        labelled: stored rows that have a label.
        unmatched: dedup keys of labels without a stored row.
        seen: all predicted rows of the period, stored or not.
        retired: whether only the keys are left.
        written: whether the first frame is written or waits to be written.
    """

    def __init__(self, number: int, header: SegmentHeader, started_at: float) -> None:
        self.number = number
        self.header = header
        self.started_at = self.newest = started_at
        self.rows = self.labelled = self.unmatched = self.seen = 0
        self.retired = self.written = False
        self._log: bytes | bytearray = bytearray()
        self._open_offsets: dict[int, int] | None = {}
        self._dedup_keys: set[int] | None = set()
        self._sorted: Keys = np.zeros(0, np.uint64)
        self._offsets: NDArray[np.uint32] = np.zeros(0, np.uint32)
        self._sorted_dedup_keys: Keys = np.zeros(0, np.uint64)

    @property
    def is_open(self) -> bool:
        """Whether the segment accepts exchanges and dedup keys."""
        return self._open_offsets is not None

    @property
    def size(self) -> int:
        """Bytes of the stored exchanges."""
        return len(self._log)

    @property
    def memory_bytes(self) -> int:
        """Bytes of the stored exchanges and of the sorted keys; the dicts of an open segment are not counted."""
        return self.size + self._sorted.nbytes + self._offsets.nbytes + self._sorted_dedup_keys.nbytes

    @property
    def keys(self) -> int:
        """Number of keys."""
        return len(self._sorted) if self._open_offsets is None else len(self._open_offsets)

    def keep(self, frame: bytes, key: int, second_key: int, at: float, rows: int) -> bool:
        """Store the frame of an exchange. Return False, and store nothing, if the key exists."""
        offsets = self._open_offsets
        assert offsets is not None
        if key in offsets:
            return False
        offsets[key] = len(self._log)
        if second_key:
            offsets.setdefault(second_key, len(self._log))
        self._log += frame
        self.rows += rows
        self.extend(at)
        return True

    def add_dedup_key(self, dedup_key: int) -> None:
        """Record that the row with this dedup key has a label."""
        assert self._dedup_keys is not None
        self._dedup_keys.add(dedup_key)

    def use_header(self, header: SegmentHeader) -> None:
        """Use `header`; a segment whose header is written keeps it and accepts nothing more."""
        if self.written:
            self.seal()
        else:
            self.header = header

    def mark_written(self) -> None:
        """Record that the first frame is written or waits to be written, so that the header is final."""
        self.written = True

    def start(self, at: float) -> None:
        """Start the period `at` (epoch s), if its start is unknown."""
        self.started_at = self.started_at or at

    def extend(self, at: float) -> None:
        """Extend the period to an exchange or label `at` (epoch s)."""
        self.newest = max(self.newest, at)

    def count_predicted(self, rows: int) -> None:
        """Count predicted rows, whether or not they are stored."""
        self.seen += rows

    def count_labelled(self) -> None:
        """Count a stored row that now has a label."""
        self.labelled += 1

    def count_unmatched(self) -> None:
        """Count the dedup key of a label without a stored row."""
        self.unmatched += 1

    def seal(self) -> None:
        """Accept nothing more, and convert dict and set to sorted arrays."""
        if self._open_offsets is None or self._dedup_keys is None:
            return
        keys = np.fromiter(self._open_offsets.keys(), np.uint64, len(self._open_offsets))
        order = np.argsort(keys)
        self._sorted = keys[order]
        self._offsets = np.fromiter(self._open_offsets.values(), np.uint32, len(self._open_offsets))[order]
        self._sorted_dedup_keys = np.sort(np.fromiter(self._dedup_keys, np.uint64, len(self._dedup_keys)))
        self._open_offsets, self._dedup_keys, self._log = (
            None,
            None,
            bytes(self._log),
        )  # bytes() drops the spare capacity of the bytearray

    def retire(self) -> None:
        """Drop everything but the keys, which distinguish a late label from an unknown one."""
        self.seal()
        self.retired = True
        self._log = b""
        self._offsets, self._sorted_dedup_keys = np.zeros(0, np.uint32), np.zeros(0, np.uint64)

    def find(self, keys: Keys, listed: list[int]) -> NDArray[np.int64]:
        """Return the offset of the exchange of each key, -1 for unknown keys.

        `listed` has the same keys as a list, which is faster while the segment is open.
        """
        if self._open_offsets is not None:
            get = self._open_offsets.get
            return np.fromiter((get(key, -1) for key in listed), np.int64, len(listed))
        hits = positions(self._sorted, keys)
        known = hits >= 0
        found = np.full(len(keys), -1, np.int64)
        found[known] = 0 if self.retired else self._offsets[hits[known]]
        return found

    def contains_dedup_keys(self, dedup_keys: Keys, listed: list[int]) -> NDArray[np.bool_]:
        """Return for each dedup key whether the segment has it. `listed` has the same keys as a list."""
        if self._dedup_keys is not None:
            known = self._dedup_keys
            return np.fromiter((key in known for key in listed), np.bool_, len(listed))
        return positions(self._sorted_dedup_keys, dedup_keys) >= 0

    def exchange_at(self, offset: int) -> StoredExchange:
        """Return the exchange at an offset that `find` returned."""
        return frames.decode_exchange_at(self._log, offset)


def positions(known: Keys, wanted: Keys) -> NDArray[np.int64]:
    """Return the position of each wanted key in the sorted array `known`, -1 for absent keys."""
    if not len(known):
        return np.full(len(wanted), -1, np.int64)
    at: NDArray[Any] = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
    return np.where(known[at] == wanted, at, -1)
