"""The origin of a profile: the reference rows, the excluded columns, and the held-out trial.

Commands and reports show these values; detection uses the widths and lengths of `ReferenceSummary`. The fields are keys
of the profile's JSON document.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Order: TypeAlias = Literal["time", "rows", "exchangeable"]


@dataclass(frozen=True)
class ExcludedColumn:
    """A column that is not monitored, and the reason."""

    name: str
    reason: str


@dataclass(frozen=True)
class ReferenceSummary:
    """Where the reference rows came from.

    Attributes:
        rows, ticks: number of rows, and of ticks with rows.
        order: "time" (ticks by timestamps), "rows" (row order as time) or "exchangeable" (no order).
        split: "days" or "rows": the units that were assigned to the training and the calibration split.
        tick_seconds: width of a tick in seconds; None unless the order is "time".
        rows_per_tick: rows in the tick of an average row; None if exchangeable.
        first_time, last_time: epoch seconds; None unless the order is "time".
        longest_block: ticks of the longest block whose variance was measured.
        duplicate_ratio: share of the rows that repeat a row shortly before them.
    """

    rows: int
    ticks: int
    order: Order
    split: Literal["days", "rows"]
    tick_seconds: float | None
    rows_per_tick: float | None
    first_time: float | None
    last_time: float | None
    longest_block: int
    duplicate_ratio: float = 0.0


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
