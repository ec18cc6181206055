"""Heavy hitters: the most frequent of the values that the reference does not have, in bounded memory.

`quality` shows them to people; no alarm depends on them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

KEPT = 16


@dataclass(frozen=True)
class HeavyHitters:
    """At most `KEPT` values, each with the number of times that it was certainly seen.

    The true number is larger by at most `max_undercount`, which is at most rows / (KEPT + 1). So every value with a
    larger share of the rows is present (Misra, Gries 1982; merging after Agarwal et al.: Mergeable summaries, PODS
    2012). Merging keeps the bound in any order, but not the same counts to the bit.

    Example:
        >>> from pilotfish.detectors.summaries.heavy import HeavyHitters
        >>> found = HeavyHitters.of(["Oslo"] * 3 + ["Bonn"]) + HeavyHitters.of(["Oslo"])
        >>> found.largest(), found.max_undercount
        ([('Oslo', 4), ('Bonn', 1)], 0)
    """

    counts: Mapping[str, int] = field(default_factory=dict)
    max_undercount: int = 0
    rows: int = 0

    @classmethod
    def of(cls, values: Iterable[str]) -> HeavyHitters:
        """Return the summary of some values."""
        counts = Counter(values)
        return _pruned(counts, 0, counts.total())

    def __add__(self, other: HeavyHitters) -> HeavyHitters:
        return _pruned(
            Counter(self.counts) + Counter(other.counts),
            self.max_undercount + other.max_undercount,
            self.rows + other.rows,
        )

    def largest(self) -> list[tuple[str, int]]:
        """Return values and counts, most frequent first."""
        return sorted(self.counts.items(), key=lambda pair: (-pair[1], pair[0]))

    def state(self) -> list[object]:
        """Return plain values."""
        return [dict(self.counts), self.max_undercount, self.rows]

    @classmethod
    def from_state(cls, state: list[object]) -> HeavyHitters:
        """Return the summary of a state.

        Raises:
            TypeError, ValueError: the state is damaged.
        """
        counts, max_undercount, rows = state
        if not isinstance(counts, dict) or not isinstance(max_undercount, int) or not isinstance(rows, int):
            raise TypeError("stored heavy hitters must be a dictionary and two integers")
        return cls({str(name): int(count) for name, count in counts.items()}, max_undercount, rows)


def _pruned(counts: Counter[str], max_undercount: int, rows: int) -> HeavyHitters:
    """Return at most `KEPT` values, each count less the count of the first value that is dropped."""
    if len(counts) <= KEPT:
        return HeavyHitters(dict(counts), max_undercount, rows)
    taken = sorted(counts.values(), reverse=True)[KEPT]
    kept = {name: count - taken for name, count in counts.items() if count > taken}
    return HeavyHitters(kept, max_undercount + taken, rows)
