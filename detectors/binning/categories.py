"""Bins of a categorical or boolean feature: frequent values by name, the others by a stable hash.

`reference.candidates` builds the bins from the reference; `digitize` maps live values to them. The spelling rules of
`category_text` are part of the profile format: changing them makes known values unseen.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from itertools import repeat
from typing import Any
from zlib import crc32

import numpy as np

from .. import schema
from ..batch import Column, Ints, is_missing
from ..cells import TRUTHS, truth_of

MAX_NAMED = 63  # categories with a bin of their own
BUCKETS = 16  # hash buckets for the other categories
MAX_KNOWN_TAIL = 1024  # other categories that are stored; with more of them the vocabulary counts as open
CACHE_SIZE = 4096  # spellings whose bin is cached
LABEL_CHARACTERS = 200  # a longer category is identified by its beginning and its hash


@dataclass(frozen=True)
class CategoryBins:
    """Bins by name: one for each named category, then hash buckets if there is a tail, then unseen and missing.

    Attributes:
        names: the most frequent categories, most frequent first.
        tail: ascending CRC-32 values of the other reference categories; empty if `names` holds all of them.
        open_vocabulary: true if the reference has too many categories to store; then no value counts as unseen.

    Example:
        >>> from collections import Counter
        >>> import numpy as np
        >>> from pilotfish.detectors.batch import Column
        >>> from pilotfish.detectors.binning.categories import CategoryBins
        >>> bins = CategoryBins.from_values(Counter({"Rome": 30, "Bern": 12}))
        >>> bin_ids, mismatches = bins.digitize(Column(np.array(["Bern", "Oslo", None], dtype=object)))
        >>> [bins.labels[i] for i in bin_ids], mismatches
        (['Bern', 'unseen', 'missing'], 0)
    """

    names: tuple[str, ...]
    tail: Ints
    open_vocabulary: bool

    @classmethod
    def from_values(cls, counts: Counter[str]) -> CategoryBins:
        """Build bins from the reference counts of each category, spelled as by `category_text`."""
        ordered = sorted(counts, key=lambda name: (-counts[name], name))
        rest = ordered[MAX_NAMED:]
        is_open = len(rest) > MAX_KNOWN_TAIL
        tail = np.array([] if is_open else sorted({hashed(name) for name in rest}), dtype=np.int64)
        return cls(tuple(ordered[:MAX_NAMED]), tail, is_open)

    @property
    def buckets(self) -> int:
        return BUCKETS if self.open_vocabulary or len(self.tail) else 0

    @property
    def size(self) -> int:
        return len(self.names) + self.buckets + 2

    @cached_property
    def roles(self) -> tuple[str, ...]:
        return (*["value"] * len(self.names), *["tail"] * self.buckets, "unseen", "missing")

    @cached_property
    def labels(self) -> tuple[str, ...]:
        tail = [f"others {bucket + 1}/{BUCKETS}" for bucket in range(self.buckets)]
        return (*self.names, *tail, "unseen", "missing")

    @cached_property
    def _look_up(self) -> dict[object, int]:
        """Bin numbers by value, for each spelling that stands for a named category."""
        look_up: dict[object, int] = {None: self.size - 1}
        for bin_id, name in enumerate(self.names):
            look_up.setdefault(name, bin_id)
            for value in _also_written(name):
                look_up.setdefault(value, bin_id)
        return look_up

    @cached_property
    def boolean(self) -> bool:
        """Whether true or false is a category, which 1 and 0 then also stand for."""
        return not TRUTHS.keys().isdisjoint(self.names)

    @cached_property
    def _tail(self) -> frozenset[int]:
        return frozenset(self.tail.tolist())

    def digitize(self, column: Column) -> tuple[Ints, int]:
        """Return bin numbers [rows], and how many values were not scalars; those count as unseen."""
        values = column.values.tolist()
        look_up = self._look_up
        try:
            bin_ids = np.fromiter(map(look_up.get, values, repeat(-1)), dtype=np.int64, count=len(values))
        except TypeError:  # an unhashable value: a list, a dictionary
            bin_ids = np.full(len(values), -1, dtype=np.int64)
        mismatches = 0
        for row in np.flatnonzero(bin_ids < 0).tolist():
            bin_ids[row], wrong = self._other(values[row])
            mismatches += wrong
            if type(values[row]) is str and len(values[row]) <= LABEL_CHARACTERS and len(look_up) < CACHE_SIZE:
                look_up[values[row]] = int(bin_ids[row])
        if column.missing is not None:
            bin_ids[column.missing] = self.size - 1
        return bin_ids, mismatches

    def _other(self, value: object) -> tuple[int, bool]:
        """Return the bin of a value that `_look_up` does not hold, and whether the value has the wrong type."""
        if is_missing(value):
            return self.size - 1, False
        text = category_text(value)
        if text is None:
            return self.size - 2, True
        if self.boolean and (truth := truth_of(value)) is not None:
            text = category_text(truth) or text
        bin_id = self._look_up.get(text)
        if bin_id is not None:
            return bin_id, False
        key = hashed(text)
        if self.open_vocabulary or key in self._tail:
            return len(self.names) + key % BUCKETS, False
        return self.size - 2, False

    def document(self) -> dict[str, Any]:
        return {"names": list(self.names), "open": self.open_vocabulary, "tail": self.tail.tolist()}

    @classmethod
    def from_document(cls, document: dict[str, Any], where: str) -> CategoryBins:
        known = _DOCUMENT(document, where)
        tail = np.array(known["tail"], dtype=np.int64)
        schema.ascending(tail, f"{where}.tail")
        return cls(known["names"], tail, known["open"])


_DOCUMENT = schema.fields(
    names=schema.names(0, MAX_NAMED),
    open=schema.flag,
    tail=schema.listed(schema.whole(0, 2**32 - 1), 0, MAX_KNOWN_TAIL),
)


def category_text(value: object) -> str | None:
    """Return the canonical spelling of a category: true (also for True), 3 (also for 3.0), text.

    None if the value is not a scalar.
    """
    if isinstance(value, str):
        lowered = value.lower() if len(value) <= len("false") else value
        return lowered if lowered in TRUTHS else _shortened(value)
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return _shortened(value.decode("utf-8", "replace"))
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    if isinstance(value, float):
        return repr(float(value))
    if isinstance(value, int):  # converting a huge integer to text takes quadratic time
        return str(int(value)) if value.bit_length() <= 512 else "huge integer"
    return None


def hashed(text: str) -> int:
    """Return a hash that is the same in every process and version."""
    return crc32(text.encode("utf-8", "surrogatepass"))


def _shortened(text: str) -> str:
    if len(text) <= LABEL_CHARACTERS:
        return text
    return f"{text[:LABEL_CHARACTERS]}#{hashed(text):08x}"


def _also_written(name: str) -> list[object]:
    """Return the values that `category_text` spells as the name, except the name itself."""
    if name in {"true", "false"}:
        return [name == "true", name.title(), name.upper()]
    try:
        number = int(name)
    except ValueError:
        return []
    return [number] if str(number) == name else []
