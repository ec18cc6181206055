"""One segment of the store: kept exchanges in one block of bytes, found by key; marks of labelled rows.

While it is the newest one it is filled, and looked up in a dict and a set. Sealed, it is two sorted arrays: about 70
bytes a row of one-row exchanges with a class and a score, and 8 more once it is labelled.
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
    """Return the mark of a row: 64 bits of key and row."""
    return (key ^ ((row + 1) * _ODD)) & _MASK


class Segment:
    """A stretch of the store. `rows` are kept, `labelled` of them have their label; `alone` marks have no kept row.

    `seen` counts all predicted rows of the time that the segment covers, from `started_at` to `newest` (epoch s).
    `written` is true once any of it is due to be written.
    """

    def __init__(self, number: int, tag: SegmentHeader, started_at: float) -> None:
        self.number = number
        self.tag = tag
        self.started_at = self.newest = started_at
        self.rows = self.labelled = self.alone = self.seen = 0
        self.retired = self.written = False
        self._log: bytes | bytearray = bytearray()
        self._places: dict[int, int] | None = {}
        self._marks: set[int] | None = set()
        self._sorted: Keys = np.zeros(0, np.uint64)
        self._offsets: NDArray[np.uint32] = np.zeros(0, np.uint32)
        self._sorted_marks: Keys = np.zeros(0, np.uint64)

    @property
    def is_open(self) -> bool:
        """Tell whether it still takes exchanges and marks."""
        return self._places is not None

    @property
    def size(self) -> int:
        """Bytes of the kept exchanges."""
        return len(self._log)

    @property
    def keys(self) -> int:
        """How many keys it knows."""
        return len(self._sorted) if self._places is None else len(self._places)

    def keep(self, frame: bytes, key: int, second: int, at: float, rows: int) -> bool:
        """Take the frame of an exchange; False, and nothing taken, when one of this key is kept already."""
        places = self._places
        assert places is not None
        if key in places:
            return False
        places[key] = len(self._log)
        if second:
            places.setdefault(second, len(self._log))
        self._log += frame
        self.rows += rows
        self.newest = max(self.newest, at)
        return True

    def mark(self, mark: int) -> None:
        """Remember that the row of this mark has its label."""
        assert self._marks is not None
        self._marks.add(mark)

    def seal(self) -> None:
        """Take no more: from now on it is looked up in sorted arrays."""
        if self._places is None or self._marks is None:
            return
        keys = np.fromiter(self._places.keys(), np.uint64, len(self._places))
        order = np.argsort(keys)
        self._sorted = keys[order]
        self._offsets = np.fromiter(self._places.values(), np.uint32, len(self._places))[order]
        self._sorted_marks = np.sort(np.fromiter(self._marks, np.uint64, len(self._marks)))
        self._places, self._marks, self._log = None, None, bytes(self._log)  # without the room to grow

    def retire(self) -> None:
        """Forget all but the keys: they tell a late label from an unknown one."""
        self.seal()
        self.retired = True
        self._log = b""
        self._offsets, self._sorted_marks = np.zeros(0, np.uint32), np.zeros(0, np.uint64)

    def find(self, keys: Keys, listed: list[int]) -> NDArray[np.int64]:
        """Return where the exchange of each key begins, -1 where none is known; `listed` are the same keys."""
        if self._places is not None:
            get = self._places.get
            return np.fromiter((get(key, -1) for key in listed), np.int64, len(listed))
        hits = positions(self._sorted, keys)
        known = hits >= 0
        found = np.full(len(keys), -1, np.int64)
        found[known] = 0 if self.retired else self._offsets[hits[known]]
        return found

    def marked(self, marks: Keys, listed: list[int]) -> NDArray[np.bool_]:
        """Tell of each mark whether it is here."""
        if self._marks is not None:
            mine = self._marks
            return np.fromiter((mark in mine for mark in listed), np.bool_, len(listed))
        return positions(self._sorted_marks, marks) >= 0

    def kept(self, offset: int) -> StoredExchange:
        """Return the exchange that `find` found."""
        return frames.decode_exchange_at(self._log, offset)


def positions(known: Keys, asked: Keys) -> NDArray[np.int64]:
    """Return the position of each asked key in the sorted `known` ones, -1 where it is not among them."""
    if not len(known):
        return np.full(len(asked), -1, np.int64)
    at: NDArray[Any] = np.minimum(np.searchsorted(known, asked), len(known) - 1)
    return np.where(known[at] == asked, at, -1)
