"""The hours of the day, where they matter: what is usual at noon may be drift at night.

A feature with a cycle of a day has block sums that vary by far more than those of independent rows, so its evidence is
tempered until almost nothing is left of it. Compared with the same hour of the reference instead (24 slots, UTC), the
cycle is no variation at all. Each function is made once for each slot, in the same order, so that its evidence runs on
from one hour to the next; the price are bounds from a 24th of the rows. So slots are for features whose inflation they
at least halve, and only where the drift of one standard deviation is expected to be found sooner with them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..batch import Floats, Ints

SLOTS = 24
SLOT_SECONDS = 3600.0
FEWEST_DAYS = 8
DAY_SECONDS = SLOTS * SLOT_SECONDS


@dataclass(frozen=True)
class Slots:
    """A feature hour by hour.

    Attributes:
        shaping, bounding: counts [SLOTS, cells] of the parts of the reference.
        inflation: [functions] of what is left of the sums' variation beside their slots' means.
        bound_inflation: [functions] of the same for sums over the rows of one slot, which are what bounds rest on.
    """

    training: Ints
    calibration: Ints
    variance_inflation: Floats
    bound_variance_inflation: Floats

    def document(self) -> dict[str, Any]:
        """Return the slots as plain JSON values."""
        return {
            "bound_inflation": self.bound_variance_inflation.tolist(),
            "bounding": self.calibration.tolist(),
            "inflation": self.variance_inflation.tolist(),
            "shaping": self.training.tolist(),
        }


def slot_of(tick: int, tick_seconds: float) -> int | None:
    """The hour of the day in which a tick begins, if ticks are counted from the epoch; None if they outlast one."""
    return None if tick_seconds > SLOT_SECONDS else int(tick * tick_seconds // SLOT_SECONDS) % SLOTS


def slots_of(ticks: Ints, tick_seconds: float) -> Ints | None:
    """The slot of each of the reference's rows [rows], by its tick; None if the reference cannot tell hours apart."""
    if tick_seconds > SLOT_SECONDS or (ticks[-1] - ticks[0]) * tick_seconds < FEWEST_DAYS * DAY_SECONDS * 0.99:
        return None
    slots: Ints = (ticks * tick_seconds // SLOT_SECONDS).astype(np.int64) % SLOTS
    return slots


def slot_shares(first: int, last: int, tick_seconds: float) -> Floats | None:
    """[SLOTS] how much of the ticks `first` to `last` lies in each slot; None if ticks outlast a slot."""
    if tick_seconds > SLOT_SECONDS:
        return None
    days, rest = divmod(last - first + 1, max(1, round(DAY_SECONDS / tick_seconds)))
    begun = (np.arange(last - rest + 1, last + 1) * tick_seconds // SLOT_SECONDS).astype(np.int64) % SLOTS
    shares = days + np.bincount(begun, minlength=SLOTS) * (tick_seconds / SLOT_SECONDS)
    out: Floats = shares / shares.sum()
    return out
