"""Where the reference rows came from, what was left out of them, and the held-out trial on their last third."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Order: TypeAlias = Literal["time", "rows", "exchangeable"]


@dataclass(frozen=True)
class ExcludedColumn:
    """A column that is not watched, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class ReferenceSummary:
    """Where the reference rows came from.

    Attributes:
        rows, ticks: how many rows, in how many ticks that had any.
        order: "time" (ticks by timestamps), "rows" (row order as time) or "exchangeable" (no order).
        split: "days" or "rows": what was dealt out between the part that shapes the alternatives and the part
            that bounds them.
        tick_seconds: width of a tick; None unless the order is "time".
        rows_per_tick: rows in the tick of an average row; None if exchangeable.
        first_time, last_time: epoch seconds; None unless the order is "time".
        longest_block: ticks of the longest block whose variance was measured.
        duplicate_ratio: share of the rows that repeat one shortly before them.
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
    """An alarm of the trial: the reference row after which it came, in time order, and the features that it named."""

    row: int
    family: str
    features: tuple[str, ...]


@dataclass(frozen=True)
class HeldOutTrial:
    """The last third of the reference replayed against a trial profile of the first two thirds."""

    rows: int
    ticks: int
    alarms: tuple[HeldOutAlarm, ...]
