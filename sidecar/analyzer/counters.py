"""Counters that never decrease, with typed keys, and the one codec between keys and stored names.

`KINDS` is the table of all counters. The checkpoint stores a counter under its full name. The totals file has room for
56 bytes per name, so it stores a longer name as a prefix and a digest. Stored names must not change: they outlive the
version that wrote them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

FILE_NAME_BYTES = 56  # room for a name in a slot of the totals file
_DIGEST_CHARS = 16


class CounterKey(NamedTuple):
    """The identity of one counter: its kind and the values of the kind's labels."""

    kind: str
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CounterKind:
    """One kind of counter with the names of its labels. Only the value of the last label may contain a colon."""

    name: str
    labels: tuple[str, ...] = ()

    def key(self, *values: str) -> CounterKey:
        """Return the key of the counter with these label values; raise ValueError when their number is wrong."""
        if len(values) != len(self.labels):
            raise ValueError(f"the counter {self.name} has the labels {self.labels}; got {len(values)} values")
        return CounterKey(self.name, values)


ALARMS = CounterKind("alarms", ("family",))
DROPPED = CounterKind("dropped", ("reason",))
FINDINGS = CounterKind("finding", ("kind",))
IDENTIFIED = CounterKind("identified")  # measured exchanges with a request id
LABEL_LAG = CounterKind("lag", ("bucket",))
LABEL_LAG_MS = CounterKind("lag_ms")
LABELS = CounterKind("feedback", ("outcome",))
LABELS_UNUSED = CounterKind("labels_unused", ("reason",))  # accepted labels without a loss
LATE_ROWS = CounterKind("late_rows")
MEASURED = CounterKind("measured")
NOT_KEPT = CounterKind("not_kept", ("store",))
PREDICTIONS_UNREAD = CounterKind("predictions_unread", ("reason",))  # measured exchanges without predictions
REUSED_IDS = CounterKind("reused_ids")  # measured exchanges with the request id of an earlier one
ROWS = CounterKind("rows", ("side", "model"))
STREAM_CHANGES = CounterKind("stream_changes", ("detector",))
TICKS = CounterKind("ticks")
UNDECODABLE = CounterKind("undecodable", ("reason",))

_ALL = (
    ALARMS, DROPPED, FINDINGS, IDENTIFIED, LABEL_LAG, LABEL_LAG_MS, LABELS, LABELS_UNUSED, LATE_ROWS,
    MEASURED, NOT_KEPT, PREDICTIONS_UNREAD, REUSED_IDS, ROWS, STREAM_CHANGES, TICKS, UNDECODABLE,
)  # fmt: skip
KINDS = {kind.name: kind for kind in _ALL}


def encode(key: CounterKey) -> str:
    """Return the full name of a counter, for example `rows:input:m`."""
    return ":".join((key.kind, *key.labels))


def decode(name: str) -> CounterKey:
    """Return the key of a stored name; a name of an unknown kind becomes the kind as a whole.

    Such a name is of another version, or damaged.
    """
    kind = KINDS.get(name.partition(":")[0])
    head, *labels = name.split(":", len(kind.labels) if kind else 0)
    return CounterKey(head, tuple(labels)) if kind and len(labels) == len(kind.labels) else CounterKey(name, ())


def file_name(name: str) -> str:
    """Return the name of a counter in the totals file: `name`, or a prefix and a digest when it is too long."""
    raw = name.encode()
    if len(raw) <= FILE_NAME_BYTES:
        return name
    digest = hashlib.sha256(raw).hexdigest()[:_DIGEST_CHARS]
    return f"{raw[: FILE_NAME_BYTES - _DIGEST_CHARS - 1].decode(errors='ignore')}~{digest}"


class Counters:
    """The totals by key. Not thread-safe."""

    def __init__(self, names: Mapping[str, int] | None = None) -> None:
        """Start with the totals in `names`, by stored name."""
        self._totals = {decode(name): amount for name, amount in (names or {}).items()}

    def add(self, key: CounterKey, amount: int = 1) -> None:
        """Add to one counter."""
        try:
            self._totals[key] += amount
        except KeyError:
            self.adopt(key)
            self._totals[key] = self._totals.get(key, 0) + amount

    def get(self, key: CounterKey) -> int:
        """Return the total, 0 for an unknown key."""
        return self._totals.get(key, 0)

    def __contains__(self, key: CounterKey) -> bool:
        """Return whether the key has a total, which may be 0."""
        return key in self._totals

    def of(self, kind: CounterKind) -> dict[tuple[str, ...], int]:
        """Return the totals of one kind, by label values and sorted by them."""
        return {key.labels: amount for key, amount in sorted(self._totals.items()) if key.kind == kind.name}

    def named(self) -> dict[str, int]:
        """Return the totals by full name."""
        return {encode(key): amount for key, amount in self._totals.items()}

    def merge(self, names: Mapping[str, int]) -> None:
        """Raise each total to its value in `names`, by full name, where that is greater."""
        for name, amount in names.items():
            key = decode(name)
            self.adopt(key)
            self._totals[key] = max(self._totals.get(key, 0), amount)

    def adopt(self, key: CounterKey) -> None:
        """Move a total that the totals file stored under a shortened name to `key`."""
        name = encode(key)
        short = file_name(name)
        if short != name and (total := self._totals.pop(decode(short), None)) is not None:
            self._totals[key] = max(self._totals.get(key, 0), total)

    def clear(self) -> None:
        """Remove all totals."""
        self._totals.clear()
