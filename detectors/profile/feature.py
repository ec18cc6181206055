"""A feature: one column that is counted and watched, with its reference counts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ..batch import Family, Floats, Ints, Kind, Side
from ..binning.probabilities import Bins
from .slots import Slots


@dataclass(frozen=True)
class Feature:
    """One watched column, of the rows as they come or made by a transform.

    Attributes:
        family: the features with which it shares a part of the false-alarm budget.
        shaping: counts [cells] of the 30 % of the reference that shape bins and alternatives.
        bounding: counts [cells] of the other 70 %, which bound the alternatives' means.
        inflation: [functions of the bank] how much more block sums vary than independent rows would (>= 1).
        n_eff: rows of `bounding` over the inflation of location shifts.
        smallest_shift: in reference standard deviations; smaller ones are never found.
        delay_rows: expected rows until a shift of one standard deviation is found; None if it never is.
        warnings: what a person should know before trusting silence.
        slots: the feature hour by hour, where the hours of the day are told apart; sensitivity is with them then.
    """

    name: str
    side: Side
    family: Family
    kind: Kind
    bins: Bins
    training: Ints
    calibration: Ints
    variance_inflation: Floats
    n_eff: float
    smallest_shift: float
    delay_rows: float | None
    warnings: tuple[str, ...]
    slots: Slots | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        return self.bins.labels

    @property
    def roles(self) -> tuple[str, ...]:
        return self.bins.roles

    @property
    def design_effect(self) -> float:
        """How many rows that follow one another count as one independent row (>= 1)."""
        rows = self.calibration if self.slots is None else self.slots.calibration[self.slots.calibration.any(axis=1)]
        return max(1.0, float(rows.sum(axis=-1).mean()) / self.n_eff) if self.n_eff > 0 else 1.0

    @property
    def watched(self) -> bool:
        """Whether it can raise alarms; a feature without functions is counted only."""
        return len(self.variance_inflation) > 0

    @cached_property
    def reference_counts(self) -> Ints:
        return self.training + self.calibration

    def document(self) -> dict[str, Any]:
        """Return the feature as plain JSON values."""
        return {
            "bins": self.bins.document(),
            "bounding": self.calibration.tolist(),
            "delay_rows": self.delay_rows,
            "family": self.family,
            "inflation": self.variance_inflation.tolist(),
            "kind": self.kind,
            "n_eff": self.n_eff,
            "name": self.name,
            "shaping": self.training.tolist(),
            "side": self.side,
            "slots": None if self.slots is None else self.slots.document(),
            "smallest_shift": self.smallest_shift,
            "warnings": list(self.warnings),
        }
