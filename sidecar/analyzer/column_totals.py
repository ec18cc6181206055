"""Totals per feature of one profile: rows that had a usable value, since the profile came into force.

`profile_monitor.py` adds the counts of each closed tick. `visibility/columns.py` finds the columns that never come.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...detectors.batch import Ints, Side
from ...detectors.profile.profile import Profile
from ...detectors.summaries.counts import Counts


@dataclass(frozen=True, slots=True, eq=False)
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
