"""Slots: hours or days of a cycle, because a normal value at noon may be drift at night.

The block sums of a feature with a cycle vary far more than those of independent rows, so dividing by the variance
inflation would leave almost no evidence. Compared with the same slot of the reference, the cycle is not variation at
all. Each alternative exists once per slot, in the same order, so its evidence continues from one slot to the next.

Slots are hours of the day, weekdays, or hours of the week, by the clocks of the profile's time zone, because people
follow the clock on the wall, also when it changes.

The cost: each bound is estimated from the rows of one slot. `reference.cycles` and `reference.features` choose.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, TypeAlias

import numpy as np

from ..batch import Floats, Ints
from ..timezones import UTC, local_seconds

SlotName: TypeAlias = Literal["hour of the day", "hour of the week", "weekday"]
HOUR_SECONDS = 3600.0
DAY_SECONDS = 24 * HOUR_SECONDS
MOST_COMPILED = 24  # slots whose likelihood ratios are in memory at once
MONDAY_SECONDS = 3 * DAY_SECONDS  # from the Monday before the epoch, which began on a Thursday


@dataclass(frozen=True)
class SlotKind:
    """A way to divide time.

    Attributes:
        name: as the profile and its warnings give it.
        count: number of slots in a period.
        seconds: length of a slot.
        fewest_days: days that a reference needs.
        rotation: slots by which periods may be rotated without the cycle, for the test of `reference.cycles`.
    """

    name: SlotName
    count: int
    seconds: float
    fewest_days: int
    rotation: int

    def positions(self, ticks: Ints, tick_seconds: float, timezone: str) -> Ints:
        """Return how many slots have passed since a Monday when each tick begins, for ticks counted from the epoch.

        The remainder of division by `count` is the slot. Monday and midnight have slot 0.
        """
        seconds = local_seconds(np.asarray(ticks * tick_seconds, dtype=np.float64), timezone) + MONDAY_SECONDS
        out: Ints = np.floor(seconds / self.seconds).astype(np.int64)
        return out


SLOT_KINDS: dict[SlotName, SlotKind] = {
    one.name: one
    for one in (
        SlotKind("hour of the day", 24, HOUR_SECONDS, 8, 1),
        SlotKind("hour of the week", 168, HOUR_SECONDS, 56, 24),
        SlotKind("weekday", 7, DAY_SECONDS, 56, 1),
    )
}


@dataclass(frozen=True)
class Slots:
    """A feature slot by slot.

    Attributes:
        kind: how time is divided.
        training, calibration: counts [slots, bins] of the two splits.
        variance_inflation: [alternatives] of sums around the means of their slots.
        bound_variance_inflation: [alternatives] the same for sums over the rows of one slot, which the bounds rest on.
        inflation_growth: as in `feature.Feature`, for sums around the means of their slots.
        timezone: IANA name of the zone whose clocks divide time.
    """

    kind: SlotKind
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
            "kind": self.kind.name,
            "shaping": self.training.tolist(),
            "timezone": self.timezone,
        }

    def resolved(self, tick_seconds: float) -> bool:
        """Return whether ticks are short enough to lie in one slot."""
        return tick_seconds <= self.kind.seconds

    def slot_of(self, tick: int, tick_seconds: float) -> int:
        """Return the slot in which a tick begins."""
        return _slot_of(tick, tick_seconds, self.kind, self.timezone)

    def shares(self, first: int, last: int, tick_seconds: float) -> Floats:
        """Return the share [slots] of the ticks `first` to `last` in each slot."""
        kind = self.kind
        periods, rest = divmod(last - first + 1, max(1, round(kind.count * kind.seconds / tick_seconds)))
        begun = kind.positions(np.arange(last - rest + 1, last + 1), tick_seconds, self.timezone) % kind.count
        shares = periods + np.bincount(begun, minlength=kind.count) * (tick_seconds / kind.seconds)
        out: Floats = shares / shares.sum()
        return out


@lru_cache(maxsize=64)  # all features of a tick ask for the same ones
def _slot_of(tick: int, tick_seconds: float, kind: SlotKind, timezone: str) -> int:
    return int(kind.positions(np.array([tick]), tick_seconds, timezone)[0]) % kind.count


def positions_by_kind(ticks: Ints, tick_seconds: float, timezone: str = UTC) -> dict[SlotName, Ints]:
    """Return the positions [rows] of reference rows from their ticks, for each kind that the reference resolves."""
    days = (ticks[-1] - ticks[0]) * tick_seconds / DAY_SECONDS
    return {
        name: kind.positions(ticks, tick_seconds, timezone)
        for name, kind in SLOT_KINDS.items()
        if tick_seconds <= kind.seconds and days >= kind.fewest_days * 0.99
    }
