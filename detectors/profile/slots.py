"""Hours of the day, for features with a daily cycle: a normal value at noon may be drift at night.

The block sums of such a feature vary far more than those of independent rows, so dividing by the variance inflation
would leave almost no evidence. Compared with the same hour of the reference (24 slots), the cycle is not variation at
all. Each alternative exists once per slot, in the same order, so its evidence continues from one hour to the next.

The hours are those of the profile's time zone, because people follow the clock on the wall, also when it changes.

The cost: each bound is estimated from 1/24 of the rows. So a feature gets slots only if they at least halve its
variance inflation, and if they find a shift of one standard deviation sooner.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from ..batch import Floats, Ints
from ..timezones import UTC, local_seconds

SLOTS = 24
SLOT_SECONDS = 3600.0
FEWEST_DAYS = 8
DAY_SECONDS = SLOTS * SLOT_SECONDS


@dataclass(frozen=True)
class Slots:
    """A feature hour by hour.

    Attributes:
        training, calibration: counts [SLOTS, bins] of the two splits.
        variance_inflation: [alternatives] of sums around the means of their slots.
        bound_variance_inflation: [alternatives] the same for sums over the rows of one slot, which the bounds rest on.
        inflation_growth: as in `feature.Feature`, for sums around the means of their slots.
        timezone: IANA name of the zone whose hours are the slots.
    """

    training: Ints
    calibration: Ints
    variance_inflation: Floats
    bound_variance_inflation: Floats
    inflation_growth: Floats
    timezone: str = UTC

    def document(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "bound_inflation": self.bound_variance_inflation.tolist(),
            "bounding": self.calibration.tolist(),
            "growth": self.inflation_growth.tolist(),
            "inflation": self.variance_inflation.tolist(),
            "shaping": self.training.tolist(),
            "timezone": self.timezone,
        }


@lru_cache(maxsize=64)  # all features of a tick ask for the same one
def slot_of(tick: int, tick_seconds: float, timezone: str = UTC) -> int | None:
    """Return the hour of the day in which a tick begins, for ticks counted from the epoch; None if a tick is longer.

    Example:
        >>> from pilotfish.detectors.profile.slots import slot_of
        >>> slot_of(90, 60.0), slot_of(90, 60.0, "Europe/Berlin"), slot_of(90, 7200.0)
        (1, 2, None)
    """
    return None if tick_seconds > SLOT_SECONDS else int(_hours(np.array([tick]), tick_seconds, timezone)[0])


def slots_of(ticks: Ints, tick_seconds: float, timezone: str = UTC) -> Ints | None:
    """Return the slot of each reference row [rows] from its tick; None if the reference does not resolve hours."""
    if tick_seconds > SLOT_SECONDS or (ticks[-1] - ticks[0]) * tick_seconds < FEWEST_DAYS * DAY_SECONDS * 0.99:
        return None
    return _hours(ticks, tick_seconds, timezone)


def slot_shares(first: int, last: int, tick_seconds: float, timezone: str = UTC) -> Floats | None:
    """Return the share [SLOTS] of the ticks `first` to `last` in each slot; None if a tick is longer than a slot."""
    if tick_seconds > SLOT_SECONDS:
        return None
    days, rest = divmod(last - first + 1, max(1, round(DAY_SECONDS / tick_seconds)))
    begun = _hours(np.arange(last - rest + 1, last + 1), tick_seconds, timezone)
    shares = days + np.bincount(begun, minlength=SLOTS) * (tick_seconds / SLOT_SECONDS)
    out: Floats = shares / shares.sum()
    return out


def _hours(ticks: Ints, tick_seconds: float, timezone: str) -> Ints:
    """Return the hour of the day in which each tick begins."""
    seconds = local_seconds(np.asarray(ticks * tick_seconds, dtype=np.float64), timezone)
    hours: Ints = np.floor(seconds / SLOT_SECONDS).astype(np.int64) % SLOTS
    return hours
