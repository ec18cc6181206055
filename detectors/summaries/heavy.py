"""Which values are frequent among those that nobody knew before, in bounded memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

KEPT = 16


@dataclass(frozen=True)
class HeavyHitters:
    """Values with the number of times that each was certainly seen, at most `KEPT` of them.

    The true number is larger by at most `max_undercount`, itself at most rows / (KEPT + 1). So each value that makes up
    more than that share of the rows is here. (Misra, Gries 1982; merging after Agarwal et al.: Mergeable summaries,
    PODS 2012.)
    Merging keeps the bound in any order, though not the same counts to the bit: it is for people, and for no alarm.
    """

    counts: Mapping[str, int] = field(default_factory=dict)
    max_undercount: int = 0
    rows: int = 0

    @classmethod
    def of(cls, values: Iterable[str]) -> HeavyHitters:
        """The summary of some values."""
        counts = Counter(values)
        return _pruned(counts, 0, counts.total())

    def __add__(self, other: HeavyHitters) -> HeavyHitters:
        return _pruned(
            Counter(self.counts) + Counter(other.counts),
            self.max_undercount + other.max_undercount,
            self.rows + other.rows,
        )

    def largest(self) -> list[tuple[str, int]]:
        """Values and counts, the most frequent first."""
        return sorted(self.counts.items(), key=lambda pair: (-pair[1], pair[0]))

    def state(self) -> list[object]:
        """Plain values."""
        return [dict(self.counts), self.max_undercount, self.rows]

    @classmethod
    def from_state(cls, state: list[object]) -> HeavyHitters:
        """TypeError or ValueError if the state is damaged."""
        counts, max_undercount, rows = state
        if not isinstance(counts, dict) or not isinstance(max_undercount, int) or not isinstance(rows, int):
            raise TypeError("heavy hitters are a dictionary and two numbers")
        return cls({str(name): int(count) for name, count in counts.items()}, max_undercount, rows)


def _pruned(counts: Counter[str], max_undercount: int, rows: int) -> HeavyHitters:
    """At most `KEPT` values, each one's count less by that of the first which is not kept."""
    if len(counts) <= KEPT:
        return HeavyHitters(dict(counts), max_undercount, rows)
    taken = sorted(counts.values(), reverse=True)[KEPT]
    kept = {name: count - taken for name, count in counts.items() if count > taken}
    return HeavyHitters(kept, max_undercount + taken, rows)
