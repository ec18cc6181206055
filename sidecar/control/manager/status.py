"""Builds the status of one ModelMonitor from a view of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from ...log import whole_second
from ...report import wording
from ...report.control_status import IntentStatus
from ...report.schema import EpisodeReport, Report
from ...settings.retraining import Retrain
from ...settings.status import (
    MAX_EPISODES,
    Condition,
    EpisodeSummary,
    ModelMonitorStatus,
    PodsStatus,
    ProfileStatus,
    ReplicasStatus,
    RetrainingStatus,
)
from ..observe import PERFORMANCE
from ..reasons import Reason
from .conditions import ConditionFinding, MonitorView, findings
from .resizing_status import resources_status
from .scaling_status import ScalingFinding

MAX_SUMMARY = 1000  # characters
KINDS = {"webhook": "webhook", "job": "Job", "argo_workflow": "Workflow", "tekton_pipeline_run": "PipelineRun"}


def build_status(view: MonitorView, before: Mapping[str, Any] | None, now: float) -> dict[str, Any]:
    """Return the status as JSON values; a condition keeps the time of `before` while its status is the same."""
    old = {item.get("type"): item for item in (before or {}).get("conditions") or ()}
    state = next((one for one in view.versions if one.version == view.primary), None)
    status = ModelMonitorStatus(
        observed_generation=view.generation,
        conditions=tuple(_condition(item, old.get(item.type), view.generation, now) for item in findings(view)),
        episodes=_episodes(view),
        pods=PodsStatus(heard=view.heard, expected=view.expected),
        profile=ProfileStatus(hash=state.profile.hash, version=state.version)
        if state is not None and state.profile is not None
        else None,
        replicas=_replicas(view.scaling) if view.scaling is not None else None,
        resources=(resources_status(view.resizing),) if view.resizing is not None else (),
    )
    built: dict[str, Any] = msgspec.to_builtins(status)
    return built


def _condition(found: ConditionFinding, old: Mapping[str, Any] | None, generation: int, now: float) -> Condition:
    kept = old.get("lastTransitionTime") if old is not None and old.get("status") == found.status else None
    return Condition(
        type=found.type,
        status=found.status,  # type: ignore[arg-type]  # one of the three
        reason=found.reason,
        message=found.message[:MAX_SUMMARY],
        last_transition_time=kept or whole_second(now),
        observed_generation=generation,
    )


def _replicas(found: ScalingFinding) -> ReplicasStatus:
    return ReplicasStatus(
        current=found.current,
        desired=found.desired,
        reason=found.reason.camel,
        message=found.text[:MAX_SUMMARY],
        owner=found.owner,
        last_scale_time=whole_second(found.scaled_at) if found.scaled_at is not None else None,
    )


def _episodes(view: MonitorView) -> tuple[EpisodeSummary, ...]:
    if view.report is None or view.document is None:
        return ()
    intents = {item.episode: item for item in reversed(view.retrainings)}
    retrain = view.document.monitor.spec.retrain
    newest = sorted(view.report.episodes, key=lambda one: (one.opened_tick, one.id), reverse=True)[:MAX_EPISODES]
    return tuple(_episode(one, view.report, intents.get(one.id), retrain) for one in newest)


def _episode(
    episode: EpisodeReport, report: Report, intent: IntentStatus | None, retrain: Retrain | None
) -> EpisodeSummary:
    seconds = report.ticks.tick_seconds
    closed = episode.closed_tick
    return EpisodeSummary(
        id=episode.id,
        cause=Reason.PERFORMANCE if episode.family == PERFORMANCE else Reason.DRIFT,
        family=episode.family,
        opened_at=whole_second((episode.opened_tick + 1) * seconds),
        closed_at=whole_second((closed + 1) * seconds) if closed is not None and not episode.open else None,
        closed_by="" if episode.open else episode.closed_by or Reason.UNKNOWN,
        summary=_summary(episode, report)[:MAX_SUMMARY],
        retraining=_retraining(intent, retrain) if intent is not None else None,
    )


def _retraining(intent: IntentStatus, retrain: Retrain | None) -> RetrainingStatus:
    """Return what became of a retraining: of its object if there is one, else of its intent."""
    record = intent.retraining
    if record is not None:
        return RetrainingStatus(
            kind=record.kind, name=record.name or intent.receiver, state=record.state, reason=record.reason
        )
    reason = intent.error or intent.reason
    return RetrainingStatus(kind=_kind(retrain), name=intent.receiver, state=intent.state, reason=reason)


def _summary(episode: EpisodeReport, report: Report) -> str:
    """Return what changed, in words, without values from the traffic."""
    named = {feature.name for feature in episode.features}
    found = (feature for feature in report.features if feature.name in named)
    bare = tuple(msgspec.structs.replace(feature, new_values=()) for feature in found)
    return wording.summary(episode, bare, whole_second(episode.onset_tick * report.ticks.tick_seconds))


def _kind(retrain: Retrain | None) -> str:
    return next((shown for name, shown in KINDS.items() if retrain is not None and getattr(retrain, name)), "webhook")


def differs(built: Mapping[str, Any], present: Mapping[str, Any] | None, names: Iterable[str]) -> bool:
    """Return whether one of the fields `names` of the status differs from that of the object."""
    known = present or {}
    return any(built.get(name) != known.get(name) for name in names)


def merge_of(built: Mapping[str, Any], present: object) -> dict[str, Any]:
    """Return the JSON merge patch (RFC 7396) that turns `present` into `built`: null removes a field that is absent."""
    known = present if isinstance(present, Mapping) else {}
    removed = dict.fromkeys(known.keys() - built.keys())
    return removed | {
        name: merge_of(value, known.get(name)) if isinstance(value, Mapping) else value for name, value in built.items()
    }


def only_growth(built: Mapping[str, Any], present: Mapping[str, Any] | None) -> bool:
    """Return whether the two differ only in what grows with each measurement of resources, such as samples."""
    return _ungrown(built) == _ungrown(present or {})


def only_words(built: Mapping[str, Any], present: Mapping[str, Any] | None) -> bool:
    """Return whether the two differ only in the messages about replicas and resources, and in what grows."""
    return _unworded(built) == _unworded(present or {})


def _unworded(status: Mapping[str, Any]) -> dict[str, Any]:
    replicas = status.get("replicas")
    return {
        **_ungrown(status, "Resizing", "Scaling"),
        "replicas": {**replicas, "message": ""} if replicas else None,
    }


def _ungrown(status: Mapping[str, Any], *conditions: str) -> dict[str, Any]:
    quiet = conditions or ("Resizing",)
    return {
        **status,
        "conditions": [
            {**item, "message": ""} if item.get("type") in quiet else item for item in status.get("conditions") or ()
        ],
        "resources": [{**item, **_VARYING} for item in status.get("resources") or ()],
    }


_VARYING = {"message": "", "samples": 0, "confidence": 0.0, "lowerBound": None, "upperBound": None, "uncapped": None}
