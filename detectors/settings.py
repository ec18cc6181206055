"""What a person may choose about drift detection, and the budget that follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite

from .batch import Family
from .errors import DetectorError, shown

DAY = 86_400.0
LOSS_TOLERANCE = 0.005
FAMILY_SHARES: Mapping[Family, float] = {"features": 0.5, "predictions": 0.2, "multivariate": 0.15, "performance": 0.15}


@dataclass(frozen=True)
class DriftSettings:
    """The false-alarm budget and the tolerance.

    Attributes:
        tick_seconds: width of a tick of live traffic.
        false_alarms, per_seconds: at most so many false alarms are expected in so many seconds, over all features.
        tolerance: drift too small to matter, in chi-square units (about PSI): .0025 is about .05 sd, .01 about .1.
        loss_tolerance: more loss of labelled rows too small to matter, absolute: .005 is half a point of accuracy.
        feature_tolerance: by feature, instead of `tolerance`.
        ignore: features that raise no alarm, and columns, none of whose features does.
    """

    tick_seconds: float = 60.0
    false_alarms: float = 1.0
    per_seconds: float = 30 * DAY
    tolerance: float = 0.0025
    feature_tolerance: Mapping[str, float] = field(default_factory=dict)
    ignore: tuple[str, ...] = ()
    loss_tolerance: float = LOSS_TOLERANCE

    def __post_init__(self) -> None:
        for name in ("tick_seconds", "false_alarms", "per_seconds"):
            value = getattr(self, name)
            if not (isfinite(value) and value > 0):
                raise DetectorError(f"{name} must be a positive number, not {shown(value)}")
        tolerances = {"tolerance": self.tolerance, "loss_tolerance": self.loss_tolerance, **self.feature_tolerance}
        for name, value in tolerances.items():
            if not 0 <= value <= 1:
                raise DetectorError(f"the tolerance {name!r} must be between 0 and 1, not {shown(value)}")
        if self.ticks_per_false_alarm < 2:
            raise DetectorError(
                f"the budget allows an alarm every {self.ticks_per_false_alarm:.3g} ticks of {self.tick_seconds} s; "
                "allow fewer false alarms, or use shorter ticks"
            )

    @property
    def ticks_per_false_alarm(self) -> float:
        """A: ticks for each false alarm that is allowed, over all families."""
        return self.per_seconds / (self.tick_seconds * self.false_alarms)

    @property
    def day_ticks(self) -> int:
        return max(1, round(DAY / self.tick_seconds))
