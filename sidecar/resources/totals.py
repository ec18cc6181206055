"""ResourceTotals that never fall, and the file in which they survive the process.

The file is replaced before totals are shown, so a process that is killed at any moment starts again with at least what
was scraped. It is not synced to the disk: after a power failure, counters may start from zero.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from ..errors import quote_value
from ..system.files import read_file, replace_file, set_aside

TOTALS_FILE = "resources.json"
VERSION = 1
MOST_BYTES = 16 * 1024 * 1024
MOST_KEYS = 4000
MOST_CROWDED_KEYS = 5000  # with those of new versions, whose routes are together
OTHER = "other"  # replaces names when there are too many keys
LARGEST = 2**100  # a larger total is damage; byte-seconds and 1e-12 units of a currency need more than 64 bits
LONGEST_LABEL = 512

Key = tuple[str, ...]


class _Content(msgspec.Struct, forbid_unknown_fields=True):
    version: int
    totals: list[tuple[list[str], str]]


class ResourceTotals:
    """ResourceTotals by key. The first part of a key is the kind, the last one a route or a name."""

    def __init__(self, amounts: Mapping[Key, int] | None = None) -> None:
        self._amounts = dict(amounts or {})

    def add(self, key: Key, amount: int, *, fixed: bool = False) -> None:
        """Add to a total, which begins at 0.

        When there are too many keys, new routes count as `other`, and later new models and versions, too. A `fixed` key
        is one of few, without a route, and is always kept.
        """
        if amount < 0:
            return
        if not fixed and key not in self._amounts and len(self._amounts) >= MOST_KEYS:
            key = (*key[:-1], OTHER)
            if key not in self._amounts and len(self._amounts) >= MOST_CROWDED_KEYS:
                key = (*key[:-3], OTHER, OTHER, OTHER) if len(key) > 3 else key
        self._amounts[key] = self._amounts.get(key, 0) + amount

    def get(self, *key: str) -> int:
        """Return a total; 0 for an unknown key."""
        return self._amounts.get(key, 0)

    def of(self, kind: str) -> Iterator[tuple[Key, int]]:
        """Yield the rest of the key and the amount of all totals of one kind, in order."""
        for key in sorted(self._amounts):
            if key[0] == kind:
                yield key[1:], self._amounts[key]

    def items(self) -> Iterator[tuple[Key, int]]:
        """Yield all keys and amounts."""
        yield from self._amounts.items()

    def copy(self) -> ResourceTotals:
        """Return totals that do not change with these."""
        return ResourceTotals(self._amounts)

    def encode(self) -> bytes:
        """Return the content of the file."""
        rows = [(list(key), str(amount)) for key, amount in self._amounts.items()]
        return msgspec.json.encode(_Content(VERSION, rows))

    @classmethod
    def decode(cls, raw: bytes) -> ResourceTotals:
        """Return the totals in a file; raise ValueError if it is damaged or of another version."""
        content = msgspec.json.decode(raw, type=_Content)
        if content.version != VERSION:
            raise ValueError(f"it has version {content.version}")
        amounts: dict[Key, int] = {}
        for key, text in content.totals:
            if not (text.isascii() and text.isdecimal() and len(text) <= 31 and int(text) <= LARGEST):
                raise ValueError("a total is not a number in range")
            if not key or max(map(len, key)) > LONGEST_LABEL:
                raise ValueError("a key is empty or too long")
            amounts[tuple(key)] = int(text)
        return cls(amounts)


def load_totals(path: Path) -> tuple[ResourceTotals, str]:
    """Return the totals in the file, and what is wrong with it; a damaged file is set aside."""
    try:
        return ResourceTotals.decode(read_file(path, MOST_BYTES)), ""
    except FileNotFoundError:
        return ResourceTotals(), ""
    except (OSError, ValueError, RecursionError) as error:
        reason = str(error)
    return (
        ResourceTotals(),
        f"the totals of resources start from zero: {quote_value(path)} cannot be used: {reason}; {set_aside(path)}",
    )


def store_totals(path: Path, totals: ResourceTotals) -> None:
    """Replace the file; raise OSError."""
    replace_file(path, totals.encode(), mode=0o600)
