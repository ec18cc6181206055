"""Lay out the reference rows along time: their order, ticks, blocks, slots and split.

The first step of `build.build_profile`. All later steps take rows in the order of the layout. The split and the ticks
depend on times and row numbers only, never on values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .. import schema
from ..batch import Bools, ColumnData, Floats, Ints, length
from ..errors import ProfileError, shown
from ..profile.provenance import EARLIEST, LATEST, LONGEST_TICK, SHORTEST_TICK, Order, ReferenceSummary, TickSize
from ..profile.slots import SlotName, positions_by_kind
from ..timezones import UTC, time_zone
from .blocks import BlockPartition, block_partitions, size_biased_rows_per_tick, training_mask

TICKS_WANTED = 500  # of a reference in row order whose live traffic is unknown
LARGEST_TICK = 1000  # rows
MINUTE, HOUR, DAY = 60, 3600, 86_400
TICK_WIDTHS = (  # seconds; usual widths of a live tick
    *(1, 2, 5, 10, 15, 20, 30),
    *(minutes * MINUTE for minutes in (1, 2, 5, 10, 15, 20, 30)),
    *(hours * HOUR for hours in (1, 2, 3, 4, 6, 8, 12)),
    *(days * DAY for days in (1, 2, 7)),
)


@dataclass(frozen=True)
class RowLayout:
    """The reference in time order.

    Attributes:
        order: [rows] the permutation that sorts the rows by time; None if they are in order.
        ticks: [rows] tick number of each row, ascending.
        partitions: the rows cut into blocks, one partition for each block length; empty if rows have no order.
        training: [rows] true for the training split.
        reference: what the profile stores about the rows.
        slot_positions: for each kind of slots that the reference resolves, [rows] `SlotKind.positions`.
        timezone: IANA name of the zone of these slots.
    """

    order: Ints | None
    ticks: Ints
    partitions: list[BlockPartition]
    training: Bools
    reference: ReferenceSummary
    slot_positions: Mapping[SlotName, Ints]
    timezone: str = UTC

    def subset(self, kept: Bools) -> RowLayout:
        """Return the layout of some rows, by mask [rows]; they stay in their blocks of time."""
        before = np.concatenate([[0], np.cumsum(kept)])
        partitions = [BlockPartition(blocks.length, before[blocks.starts]) for blocks in self.partitions]
        slots = {kind: positions[kept] for kind, positions in self.slot_positions.items()}
        return RowLayout(
            self.order, self.ticks[kept], partitions, self.training[kept], self.reference, slots, self.timezone
        )


def row_count(columns: Mapping[str, ColumnData], times: Floats | None, named: list[str]) -> int:
    """Return the number of rows.

    Args:
        columns: [rows] each.
        times: epoch seconds [rows] or None.
        named: column names that the caller mentions elsewhere.

    Raises:
        ProfileError: no rows, columns of different lengths, missing times or an unknown name.
    """
    sizes = {name: length(column) for name, column in columns.items()}
    if times is not None:
        sizes["(times)"] = len(times)
        if not np.all(np.isfinite(times)):
            raise ProfileError(f"{int((~np.isfinite(times)).sum())} times are missing or infinite; drop those rows")
        if len(times) and not EARLIEST <= np.min(times) <= np.max(times) <= LATEST:
            raise ProfileError(
                f"the times {shown((float(np.min(times)), float(np.max(times))))} are not all in the years 1 to 9999; "
                "give epoch seconds"
            )
    if not columns or min(sizes.values()) == 0:
        raise ProfileError(f"a reference needs at least one column and one row, not {shown(sizes)}; give more data")
    if len(set(sizes.values())) > 1:
        raise ProfileError(f"reference columns differ in length: {shown(sizes)}; give each column one entry per row")
    for name in columns:
        check_column_name(name)
    unknown = sorted(set(named) - set(columns))
    if unknown:
        raise ProfileError(f"no column is named {shown(unknown)}; the columns are {shown(sorted(columns))}")
    return next(iter(sizes.values()))


def time_order(times: Floats) -> Ints | None:
    """Return the permutation that sorts rows by time, equal times in the order of the rows; None if they are sorted."""
    if np.all(times[1:] >= times[:-1]):
        return None
    order: Ints = np.argsort(times, kind="stable")
    return order


def in_order(values: Floats, order: Ints | None) -> Floats:
    """Return the values [rows] in an order of `time_order`."""
    return values if order is None else values[order]


def check_column_name(name: str) -> None:
    """Raise ProfileError for a name that a profile cannot hold."""
    try:
        schema.text(0, schema.LONGEST_NAME)(name, "the name of a column")
    except ProfileError as error:
        raise ProfileError(f"cannot build a profile: {error}; rename the column") from error


def lay_out(
    rows: int,
    times: Floats | None,
    tick_seconds: float,
    per_tick: float | None,
    exchangeable: bool,
    *,
    tolerance: float = 0.0,
    timezone: str = UTC,
) -> RowLayout:
    """Return the layout of the reference rows; the arguments are those of `build_profile`.

    Raises:
        ProfileError: `tick_seconds` or `per_tick` is out of range.
        DetectorError: the time zone is not known.
    """
    time_zone(timezone)
    if not SHORTEST_TICK <= tick_seconds <= LONGEST_TICK:
        raise ProfileError(
            f"tick_seconds must be a positive number from {SHORTEST_TICK:g} to {LONGEST_TICK:g}, not "
            f"{shown(tick_seconds)}"
        )
    if per_tick is not None and not (np.isfinite(per_tick) and per_tick >= 1):
        raise ProfileError(f"rows_per_tick must be at least 1, not {shown(per_tick)}")
    order = None if times is None else time_order(times)
    by_time = None if times is None else in_order(np.asarray(times, dtype=np.float64), order)
    if by_time is not None:
        ticks = np.floor(by_time / tick_seconds).astype(np.int64)
    else:
        width = per_tick or float(np.clip(rows // TICKS_WANTED, 1, LARGEST_TICK))
        ticks = (np.arange(rows) / width).astype(np.int64)
    kind: Order = "exchangeable" if exchangeable else "rows" if times is None else "time"
    partitions = [] if exchangeable else block_partitions(ticks, None if by_time is None else tick_seconds)
    training, by_days = training_mask(by_time, rows)
    dense = size_biased_rows_per_tick(ticks)
    if kind == "rows" and per_tick is None and partitions:
        dense *= partitions[-1].length  # row order is the only time: a live tick may be as large as the longest block
    reference = ReferenceSummary(
        rows=rows,
        ticks=len(np.unique(ticks)),
        order=kind,
        split="days" if by_days else "rows",
        tick_seconds=None if by_time is None else float(tick_seconds),
        rows_per_tick=None if exchangeable else dense,
        first_time=None if by_time is None else float(by_time[0]),
        last_time=None if by_time is None else float(by_time[-1]),
        longest_block=partitions[-1].length if partitions else 0,
        tick_sizes=() if by_time is None or exchangeable else _tick_sizes(by_time, tick_seconds),
        tolerance=tolerance,
        live_tick_seconds=float(tick_seconds),
        live_rows_per_tick=None if kind == "time" or per_tick is None else float(per_tick),
    )
    by_kind = positions_by_kind(ticks, tick_seconds, timezone) if kind == "time" else {}
    return RowLayout(order, ticks, partitions, training, reference, by_kind, timezone)


def _tick_sizes(times: Floats, tick_seconds: float) -> tuple[TickSize, ...]:
    """Return the sizes of ticks of usual widths, and of the reference's own width."""
    widths = sorted({*map(float, TICK_WIDTHS), float(tick_seconds)})
    return tuple(
        TickSize(width, round(size_biased_rows_per_tick(np.floor(times / width).astype(np.int64)), 3))
        for width in widths
    )
