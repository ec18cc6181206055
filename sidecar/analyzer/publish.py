"""From the worker's mind to what everything else reads: one immutable snapshot after each checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from ...detectors.detection.results import MonitorStatus
from ...detectors.profile.profile import Profile
from ...detectors.quality import FINDING_KINDS
from ...detectors.summaries.counts import Counts
from ...detectors.summaries.windows import Window
from ..report import schema as report
from ..report.timeline import convert as retold
from .core import Core
from .feedback import block
from .ledger import DROPPED, MEASURED, UNDECODABLE
from .watch import Watch

DENSE = 10.0  # times the reference's rows a tick, from which on silence says little


@dataclass(frozen=True)
class Published:
    """The report, the windows for its time line, and the counts of the open ticks for `/state`."""

    report: report.Report
    profile: Profile | None = None
    windows: tuple[Window, ...] = ()
    open_counts: Mapping[int, Counts] = field(default_factory=dict)


class Publisher:
    """Makes snapshots; what only a closed tick changes is kept from one to the next."""

    def __init__(self, started_at: float) -> None:
        self._started_at = started_at
        self._status: MonitorStatus | None = None
        self._features: tuple[report.Feature, ...] = ()
        self._windows: tuple[Window, ...] = ()
        self._performance: report.Performance | None = None

    def publish(
        self,
        core: Core,
        checkpoint: report.Durability,
        problems: Mapping[str, str],
        now: float,
        kept_rows: tuple[report.KeptRows, ...] = (),
    ) -> Published:
        """Return the snapshot of this moment; `problems` and `kept_rows` are from outside of the core."""
        watch = core.watch
        profile = watch.profile if watch else None
        status = watch.status if watch else None
        if status is not self._status:
            self._status = status
            self._features = _features(watch, status)
            self._windows = watch.engine.windows.snapshot() if watch else ()
            self._performance = _performance(watch, status)
        totals = core.ledger.totals
        alarms = sum(amount for name, amount in totals.items() if name.startswith("alarms:"))
        state: report.State = "idle" if core.idle_reason else "watching" if watch else "unprofiled"
        made = report.Report(
            made_at=now,
            started_at=self._started_at,
            state=state,
            reason=core.idle_reason or ("" if watch else _unprofiled(core)),
            mode=core.setup.mode,
            model=core.setup.model or (profile.model if profile else ""),
            version=core.setup.version or (profile.version if profile else ""),
            profile=retold.profile_info(profile) if profile else None,
            counts=_counts(totals),
            rows=_rows(totals),
            type_mismatches=int(watch.mismatches.sum()) if watch else 0,
            ticks=_ticks(core),
            families=_families(status, totals),
            features=self._features,
            episodes=core.episodes(),
            budget=retold.budget(core.setup.drift, totals.get("ticks", 0), alarms),
            checkpoint=checkpoint,
            columns=core.columns.listing(),
            feedback=block.feedback(core.labels, totals),
            performance=self._performance,
            findings=_findings(watch),
            findings_total={kind: totals.get(f"finding:{kind}", 0) for kind in FINDING_KINDS},
            learning=core.learner.learning,
            kept_rows=kept_rows,
            decisions=core.decisions,
            streams=core.streams.listing(totals),
            warnings=(*core.warnings.values(), *problems.values(), *_too_dense(status), *_silent(core)),
        )
        return Published(made, profile, self._windows, watch.open_counts if watch else {})


def _performance(watch: Watch | None, status: MonitorStatus | None) -> report.Performance | None:
    if watch is None or status is None:
        return None
    return block.performance(watch.profile, watch.engine.windows, status.episodes)


def _too_dense(status: MonitorStatus | None) -> tuple[str, ...]:
    """What to say where the last tick carried so many rows that its evidence was divided almost to nothing."""
    if status is None or status.density is None or status.density <= DENSE:
        return ()
    times = f"a tick carries {status.density:,.0f} times the rows of one of the reference"
    remedy = "build the profile from traffic as dense, or, of rows replayed faster than they happened, without times"
    return (f"{times}, and evidence is divided by that: drift is found late or never; {remedy}",)


def _silent(core: Core) -> list[str]:
    """Return what is to be said of detectors on streams that are not fed."""
    found = core.streams.listing({})
    return [f"spec.drift.detectors: {item.type} on {item.stream}: {item.problem}" for item in found if item.problem]


def _unprofiled(core: Core) -> str:
    """Return why there is no profile, and what is done without one."""
    counted = "traffic, rows and missing values are counted"
    learning = core.learner.learning
    if learning is None:
        return f"no profile: {counted}"
    if learning.state == "gave_up":
        return (
            f"no profile, {counted}; learning one was given up after {learning.tries} tries: {learning.problem}; "
            "POST /rebaseline tries anew, PUT /profile gives one"
        )
    return f"no profile yet, {counted}; one is learnt from the first {learning.wanted} rows"


def _features(watch: Watch | None, status: MonitorStatus | None) -> tuple[report.Feature, ...]:
    if watch is None or status is None:
        return ()
    novel = watch.quality.new_values()
    return tuple(
        msgspec.structs.replace(
            item, new_values=tuple(report.NewValue(value, rows) for value, rows in novel.get(item.name, ()))
        )
        for item in retold.features(watch.profile, status)
    )


def _families(status: MonitorStatus | None, totals: Mapping[str, int]) -> tuple[report.Family, ...]:
    """Return the families with the ledger's alarms: the engine's own begin anew with each profile."""
    found = retold.families(status) if status else ()
    return tuple(msgspec.structs.replace(item, alarms_total=totals.get(f"alarms:{item.name}", 0)) for item in found)


def _findings(watch: Watch | None) -> tuple[report.Finding, ...]:
    found = watch.quality.findings if watch else ()
    return tuple(msgspec.convert(item, report.Finding, from_attributes=True) for item in found)


def _counts(totals: Mapping[str, int]) -> tuple[report.Count, ...]:
    split = ((name.partition(":"), amount) for name, amount in sorted(totals.items()))
    return tuple(
        report.Count(fate, reason, amount)
        for (fate, _, reason), amount in split
        if fate in (MEASURED, UNDECODABLE, DROPPED)
    )


def _rows(totals: Mapping[str, int]) -> tuple[report.Rows, ...]:
    found = []
    for name, amount in sorted(totals.items()):
        if name.startswith("rows:"):
            _, side, model = name.split(":", 2)
            found.append(report.Rows(model, side, amount))
    return tuple(found)


def _ticks(core: Core) -> report.Ticks:
    clock, totals = core.clock, core.ledger.totals
    return report.Ticks(
        tick_seconds=core.setup.drift.tick_seconds,
        open=tuple(clock.open),
        last_closed=clock.closed_through if clock.closed_through >= 0 else None,
        closed_total=totals.get("ticks", 0),
        late_rows=totals.get("late_rows", 0),
    )
