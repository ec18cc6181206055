"""What was observed during some closed ticks, beside their counts. Statistics of consecutive ticks add up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..batch import Side
from ..profile.profile import Profile
from ..summaries.counts import Counts
from ..summaries.heavy import HeavyHitters


@dataclass
class TickStatistics:
    """What was observed during some closed ticks.

    Attributes:
        unknown_columns: rows by side and name of a column that the profile does not have.
        unseen_values: by feature, the most frequent values that the reference does not have.
        widths: rows by side and width, for rows without names whose width fits no order of the profile's columns.
        duplicates, compared: rows that repeat another row, of those that were compared.
    """

    counts: Counts
    unknown_columns: dict[tuple[Side, str], int]
    unseen_values: dict[str, HeavyHitters]
    duplicates: int = 0
    compared: int = 0
    ticks: int = 0
    widths: dict[tuple[Side, int], int] = field(default_factory=dict)

    def state(self) -> dict[str, Any]:
        return {
            "compared": self.compared,
            "counts": self.counts.state(),
            "duplicates": self.duplicates,
            "novel": {name: heavy.state() for name, heavy in self.unseen_values.items()},
            "strangers": [[*key, rows] for key, rows in self.unknown_columns.items()],
            "ticks": self.ticks,
            "widths": [[*key, rows] for key, rows in self.widths.items()],
        }

    @classmethod
    def restored(cls, profile: Profile, state: Mapping[str, Any]) -> TickStatistics:
        return cls(
            Counts.from_state(profile, state["counts"]),
            {(side, name): int(rows) for side, name, rows in state["strangers"]},
            {str(name): HeavyHitters.from_state(heavy) for name, heavy in state["novel"].items()},
            int(state["duplicates"]),
            int(state["compared"]),
            int(state["ticks"]),
            {(side, int(width)): int(rows) for side, width, rows in state.get("widths", ())},
        )

    def added(self, other: TickStatistics) -> TickStatistics:
        unknown_columns = {
            key: self.unknown_columns.get(key, 0) + other.unknown_columns.get(key, 0)
            for key in {**self.unknown_columns, **other.unknown_columns}
        }
        unseen_values = {
            name: self.unseen_values.get(name, HeavyHitters()) + other.unseen_values.get(name, HeavyHitters())
            for name in {**self.unseen_values, **other.unseen_values}
        }
        return TickStatistics(
            self.counts + other.counts,
            unknown_columns,
            unseen_values,
            self.duplicates + other.duplicates,
            self.compared + other.compared,
            self.ticks + other.ticks,
            {key: self.widths.get(key, 0) + other.widths.get(key, 0) for key in {**self.widths, **other.widths}},
        )
