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
from datetime import datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from ..batch import Floats, Ints
from ..errors import ProfileError, shown

SLOTS = 24
SLOT_SECONDS = 3600.0
FEWEST_DAYS = 8
DAY_SECONDS = SLOTS * SLOT_SECONDS
OFFSET_SECONDS = 900.0  # clocks differ from UTC by multiples of it, and change at multiples of it
UTC = "UTC"


@dataclass(frozen=True)
class Slots:
    """A feature hour by hour.

    Attributes:
        training, calibration: counts [SLOTS, bins] of the two splits.
        variance_inflation: [alternatives] of sums around the means of their slots.
        bound_variance_inflation: [alternatives] the same for sums over the rows of one slot, which the bounds rest on.
        inflation_growth: as in `feature.Feature`, for sums around the means of their slots.
    """

    training: Ints
    calibration: Ints
    variance_inflation: Floats
    bound_variance_inflation: Floats
    inflation_growth: Floats

    def document(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "bound_inflation": self.bound_variance_inflation.tolist(),
            "bounding": self.calibration.tolist(),
            "growth": self.inflation_growth.tolist(),
            "inflation": self.variance_inflation.tolist(),
            "shaping": self.training.tolist(),
        }


@lru_cache(maxsize=8)
def time_zone(name: str) -> ZoneInfo:
    """Return a time zone by its IANA name.

    Raises:
        ProfileError: the name is not known on this machine.
    """
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, LookupError) as error:
        raise ProfileError(
            f"the time zone {shown(name)} is not known; give a name of the IANA database, such as Europe/Berlin"
        ) from error


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
    seconds = ticks * tick_seconds
    if timezone != UTC:
        zone = time_zone(timezone)
        quarters, position = np.unique(np.floor(seconds / OFFSET_SECONDS), return_inverse=True)
        offsets = [_offset(quarter * OFFSET_SECONDS, zone) for quarter in quarters.tolist()]
        seconds = seconds + np.array(offsets)[position]
    hours: Ints = np.floor(seconds / SLOT_SECONDS).astype(np.int64) % SLOTS
    return hours


def _offset(seconds: float, zone: ZoneInfo) -> float:
    """Return the seconds by which the clocks of a zone are ahead of UTC; 0 in years that calendars do not have."""
    try:
        offset = datetime.fromtimestamp(seconds, zone).utcoffset()
    except (OSError, OverflowError, ValueError):
        return 0.0
    return 0.0 if offset is None else offset.total_seconds()
