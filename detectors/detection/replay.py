"""Stored rows through the same counts and the same detector as live traffic: what would have been an alarm."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from ..batch import SIDES, Batch, Column, Floats, missing_mask
from ..profile.profile import Profile
from ..settings import DriftSettings
from ..summaries.counts import Counts, TickCounts
from ..summaries.windows import Windows
from .monitor import DriftMonitor
from .results import Alarm, MonitorStatus


@dataclass(frozen=True, slots=True)
class TickSpan:
    """One tick's rows: `start` to `stop` in the order of time."""

    tick: int
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class ClosedTick:
    """A tick that was closed: `row` counts the rows up to and with its last one."""

    tick: int
    row: int
    alarms: tuple[Alarm, ...]


class Replay:
    """One run over stored rows. After it, `mismatches` counts values of another type than their feature's."""

    def __init__(self, profile: Profile, settings: DriftSettings) -> None:
        self._profile = profile
        self._monitor = DriftMonitor(profile, settings)
        self._counts = TickCounts(profile)
        self.mismatches = 0

    def run(
        self, columns: Mapping[str, Column], spans: list[TickSpan], times: Floats | None = None
    ) -> Iterator[ClosedTick]:
        """Close tick after tick over `columns` ([rows] each, in the order of time); `times` are epoch s [rows]."""
        for span in spans:
            counts = self._count(columns, span, times)
            self.mismatches += int(counts.mismatches.sum())
            yield ClosedTick(span.tick, span.stop, self._monitor.close_tick(span.tick, counts).alarms)

    @property
    def status(self) -> MonitorStatus:
        """Evidence, effect sizes and episodes, oldest first, after the ticks so far."""
        return self._monitor.status()

    @property
    def windows(self) -> Windows:
        """The counts of the past, by tick, hour and day."""
        return self._monitor.windows

    def _count(self, columns: Mapping[str, Column], span: TickSpan, times: Floats | None) -> Counts:
        rows = slice(span.start, span.stop)
        at = None if times is None else times[rows]
        for side in SIDES:
            names = self._profile.names(side)
            served = {name: columns[name].take(rows) for name in names if name in columns}
            if side == "label":
                self._add_labelled(served, at)
            elif served:
                self._counts.add(Batch(served, span.stop - span.start, side, at))
        return self._counts.take()

    def _add_labelled(self, served: Mapping[str, Column], at: Floats | None) -> None:
        """Count the rows that have a label, as if it came with them."""
        performance = self._profile.performance
        if performance is None or performance.label not in served or performance.prediction not in served:
            return
        labelled = ~missing_mask(served[performance.label])
        rows = int(labelled.sum())
        if rows:
            columns = {name: column.take(labelled) for name, column in served.items()}
            self._counts.add(Batch(columns, rows, "label", None if at is None else at[labelled]))


def tick_spans_by_rows(rows: int, rows_per_tick: float) -> list[TickSpan]:
    """Return the ticks of rows that follow each other evenly, `rows_per_tick` (1 or more) in each."""
    edges = np.minimum(np.ceil(np.arange(0, rows / rows_per_tick + 1) * rows_per_tick), rows).astype(int)
    return [TickSpan(tick, int(edges[tick]), int(edges[tick + 1])) for tick in range(len(edges) - 1)]


def tick_spans_by_time(times: Floats, tick_seconds: float) -> list[TickSpan]:
    """Return the ticks of rows that happened at `times` (epoch s, ascending); ticks without rows are left out."""
    ticks = np.floor(times / tick_seconds).astype(np.int64)
    edges = np.concatenate([[0], np.flatnonzero(np.diff(ticks)) + 1, [len(ticks)]])
    pairs = zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)
    return [TickSpan(int(ticks[start]), start, stop) for start, stop in pairs if stop > start]
