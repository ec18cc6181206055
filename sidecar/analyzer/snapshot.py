"""Builds the immutable snapshot that all other threads read; the worker publishes one after each save.

pipeline -> Publisher.publish -> Snapshot -> http/, telemetry, control loop

A snapshot must not share mutable objects with the pipeline, because it is read without a lock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from ...detectors.detection.mismatches import reference_warnings
from ...detectors.detection.results import MonitorStatus
from ...detectors.profile.profile import Profile
from ...detectors.quality.findings import FINDING_KINDS
from ...detectors.summaries.counts import Counts
from ...detectors.summaries.windows import Window
from ..report import convert
from ..report import schema as report
from .column_totals import ColumnTotals, MonitoredColumn
from .counters import ALARMS, FINDINGS, LATE_ROWS, PREDICTIONS_UNREAD, ROWS, TICKS, Counters
from .exchange_ledger import OUTCOMES
from .feedback import summary as feedback_summary
from .pipeline import Pipeline
from .profile_monitor import ProfileMonitor
from .sync.unacknowledged import SyncSnapshot


@dataclass(frozen=True)
class Snapshot:
    """The report, the windows of its timeline, the counts of the open ticks for `GET /state`.

    `monitored` are the columns of the profile in force, `columns` the totals of its features, and `unknown_columns` the
    names of live columns that it does not have. `sync` is what the last checkpoint allows to send to the controller;
    it is None without one.
    """

    report: report.Report
    profile: Profile | None = None
    windows: tuple[Window, ...] = ()
    open_counts: Mapping[int, Counts] = field(default_factory=dict)
    columns: ColumnTotals | None = None
    unknown_columns: frozenset[str] = frozenset()
    monitored: tuple[MonitoredColumn, ...] = ()
    sync: SyncSnapshot | None = None


class Publisher:
    """Builds snapshots; it reuses the parts that only a closed tick or episode changes."""

    def __init__(self, started_at: float) -> None:
        self._started_at = started_at
        self._status: MonitorStatus | None = None
        self._features: tuple[report.FeatureReport, ...] = ()
        self._windows: tuple[Window, ...] = ()
        self._performance: report.Performance | None = None
        self._sync: SyncSnapshot | None = None

    def publish(
        self,
        pipeline: Pipeline,
        checkpoint: report.CheckpointStatus,
        problems: Mapping[str, str],
        now: float,
        stored_rows: tuple[report.StoredRows, ...] = (),
    ) -> Snapshot:
        """Return the snapshot at `now` (epoch seconds); `problems` are the warnings from outside the pipeline."""
        monitor = pipeline.active.monitor
        profile = monitor.profile if monitor else None
        status = monitor.status if monitor else None
        if status is not self._status:
            self._status = status
            self._features = _features(monitor, status)
            self._windows = monitor.engine.windows.snapshot() if monitor else ()
            self._performance = _performance(monitor, status)
        if pipeline.sync is not None and not checkpoint.error:
            self._sync = pipeline.sync.snapshot()
        settings, counters, learning = pipeline.settings, pipeline.counters, pipeline.learning.current
        streams = pipeline.streams.listing()
        state: report.State = "idle" if pipeline.idle_reason else "watching" if monitor else "unprofiled"
        built = report.Report(
            made_at=now,
            started_at=self._started_at,
            state=state,
            reason=pipeline.idle_reason or ("" if monitor else _unprofiled(learning)),
            mode=settings.mode,
            model=settings.model or (profile.model if profile else ""),
            version=settings.version or (profile.version if profile else ""),
            profile=convert.profile_info(profile) if profile else None,
            counts=_counts(counters),
            rows=_rows(counters),
            predictions_unread={reason: amount for (reason,), amount in counters.of(PREDICTIONS_UNREAD).items()},
            type_mismatches=int(monitor.mismatches.sum()) if monitor else 0,
            ticks=_ticks(pipeline),
            families=_families(status, counters),
            features=self._features,
            episodes=pipeline.active.episodes(),
            budget=convert.budget(settings.drift, counters.get(TICKS.key()), sum(counters.of(ALARMS).values())),
            checkpoint=checkpoint,
            columns=pipeline.unprofiled.listing(),
            feedback=feedback_summary.feedback(pipeline.feedback.joiner, counters),
            performance=self._performance,
            findings=_findings(monitor),
            findings_total={kind: counters.get(FINDINGS.key(kind)) for kind in FINDING_KINDS},
            learning=learning,
            kept_rows=stored_rows,
            decisions=pipeline.decisions,
            streams=streams,
            warnings=(
                *pipeline.notices.texts(),
                *problems.values(),
                *_reference_warnings(pipeline, monitor, status),
                *_detector_warnings(streams),
            ),
        )
        if monitor is None:
            return Snapshot(built, sync=self._sync)
        return Snapshot(
            built,
            profile,
            self._windows,
            monitor.open_counts,
            monitor.column_totals,
            monitor.quality.unknown_columns,
            monitor.columns,
            self._sync,
        )


def _performance(monitor: ProfileMonitor | None, status: MonitorStatus | None) -> report.Performance | None:
    if monitor is None or status is None:
        return None
    return feedback_summary.performance(monitor.profile, monitor.engine.windows, status.episodes)


def _reference_warnings(
    pipeline: Pipeline, monitor: ProfileMonitor | None, status: MonitorStatus | None
) -> tuple[str, ...]:
    """Return a warning for each way in which live ticks differ from those of the reference."""
    if monitor is None or status is None:
        return ()
    return reference_warnings(monitor.profile, pipeline.settings.drift, status.density)


def _detector_warnings(streams: tuple[report.StreamDetectorStatus, ...]) -> list[str]:
    """Return a warning for each stream detector that receives no values."""
    return [f"spec.drift.detectors: {item.type} on {item.stream}: {item.problem}" for item in streams if item.problem]


def _unprofiled(learning: report.LearningStatus | None) -> str:
    """Return why there is no profile, and what is counted without one."""
    counted = "traffic, rows and missing values are counted"
    if learning is None:
        return f"no profile: {counted}"
    if learning.state == "gave_up":
        return (
            f"no profile, {counted}; learning failed {learning.tries} times: {learning.problem}; "
            "start again with POST /rebaseline, or set a profile with PUT /profile"
        )
    return f"no profile yet, {counted}; one is learned from the first {learning.wanted} rows"


def _features(monitor: ProfileMonitor | None, status: MonitorStatus | None) -> tuple[report.FeatureReport, ...]:
    if monitor is None or status is None:
        return ()
    new_values = monitor.quality.new_values()
    return tuple(
        msgspec.structs.replace(
            item, new_values=tuple(report.NewValue(value, rows) for value, rows in new_values.get(item.name, ()))
        )
        for item in convert.features(monitor.profile, status)
    )


def _families(status: MonitorStatus | None, counters: Counters) -> tuple[report.Family, ...]:
    """Return the families with the alarms of all profiles; the engine counts those of the profile in force only."""
    found = convert.families(status) if status else ()
    return tuple(msgspec.structs.replace(item, alarms_total=counters.get(ALARMS.key(item.name))) for item in found)


def _findings(monitor: ProfileMonitor | None) -> tuple[report.QualityFinding, ...]:
    return convert.findings(monitor.quality.findings) if monitor else ()


def _counts(counters: Counters) -> tuple[report.ExchangeCount, ...]:
    return tuple(
        report.ExchangeCount(kind.name, "".join(labels), amount)
        for kind in OUTCOMES
        for labels, amount in counters.of(kind).items()
    )


def _rows(counters: Counters) -> tuple[report.RowCount, ...]:
    return tuple(report.RowCount(model, side, amount) for (side, model), amount in counters.of(ROWS).items())


def _ticks(pipeline: Pipeline) -> report.TickStatus:
    clock, counters = pipeline.ticks, pipeline.counters
    return report.TickStatus(
        tick_seconds=pipeline.settings.drift.tick_seconds,
        open=tuple(clock.open),
        last_closed=clock.closed_through if clock.closed_through >= 0 else None,
        closed_total=counters.get(TICKS.key()),
        late_rows=counters.get(LATE_ROWS.key()),
    )
