"""Totals per feature of one profile: rows that had a usable value, since the profile came into force.

`profile_monitor.py` adds the counts of each closed tick. `visibility/columns.py` finds the absent columns.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ...detectors.batch import Ints, Side
from ...detectors.profile.feature import Feature
from ...detectors.profile.profile import Profile
from ...detectors.summaries.counts import Counts

FEWEST_ROWS = 20
ALWAYS_PRESENT = 0.99  # above this share of present values, a run of missing ones is not random


@dataclass(frozen=True, slots=True)
class MonitoredColumn:
    """A column of the profile, with the positions of its own feature or of those derived from it alone.

    `rows_needed` is the number of rows after which a column without a value is absent, and not just missing as in the
    reference. It is larger for a column that is often missing there, in runs.
    """

    name: str
    side: Side
    positions: tuple[int, ...]
    rows_needed: int


@dataclass(frozen=True, eq=False)
class ColumnTotals:
    """Totals of the profile with the hash `profile_hash`.

    Attributes:
        rows: rows by side.
        present: int64 [features], rows with a usable value.
        absent: int64 [features], rows that lack the column.
        mismatches: int64 [features], values of another type.
    """

    profile_hash: str
    rows: dict[Side, int]
    present: Ints
    absent: Ints
    mismatches: Ints

    @classmethod
    def of(cls, profile: Profile, counts: Counts) -> ColumnTotals:
        """Return the totals in `counts`; the last bin of a feature has the missing values."""
        starts, missing = profile.offsets[:-1], profile.offsets[1:] - 1
        bins = counts.bin_counts
        present = np.add.reduceat(bins, starts) - bins[missing] if len(starts) else np.zeros(0, np.int64)
        rows: dict[Side, int] = {side: counts.rows(side) for side in ("input", "prediction", "label")}
        return cls(profile.hash, rows, present, counts.absent, counts.mismatches)

    @cached_property
    def seen(self) -> list[bool]:
        """For each feature, whether a row had a usable value."""
        found: list[bool] = (self.present > 0).tolist()
        return found

    def causes(self, column: MonitoredColumn) -> Counter[str]:
        """Return the rows without a usable value by cause: absent, mismatches or null."""
        positions = list(column.positions)
        absent, mismatches = int(self.absent[positions].max()), int(self.mismatches[positions].max())
        null = max(0, self.rows[column.side] - absent - mismatches)
        return Counter(absent=absent, mismatches=mismatches, null=null)

    def __add__(self, other: ColumnTotals) -> ColumnTotals:
        """Return the sum of two totals of the same profile."""
        rows = {side: amount + other.rows[side] for side, amount in self.rows.items()}
        return ColumnTotals(
            self.profile_hash,
            rows,
            self.present + other.present,
            self.absent + other.absent,
            self.mismatches + other.mismatches,
        )

    def since(self, base: ColumnTotals | None) -> ColumnTotals:
        """Return the difference to earlier totals; all of them if `base` is of another profile or another run."""
        if base is None or base.profile_hash != self.profile_hash or base.rows["input"] > self.rows["input"]:
            return self
        rows = {side: amount - base.rows[side] for side, amount in self.rows.items()}
        return ColumnTotals(
            self.profile_hash,
            rows,
            self.present - base.present,
            self.absent - base.absent,
            self.mismatches - base.mismatches,
        )


def monitored_columns(profile: Profile) -> tuple[MonitoredColumn, ...]:
    """Return the columns of inputs and predictions in the order of their features; relations are left out."""
    found: dict[tuple[Side, str], list[int]] = {}
    for position, feature in enumerate(profile.features):
        made = profile.column_transforms.get(feature.name)
        if feature.side != "label" and (made is not None or feature.name not in profile.derived):
            found.setdefault((feature.side, made.column if made is not None else feature.name), []).append(position)
    return tuple(
        MonitoredColumn(name, side, tuple(positions), min(_rows_needed(profile.features[at]) for at in positions))
        for (side, name), positions in found.items()
    )


def _rows_needed(feature: Feature) -> int:
    counts = feature.reference_counts
    share = float(counts[:-1].sum() / max(1, counts.sum()))
    if share >= ALWAYS_PRESENT:
        return FEWEST_ROWS
    return int(np.ceil(FEWEST_ROWS * feature.design_effect / max(share, 1e-6)))
