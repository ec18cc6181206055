"""A feature: one monitored column with its bins and reference counts.

`reference.features` builds features; counting, detection and comparisons read them. Field names and JSON keys differ
for the two splits and the variance inflation: the keys are part of the profile format (`document`, `parsing`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ..batch import Family, Floats, Ints, Kind, Side
from ..binning.probabilities import Bins
from .slots import Slots


@dataclass(frozen=True)
class Feature:
    """One monitored column, sent by the client or derived by a transform.

    Attributes:
        name: of the column, or of the output of a transform.
        family: the features that share one part of the false-alarm budget.
        training: counts [bins] of the training split, which chooses bins and alternatives.
        calibration: counts [bins] of the calibration split, which bounds the alternatives' means.
        variance_inflation: [alternatives] variance of block sums over the variance with independent rows, at least 1;
            empty if the feature raises no alarm.
        inflation_growth: [alternatives] upper bound of what the variance inflation gains for each time that a live tick
            holds the rows of a reference tick once more, at most the variance inflation.
        n_eff: effective sample size: calibration rows over the variance inflation of location shifts.
        smallest_shift: the smallest shift that can be found, in reference standard deviations.
        delay_rows: expected rows until a shift of one standard deviation is found; None if it never is.
        warnings: reasons why no alarm does not mean no drift.
        slots: the feature slot by slot, if hours or weekdays are compared separately; then sensitivity refers to slots.
        mismatches: rows of the reference with a value of another type or shape; 0 if not numeric.
    """

    name: str
    side: Side
    family: Family
    kind: Kind
    bins: Bins
    training: Ints
    calibration: Ints
    variance_inflation: Floats
    inflation_growth: Floats
    n_eff: float
    smallest_shift: float
    delay_rows: float | None
    warnings: tuple[str, ...]
    slots: Slots | None = None
    mismatches: int = 0

    @property
    def labels(self) -> tuple[str, ...]:
        return self.bins.labels

    @property
    def roles(self) -> tuple[str, ...]:
        return self.bins.roles

    @property
    def design_effect(self) -> float:
        """Number of consecutive rows that carry as much information as one independent row, at least 1."""
        rows = self.calibration if self.slots is None else self.slots.calibration[self.slots.calibration.any(axis=1)]
        return max(1.0, float(rows.sum(axis=-1).mean()) / self.n_eff) if self.n_eff > 0 else 1.0

    @property
    def watched(self) -> bool:
        """Whether the feature can raise alarms. A feature without alternatives is only counted."""
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
            "growth": self.inflation_growth.tolist(),
            "inflation": self.variance_inflation.tolist(),
            "kind": self.kind,
            "mismatches": self.mismatches,
            "n_eff": self.n_eff,
            "name": self.name,
            "shaping": self.training.tolist(),
            "side": self.side,
            "slots": None if self.slots is None else self.slots.document(),
            "smallest_shift": self.smallest_shift,
            "warnings": list(self.warnings),
        }
