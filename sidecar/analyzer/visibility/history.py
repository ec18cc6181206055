"""The counters of earlier readings, bounded, and their differences to the present ones.

A window is the shortest one that has enough events (exchanges, rows, labels), so its length in time does not matter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ..column_totals import ColumnTotals

MAX_ENTRIES = 256  # older entries are thinned out, which lengthens the windows of rare events

Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Totals:
    """Counters that never decrease. The first word of a key is its kind: outcome, opaque, downgrade, rows, ..."""

    counters: Mapping[Key, int]
    columns: ColumnTotals | None = None

    def of(self, *key: str) -> int:
        """Return one counter, 0 if it is unknown."""
        return self.counters.get(key, 0)

    def kind(self, *prefix: str) -> dict[Key, int]:
        """Return the counters whose key starts with `prefix`, by the rest of their key."""
        size = len(prefix)
        return {key[size:]: amount for key, amount in self.counters.items() if key[:size] == prefix and amount}

    def since(self, base: Totals) -> Totals:
        """Return the differences to an earlier `base`."""
        counters = {key: amount - base.of(*key) for key, amount in self.counters.items()}
        columns = self.columns and self.columns.since(base.columns)
        return Totals({key: amount for key, amount in counters.items() if amount}, columns)


Measure = Callable[[Totals], int]
ZERO = Totals({})


class History:
    """Earlier totals, oldest first; it starts with zero, as the counters do."""

    def __init__(self) -> None:
        self._entries: list[Totals] = [ZERO]
        self._differences: dict[int, Totals] = {}  # to the entry of that number, until the next `add`
        self.now = ZERO

    def __len__(self) -> int:
        """Return the number of entries, at most MAX_ENTRIES."""
        return len(self._entries)

    def add(self, totals: Totals) -> None:
        """Add the present totals; begin again when a counter decreased, because a new proxy started to count."""
        if any(totals.of(*key) < amount for key, amount in self.now.counters.items()):
            self._entries = [ZERO]
        elif totals == self.now:
            return
        self.now = totals
        self._differences.clear()
        self._entries.append(totals)
        if len(self._entries) > MAX_ENTRIES:
            older = self._entries[: MAX_ENTRIES // 2]
            self._entries = older[:1] + older[1::2] + self._entries[MAX_ENTRIES // 2 :]

    def recent(self, events: Measure, at_least: int, readings: int = 1) -> Totals | None:
        """Return the differences over the shortest window with `at_least` events; None if there were never so many.

        The window has at least `readings` entries, if there are so many. `events` must not decrease when a window
        grows; the window is found by bisection.
        """
        low, high = 0, max(0, len(self._entries) - 1 - readings)
        if events(self._since(low)) < at_least:
            return None
        while low < high:
            middle = (low + high + 1) // 2
            if events(self._since(middle)) >= at_least:
                low = middle
            else:
                high = middle - 1
        return self._since(low)

    def _since(self, entry: int) -> Totals:
        found = self._differences.get(entry)
        if found is None:
            found = self._differences[entry] = self.now.since(self._entries[entry])
        return found
