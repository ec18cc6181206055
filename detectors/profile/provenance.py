"""The origin of a profile: the reference rows, the excluded columns, and the held-out trial.

Commands and reports show these values; detection uses the widths and lengths of `ReferenceSummary`. The fields are keys
of the profile's JSON document.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from .. import schema
from ..batch import Family

Order: TypeAlias = Literal["time", "rows", "exchangeable"]
Split: TypeAlias = Literal["days", "rows"]
SHORTEST_TICK, LONGEST_TICK = 1e-6, 1e9  # seconds
EARLIEST, LATEST = -62_135_596_800.0, 253_402_300_799.0  # epoch seconds of the years 1 to 9999


@dataclass(frozen=True)
class ExcludedColumn:
    """A column that is not monitored, and the reason."""

    name: str
    reason: str


@dataclass(frozen=True)
class TickSize:
    """The size of the reference's ticks at one width.

    Attributes:
        seconds: width of a tick.
        rows: rows in the tick of an average row.
    """

    seconds: float
    rows: float


@dataclass(frozen=True)
class ReferenceSummary:
    """Where the reference rows came from.

    Attributes:
        rows, ticks: number of rows, and of ticks with rows.
        order: "time" (ticks by timestamps), "rows" (row order as time) or "exchangeable" (no order).
        split: "days" or "rows": the units that were assigned to the training and the calibration split.
        tick_seconds: width of a tick in seconds; None unless the order is "time".
        rows_per_tick: rows in the tick of an average row; None if exchangeable.
        tick_sizes: the same for usual widths of a live tick, ascending; empty unless the order is "time".
        first_time, last_time: epoch seconds; None unless the order is "time".
        longest_block: ticks of the longest block whose variance was measured.
        duplicate_ratio: share of the rows that repeat a row shortly before them.
        tolerance: the tolerance for which the growth of the variance inflation was measured.
        live_tick_seconds, live_rows_per_tick: the ticks of live traffic, as given to the build; None if not given.
    """

    rows: int
    ticks: int
    order: Order
    split: Split
    tick_seconds: float | None
    rows_per_tick: float | None
    first_time: float | None
    last_time: float | None
    longest_block: int
    duplicate_ratio: float = 0.0
    tick_sizes: tuple[TickSize, ...] = ()
    tolerance: float = 0.0
    live_tick_seconds: float = 60.0
    live_rows_per_tick: float | None = None

    def rows_in_tick(self, tick_seconds: float) -> float | None:
        """Return the rows in a tick of that width around an average row; None if evidence is not scaled.

        Between two measured widths it is the smaller one's number, since fewer rows scale live evidence down earlier.
        """
        if not self.tick_sizes:
            return self.rows_per_tick
        narrower = [size for size in self.tick_sizes if size.seconds <= tick_seconds]
        if narrower:
            return narrower[-1].rows
        return max(1.0, self.tick_sizes[0].rows * tick_seconds / self.tick_sizes[0].seconds)


@dataclass(frozen=True)
class HeldOutAlarm:
    """An alarm of the held-out trial.

    Attributes:
        row: number of reference rows, in time order, up to the alarm.
        family: the family that raised it.
        features: the features that it named.
    """

    row: int
    family: str
    features: tuple[str, ...]


@dataclass(frozen=True)
class HeldOutTrial:
    """The last third of the reference, replayed against a trial profile of the first two thirds."""

    rows: int
    ticks: int
    alarms: tuple[HeldOutAlarm, ...]


_TIME = schema.optional(schema.number(EARLIEST, LATEST))
EXCLUDED = schema.record(ExcludedColumn, name=schema.text(0, schema.LONGEST_DERIVED), reason=schema.text())
HELD_OUT = schema.record(
    HeldOutTrial,
    alarms=schema.listed(
        schema.record(
            HeldOutAlarm,
            family=schema.one_of(Family),
            features=schema.names(longest=schema.LONGEST_DERIVED),
            row=schema.whole(),
        )
    ),
    rows=schema.whole(),
    ticks=schema.whole(),
)
REFERENCE = schema.record(
    ReferenceSummary,
    duplicate_ratio=schema.number(0, 1),
    first_time=_TIME,
    last_time=_TIME,
    live_rows_per_tick=schema.optional(schema.number(1, schema.LARGEST_COUNT)),
    live_tick_seconds=schema.number(SHORTEST_TICK, LONGEST_TICK),
    longest_block=schema.whole(),
    order=schema.one_of(Order),
    rows=schema.whole(1),
    rows_per_tick=schema.optional(schema.number(1, schema.LARGEST_COUNT)),
    split=schema.one_of(Split),
    tick_seconds=schema.optional(schema.number(SHORTEST_TICK, LONGEST_TICK)),
    tick_sizes=schema.listed(
        schema.record(
            TickSize, rows=schema.number(1, schema.LARGEST_COUNT), seconds=schema.number(SHORTEST_TICK, LONGEST_TICK)
        ),
        most=100,
    ),
    ticks=schema.whole(1),
    tolerance=schema.number(0, 1),
)
