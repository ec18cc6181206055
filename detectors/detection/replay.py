"""Replay stored rows through the same counting and the same monitor as live traffic.

`pilotfish replay` and the held-out trial use it to show which alarms there would have been. It must not differ from
live detection in any step.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from ..batch import SIDES, Batch, Column, Floats, missing_mask
from ..cells import with_missing_words
from ..profile.profile import Profile
from ..settings import DriftSettings
from ..summaries.counts import Counts, TickCounts
from ..summaries.windows import Windows
from .mismatches import reference_warnings
from .monitor import DriftMonitor
from .results import Alarm, MonitorStatus


@dataclass(frozen=True, slots=True)
class TickSpan:
    """The rows of one tick: `start` to `stop`, in time order."""

    tick: int
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class ClosedTick:
    """A closed tick; `row` is the number of rows up to its last one."""

    tick: int
    row: int
    alarms: tuple[Alarm, ...]


class Replay:
    """One run over stored rows.

    Attributes:
        monitor: the drift monitor that closes the ticks.
        mismatches: values so far whose type differs from the feature's type.

    Example:
        >>> import numpy as np
        >>> from pilotfish.detectors.batch import as_column
        >>> from pilotfish.detectors.detection.replay import Replay, tick_spans_by_rows
        >>> from pilotfish.detectors.reference.build import build_profile
        >>> from pilotfish.detectors.settings import DriftSettings
        >>> random = np.random.default_rng(1)
        >>> profile = build_profile({"x": random.normal(size=5000)}, exchangeable=True)
        >>> later = {"x": as_column(random.normal(loc=1.0, size=1000))}
        >>> closed = Replay(profile, DriftSettings()).run(later, tick_spans_by_rows(1000, rows_per_tick=100))
        >>> [(tick.tick, tick.row) for tick in closed if tick.alarms]
        [(0, 100)]
    """

    def __init__(self, profile: Profile, settings: DriftSettings) -> None:
        self._profile = profile
        self.monitor = DriftMonitor(profile, settings)
        self._counts = TickCounts(profile)
        self.mismatches = 0
        self._densities: list[float] = []

    def run(
        self, columns: Mapping[str, Column], spans: list[TickSpan], times: Floats | None = None
    ) -> Iterator[ClosedTick]:
        """Close tick after tick over `columns` ([rows] each, in time order); `times` are epoch seconds [rows]."""
        for span in spans:
            counts = self._count(columns, span, times)
            self.mismatches += int(counts.mismatches.sum())
            closed = self.monitor.close_tick(span.tick, counts)
            self._densities.append(self.monitor.density or 0.0)
            yield ClosedTick(span.tick, span.stop, closed.alarms)

    @property
    def status(self) -> MonitorStatus:
        """Evidence, effect sizes and episodes after the ticks so far."""
        return self.monitor.status()

    @property
    def warnings(self) -> tuple[str, ...]:
        """What makes the ticks differ from those of the reference; the density is that of a usual tick."""
        density = float(np.median(self._densities)) if self._densities else None
        return reference_warnings(self._profile, self.monitor.settings, density)

    @property
    def windows(self) -> Windows:
        """The counts of the past, by tick, hour and day."""
        return self.monitor.windows

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
        """Count the rows that have a label, as if the label had arrived with the row."""
        performance = self._profile.performance
        if performance is None or performance.label not in served or performance.prediction not in served:
            return
        words = frozenset(self._profile.missing_words)
        labelled = ~missing_mask(with_missing_words(served[performance.label], words))
        rows = int(labelled.sum())
        if rows:
            columns = {name: column.take(labelled) for name, column in served.items()}
            self._counts.add(Batch(columns, rows, "label", None if at is None else at[labelled]))


def tick_spans_by_rows(rows: int, rows_per_tick: float) -> list[TickSpan]:
    """Return ticks of evenly distributed rows, `rows_per_tick` (1 or more) in each."""
    edges = np.minimum(np.ceil(np.arange(0, rows / rows_per_tick + 1) * rows_per_tick), rows).astype(int)
    return [TickSpan(tick, int(edges[tick]), int(edges[tick + 1])) for tick in range(len(edges) - 1)]


def tick_spans_by_time(times: Floats, tick_seconds: float) -> list[TickSpan]:
    """Return the ticks of rows at `times` (epoch seconds, ascending); ticks without rows are left out."""
    ticks = np.floor(times / tick_seconds).astype(np.int64)
    edges = np.concatenate([[0], np.flatnonzero(np.diff(ticks)) + 1, [len(ticks)]])
    pairs = zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)
    return [TickSpan(int(ticks[start]), start, stop) for start, stop in pairs if stop > start]
