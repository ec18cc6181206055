"""User settings of drift detection, and the false-alarm budget that follows from them.

`DriftSettings` holds what a monitor document may set under `drift`. `FAMILY_SHARES` divides the budget among the
families of features that the profile contains.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite

from .batch import Family
from .errors import DetectorError, shown
from .timezones import UTC, time_zone

DAY = 86_400.0
LOSS_TOLERANCE = 0.005
FAMILY_SHARES: Mapping[Family, float] = {"features": 0.5, "predictions": 0.2, "multivariate": 0.15, "performance": 0.15}


@dataclass(frozen=True)
class DriftSettings:
    """The false-alarm budget and the tolerance.

    Attributes:
        tick_seconds: width of a tick of live traffic, in seconds.
        false_alarms: expected false alarms within `per_seconds`, over all features, at most.
        per_seconds: length of the period of `false_alarms`, in seconds.
        tolerance: drift too small to matter, as a chi-square distance (close to PSI): .0025 is a shift of about .05
            standard deviations, .01 one of about .1.
        feature_tolerance: tolerances of single features, by name.
        ignore: features that raise no alarm; a column name stands for all features of the column.
        loss_tolerance: increase of the mean loss too small to matter, absolute: .005 is half a point of accuracy.
        timezone: IANA name of the zone of a daily cycle, for profiles that are learned. Detection compares the hours
            for which its profile was built.

    Raises:
        DetectorError: a value is outside its range.

    Example:
        >>> from pilotfish.detectors.settings import DriftSettings
        >>> DriftSettings(tick_seconds=60, false_alarms=1, per_seconds=30 * 86_400).ticks_per_false_alarm
        43200.0
    """

    tick_seconds: float = 60.0
    false_alarms: float = 1.0
    per_seconds: float = 30 * DAY
    tolerance: float = 0.0025
    feature_tolerance: Mapping[str, float] = field(default_factory=dict)
    ignore: tuple[str, ...] = ()
    loss_tolerance: float = LOSS_TOLERANCE
    timezone: str = UTC

    def __post_init__(self) -> None:
        for name in ("tick_seconds", "false_alarms", "per_seconds"):
            value = getattr(self, name)
            if not (isfinite(value) and value > 0):
                raise DetectorError(f"{name} must be a positive number, not {shown(value)}; correct the drift settings")
        tolerances = {"tolerance": self.tolerance, "loss_tolerance": self.loss_tolerance, **self.feature_tolerance}
        for name, value in tolerances.items():
            if not 0 <= value <= 1:
                raise DetectorError(
                    f"the tolerance {name!r} must be between 0 and 1, not {shown(value)}; correct the drift settings"
                )
        time_zone(self.timezone)
        if self.ticks_per_false_alarm < 2:
            raise DetectorError(
                f"the budget allows an alarm every {self.ticks_per_false_alarm:.3g} ticks of {self.tick_seconds} s; "
                "allow fewer false alarms, or use shorter ticks"
            )

    @property
    def ticks_per_false_alarm(self) -> float:
        """A: ticks for each false alarm that the budget allows, over all families."""
        return self.per_seconds / (self.tick_seconds * self.false_alarms)

    @property
    def day_ticks(self) -> int:
        """Ticks per day, at least 1."""
        return max(1, round(DAY / self.tick_seconds))
