"""The profile monitor: turns rows into counts of the open ticks, and passes the counts of closed ticks to the engine.

`active_profile.py` owns one monitor at a time. Rows are encoded in blocks, because many small batches are slow; the
counts must not depend on how rows are grouped into blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import numpy as np

from ...detectors.batch import SIDES, Batch, Floats, Ints, Side
from ...detectors.detection.results import EpisodeChange, MonitorStatus, TickResult
from ...detectors.profile.profile import Profile
from ...detectors.quality.findings import Finding
from ...detectors.quality.monitor import QualityMonitor
from ...detectors.summaries.counts import Counts, TickCounts
from ...detectors.transforms import LARGE_VALUE_KINDS
from .column_totals import ColumnTotals, monitored_columns
from .decode import Cells, DecodedExchange, Rows
from .engine import TickEngine

TickCallback = Callable[[Profile, int, Counts], None]

BLOCK_ROWS = 64  # rows encoded together; few enough to stay in the processor's cache


class OpenTick:
    """The counts of one open tick. `counts` holds the rows encoded up to the last `flush`."""

    def __init__(self, profile: Profile, counts: Counts, quality: QualityMonitor) -> None:
        self._incoming = TickCounts(profile, quality.add_unseen_values)
        self._check_quality = quality.observe
        self._waiting: dict[Side, PendingRows] = {side: PendingRows(side) for side in SIDES}
        self._needs_times = bool(profile.transforms)  # only transforms use the time of a row
        # large values are encoded at once, so that waiting rows use bounded memory
        self._encode_at_once = any(transform.kind in LARGE_VALUE_KINDS for transform in profile.transforms)
        self.counts = counts

    def add(self, side: Side, rows: Rows, at: float) -> None:
        """Add rows of the time `at` in epoch seconds: the time of the exchange, or of the label for side "label"."""
        waiting = self._waiting[side]
        waiting.parts.append(rows)
        waiting.times.append(at)
        waiting.rows += rows.count
        if waiting.rows >= BLOCK_ROWS or self._encode_at_once:
            self._encode(waiting)

    def flush(self) -> Counts:
        """Encode the waiting rows and return all counts so far."""
        for waiting in self._waiting.values():
            self._encode(waiting)
        if any(self._incoming.rows(side) for side in SIDES):
            self.counts += self._incoming.take()
        return self.counts

    def _encode(self, waiting: PendingRows) -> None:
        parts, times = waiting.parts, waiting.times
        waiting.parts, waiting.times, waiting.rows = [], [], 0
        at: Floats | None = np.repeat(times, [part.count for part in parts]) if self._needs_times else None
        first = 0
        for rows in concatenate_rows(parts):
            block_times = None if at is None else at[first : first + rows.count]
            batch = Batch(rows.columns, rows.count, waiting.side, block_times)
            self._check_quality(batch)
            self._incoming.add(batch)
            first += rows.count


@dataclass
class PendingRows:
    """Decoded rows of one side that wait to be encoded together."""

    side: Side
    parts: list[Rows] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    rows: int = 0


def concatenate_rows(parts: list[Rows]) -> list[Rows]:
    """Return all rows as one part if all parts have the same columns, otherwise the parts unchanged."""
    if len(parts) < 2 or len({len(part.columns) for part in parts}) > 1:
        return parts
    dicts = [part.columns for part in parts]
    try:
        columns: dict[str, Cells] = {
            name: list(chain.from_iterable([part[name] for part in dicts])) for name in dicts[0]
        }
    except KeyError:  # the same number of columns with other names
        return parts
    return [Rows(columns, sum(part.count for part in parts))]


class ProfileMonitor:
    """Counts rows against one profile. Not thread-safe: the worker is the only caller.

    `mismatches` counts values per feature whose type differs from the feature's; `last_counts` are the counts of the
    tick that closed last; `columns` are the monitored columns of the profile.
    """

    def __init__(self, profile: Profile, engine: TickEngine, on_closed: TickCallback | None = None) -> None:
        """Count against `profile`; `on_closed` is called with the counts of each closed tick."""
        self._on_closed = on_closed
        self.profile = profile
        self.engine = engine
        self._status: MonitorStatus | None = None
        self.mismatches: Ints = np.zeros(len(profile.features), np.int64)
        self.quality = QualityMonitor(profile)
        self._found: list[Finding] = []
        self.last_counts = Counts.empty(profile)
        self.columns = monitored_columns(profile)
        self._closed_totals = ColumnTotals.of(profile, self.last_counts)
        self._open: dict[int, OpenTick] = {}

    @property
    def status(self) -> MonitorStatus:
        """Evidence, effect sizes and episodes; the same object until a tick or an episode closes."""
        if self._status is None:
            self._status = self.engine.status()
        return self._status

    @property
    def open_counts(self) -> dict[int, Counts]:
        """The counts of the open ticks, as of the last `flush`."""
        return {tick: opened.counts for tick, opened in sorted(self._open.items())}

    @property
    def column_totals(self) -> ColumnTotals:
        """The totals per feature since this monitor began, as of the last `flush`."""
        total = self._closed_totals
        for counts in self.open_counts.values():
            total += ColumnTotals.of(self.profile, counts)
        return total

    def add(self, tick: int, decoded: DecodedExchange, at: float) -> None:
        """Count the rows of one exchange of the time `at` (epoch seconds) in `tick`."""
        opened = self._opened(tick)
        opened.add("input", decoded.inputs, at)
        if decoded.outputs is not None:
            opened.add("prediction", decoded.outputs, at)

    def add_labels(self, tick: int, rows: Rows, at: float) -> None:
        """Count labelled rows in `tick`; `rows` has predictions and labels, which arrived `at` (epoch seconds)."""
        self._opened(tick).add("label", rows, at)

    def _opened(self, tick: int) -> OpenTick:
        opened = self._open.get(tick)
        if opened is None:
            opened = self._open[tick] = OpenTick(self.profile, Counts.empty(self.profile), self.quality)
        return opened

    def flush(self) -> None:
        """Encode the rows that wait in the open ticks."""
        for opened in self._open.values():
            opened.flush()

    def close(self, tick: int) -> TickResult | None:
        """Pass the counts of `tick` to the engine and return the result; None when the tick had no rows."""
        opened = self._open.pop(tick, None)
        if opened is None:
            return None
        counts = opened.flush()
        result = self.engine.close_tick(tick, counts)
        self._status = None
        self.mismatches = self.mismatches + counts.mismatches
        self.last_counts = counts
        if self._on_closed is not None:
            self._on_closed(self.profile, tick, counts)
        self._closed_totals += ColumnTotals.of(self.profile, counts)
        self._found += self.quality.close_tick(tick, counts)
        return result

    def new_findings(self) -> list[Finding]:
        """Return the findings since the last call."""
        found, self._found = self._found, []
        return found

    def close_episode(self, episode_id: str, by: str) -> tuple[EpisodeChange, ...]:
        """Close an open episode; raise StateError when no open episode has this id."""
        self._status = None
        return self.engine.close_episode(episode_id, by)

    def close_all(self, by: str) -> list[TickResult]:
        """Close the open ticks before their end, then all episodes; return the results of the ticks."""
        results = [self.close(tick) for tick in sorted(self._open)]
        for episode in self.status.episodes:
            if episode.open:
                self.engine.close_episode(episode.id, by)
        self._status = None
        return [result for result in results if result is not None]

    def state(self) -> dict[str, Any]:
        """Return plain values for the checkpoint; call `flush` first."""
        return {
            "profile_hash": self.profile.hash,
            "engine": self.engine.state(),
            "quality": self.quality.state(),
            "open": {str(tick): opened.counts.state() for tick, opened in self._open.items()},
            "mismatches": self.mismatches.astype("<i8").tobytes(),
        }

    def resume(self, state: Mapping[str, Any]) -> None:
        """Restore all but the engine from `state`; raise DetectorError, KeyError or ValueError when it does not fit."""
        counts = {int(tick): Counts.from_state(self.profile, item) for tick, item in state["open"].items()}
        mismatches = np.frombuffer(state["mismatches"], "<i8").astype(np.int64)
        if mismatches.shape != self.mismatches.shape:
            raise ValueError(f"the checkpoint has {len(mismatches)} features, the profile has {len(self.mismatches)}")
        self.quality.restore(state["quality"])
        self._open = {tick: OpenTick(self.profile, item, self.quality) for tick, item in counts.items()}
        self.mismatches = mismatches
