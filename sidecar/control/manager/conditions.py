"""The conditions of one monitor, by the rules of `control.conditions`. Pure.

Ready is about the work of Pilotfish: drift of the model never makes it False.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ...errors import number
from ...reason import camel_case
from ...report.control_status import ControlStatus, IntentStatus
from ...report.schema import BlindSpot, EpisodeReport, Report
from ...settings.document import ProfileSource
from ..conditions import CONDITIONS
from ..fleet.status import FleetStatus
from ..ledger import DEAD, DELIVERED, PENDING
from ..reasons import Reason
from ..retrain.record import REQUESTED, RETRAIN, RUNNING
from .accepted import AcceptedDocument
from .blindness import BYPASSED, held
from .core import VersionState
from .injection import InjectionFinding
from .resizing_status import ResizingFinding
from .scaling_status import ScalingFinding
from .trouble import Trouble

TRUE, FALSE, UNKNOWN = "True", "False", "Unknown"
ATTEMPTS = 3  # failed ones, after which a pending retraining is shown as blocked
SHOWN_PODS = 5  # names in a message
_WORKING = frozenset((Reason.LEARNING, Reason.MONITORING))
_UNSURE = frozenset((Reason.API_SERVER_UNREACHABLE, Reason.WAITING))
_UNDER_WAY = frozenset((REQUESTED, RUNNING))
_FUTILE = frozenset((Reason.NO_IMPROVEMENT, Reason.RETRAINING_FAILED, Reason.RETRAINING_GONE))
_NOT_LEARNING = {  # why no profile is being learned, by what the monitor does
    Reason.MONITORING: Reason.PROFILE_IN_FORCE,
    Reason.QUORUM_MISSING: Reason.PROFILE_IN_FORCE,
    Reason.VERSION_UNPROFILED: Reason.NO_PROFILE,
}


@dataclass(frozen=True, slots=True)
class ConditionFinding:
    """One condition without its times: `type`, `status`, the CamelCase `reason` and the `message`."""

    type: str
    status: str
    reason: str
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorView:
    """Everything that the status of a monitor shows.

    Attributes:
        generation: of the newest document.
        document: the one in force; None without any.
        troubles: what prevents the monitor from working, the most important first.
        versions, wanted, served, primary: as in `MonitorCore`.
        fleet: the status of the detector of the primary version.
        heard, expected: pods of all versions that sent counts lately, and ready pods.
        injection: how many pods of the target have a sidecar, and why others have none; None if that is not known yet.
        bypass_trouble: why the Services that lead to the pods cannot be read.
        shared: pods of the target that follow another monitor.
        clock_off: names of pods whose clock differs from the controller's.
        report: what was published last.
        stopped: the reason for which nothing is acted on; None if actions are allowed.
        scaling: the replicas; None without a block `spec.scaling`.
        resizing: the resources; None without a block `spec.resources`.
    """

    generation: int
    document: AcceptedDocument | None
    troubles: tuple[Trouble, ...] = ()
    versions: tuple[VersionState, ...] = ()
    wanted: Mapping[str, ProfileSource]
    served: frozenset[str] = frozenset()
    primary: str | None = None
    fleet: FleetStatus | None = None
    heard: int = 0
    expected: int = 0
    injection: InjectionFinding | None = None
    bypass_trouble: Trouble | None = None
    shared: int = 0
    clock_off: tuple[str, ...] = ()
    report: Report | None = None
    blind: tuple[BlindSpot, ...] = ()
    control: ControlStatus | None = None
    stopped: Reason | None = None
    loaded: bool = True
    contact_lost: bool = False
    scaling: ScalingFinding | None = None
    resizing: ResizingFinding | None = None

    @property
    def open_episodes(self) -> tuple[EpisodeReport, ...]:
        """The open episodes of the published report."""
        return tuple(episode for episode in self.report.episodes if episode.open) if self.report is not None else ()

    @property
    def retrainings(self) -> tuple[IntentStatus, ...]:
        """The retrainings in the report of the control loop, the newest first."""
        return tuple(item for item in self.control.intents if item.kind == RETRAIN) if self.control is not None else ()


def findings(view: MonitorView) -> tuple[ConditionFinding, ...]:
    """Return the conditions of `view`, one of each type, in the order of the table."""
    work = _work(view)
    found = {
        "Ready": _ready(view, work),
        "Injected": _injected(view, work),
        "Observing": _observing(work),
        "Learning": _learning(work),
        "Drifted": _drifted(view, work),
        "Retraining": _retraining(view),
        "Scaling": _scaling(view),
        "Resizing": _resizing(view),
        "Blocked": _blocked(view),
        "Degraded": _degraded(view),
    }
    return tuple(ConditionFinding(type_, *found[type_]) for type_ in CONDITIONS)


Answer = tuple[str, str, str]  # status, reason, message


def _work(view: MonitorView) -> Trouble:
    """Return what the monitor does at present, or the most important reason why it does not work."""
    if view.contact_lost:
        return _trouble(Reason.API_SERVER_UNREACHABLE)
    if view.troubles:
        return view.troubles[0]
    if not view.loaded or view.document is None:
        return _trouble(Reason.WAITING)
    if not view.served:
        if view.shared:
            return _shared(view)
        return _uninjected(view.injection) or _trouble(Reason.NO_PODS)
    if bypassed := next((spot for spot in view.blind if spot.reason == BYPASSED), None):
        return Trouble(Reason.BYPASSED, bypassed.text)
    if not view.document.monitor.spec.profiles:
        return _trouble(Reason.NO_PROFILE)
    source = view.wanted.get(view.primary or "")
    state = next((state for state in view.versions if state.version == view.primary), None)
    if source is None:
        return _trouble(Reason.VERSION_UNPROFILED if view.primary is not None else Reason.WAITING)
    if state is None or state.profile is None:
        if state is not None and state.trouble is not None:
            return state.trouble
        return _trouble(Reason.LEARNING if source.learn is not None else Reason.WAITING)
    if view.fleet is not None and view.fleet.holding:
        return Trouble(Reason.QUORUM_MISSING, f"{held(view.fleet)}; {Reason.QUORUM_MISSING.remedy}")
    return _trouble(Reason.MONITORING)


def _uninjected(found: InjectionFinding | None) -> Trouble | None:
    return Trouble(Reason.NOT_INJECTED, found.text) if found is not None and found.others else None


def _shared(view: MonitorView) -> Trouble:
    reason = Reason.TARGET_SHARED
    return Trouble(reason, f"{number(view.shared, 'pod')} of the target: {reason.meaning}; {reason.remedy}")


def _trouble(reason: Reason) -> Trouble:
    return Trouble(reason, "; ".join(filter(None, (reason.meaning, reason.remedy))))


def _injected(view: MonitorView, work: Trouble) -> Answer:
    found, unknown = view.injection, CONDITIONS["Injected"].unknown
    if view.contact_lost or found is None or work.reason is Reason.TARGET_NOT_FOUND:
        known = work if work.reason in unknown else _trouble(Reason.WAITING)
        return UNKNOWN, known.reason.camel, known.text
    if found.trouble is not None and found.trouble.reason in unknown:
        return UNKNOWN, found.trouble.reason.camel, found.trouble.text
    if found.others:
        return FALSE, Reason.NOT_INJECTED.camel, found.text
    if not found.injected:
        return UNKNOWN, Reason.NO_PODS.camel, "the target has no pods at present"
    return TRUE, Reason.INJECTED.camel, found.text


def _ready(view: MonitorView, work: Trouble) -> Answer:
    working = work.reason in _WORKING or work.reason is Reason.NO_PROFILE
    status = TRUE if working else UNKNOWN if work.reason in _UNSURE else FALSE
    partly = _uninjected(view.injection) if working else None
    text = f"{work.text}; {partly.text}" if partly is not None else work.text
    return status, work.reason.camel, text


def _observing(work: Trouble) -> Answer:
    if work.reason is Reason.API_SERVER_UNREACHABLE:
        work = _trouble(Reason.WAITING)
    status = TRUE if work.reason in _WORKING else UNKNOWN if work.reason is Reason.WAITING else FALSE
    return status, work.reason.camel, work.text


def _learning(work: Trouble) -> Answer:
    if work.reason is Reason.LEARNING:
        return TRUE, work.reason.camel, work.text
    reason = _NOT_LEARNING.get(work.reason, work.reason)
    if reason in CONDITIONS["Learning"].false:
        return FALSE, reason.camel, reason.meaning
    return UNKNOWN, Reason.WAITING.camel, Reason.WAITING.meaning


def _drifted(view: MonitorView, work: Trouble) -> Answer:
    if view.open_episodes:
        names = ", ".join(episode.id for episode in view.open_episodes)
        text = f"{Reason.DRIFT_DETECTED.meaning}: {names}; {Reason.DRIFT_DETECTED.remedy}"
        return TRUE, Reason.DRIFT_DETECTED.camel, text
    if work.reason is Reason.MONITORING:
        return FALSE, Reason.NO_DRIFT.camel, Reason.NO_DRIFT.meaning
    reason = work.reason if work.reason in CONDITIONS["Drifted"].unknown else Reason.WAITING
    return UNKNOWN, reason.camel, work.text


def _retraining(view: MonitorView) -> Answer:
    """Return the state of the newest retraining that was decided."""
    for item in view.retrainings:
        record = item.retraining
        ended = record is not None and record.reason in CONDITIONS["Retraining"].false
        if item.state == PENDING or (record is not None and record.state in _UNDER_WAY and not ended):
            return TRUE, Reason.RETRAINING_REQUESTED.camel, f"{Reason.RETRAINING_REQUESTED.meaning}: {item.id}"
        if record is not None and record.reason in CONDITIONS["Retraining"].false:
            return FALSE, camel_case(record.reason), record.detail or _explained(record.reason)
        if item.state == DELIVERED:
            break
    return FALSE, Reason.IDLE.camel, Reason.IDLE.meaning


def _scaling(view: MonitorView) -> Answer:
    found, kind = view.scaling, CONDITIONS["Scaling"]
    if found is None:
        return FALSE, Reason.NOT_CONFIGURED.camel, "the document has no spec.scaling, so the replicas are not changed"
    if found.held is None:
        reason = Reason.PUBLISHED if found.published else Reason.SCALING
        return TRUE, reason.camel, "; ".join(filter(None, (reason.meaning, found.message)))
    reason = found.held.reason
    status = TRUE if reason in kind.true else UNKNOWN if reason in kind.unknown else FALSE
    return status, reason.camel, found.text


def _resizing(view: MonitorView) -> Answer:
    found, kind = view.resizing, CONDITIONS["Resizing"]
    if found is None:
        text = "the document has no spec.resources, so requests and limits are not changed"
        return FALSE, Reason.NOT_CONFIGURED.camel, text
    status = TRUE if found.reason in kind.true else UNKNOWN if found.reason in kind.unknown else FALSE
    return status, found.reason.camel, found.text or found.reason.meaning


def _blocked(view: MonitorView) -> Answer:
    if view.stopped:
        return TRUE, view.stopped.camel, _trouble(view.stopped).text
    open_ids = {episode.id for episode in view.open_episodes}
    for item in view.retrainings:
        record = item.retraining
        if record is not None and record.reason in _FUTILE and (open_ids or record.reason == Reason.NO_IMPROVEMENT):
            text = f"the retraining {item.id}: {record.detail or _explained(record.reason)}"
            return TRUE, camel_case(record.reason), text
        stuck = item.state == DEAD or (item.state == PENDING and item.attempts >= ATTEMPTS)
        if item.error and stuck and item.episode in open_ids:
            why = item.detail or _explained(item.error)
            text = f"the retraining {item.id} was not delivered after {item.attempts} attempts: {why}"
            return TRUE, camel_case(item.error), text
        if item.state == DELIVERED:
            break
    return FALSE, Reason.NO_PROBLEM.camel, Reason.NO_PROBLEM.meaning


def _degraded(view: MonitorView) -> Answer:
    allowed = CONDITIONS["Degraded"].true
    for trouble in _limits(view):
        if trouble.reason in allowed:
            return TRUE, trouble.reason.camel, trouble.text
    return FALSE, Reason.NO_PROBLEM.camel, Reason.NO_PROBLEM.meaning


def _limits(view: MonitorView) -> Iterator[Trouble]:
    """Yield everything that limits the work of the monitor."""
    yield from view.troubles
    yield from (Trouble(Reason.BYPASSED, spot.text) for spot in view.blind if spot.reason == BYPASSED)
    yield from (state.trouble for state in view.versions if state.trouble is not None)
    if view.document is not None and view.document.monitor.spec.profiles:
        for version in sorted(view.served - view.wanted.keys()):
            yield Trouble(Reason.VERSION_UNPROFILED, f"{Reason.VERSION_UNPROFILED.meaning}: {version or 'no version'}")
    if partly := _uninjected(view.injection):
        yield partly
    if view.injection is not None and view.injection.trouble is not None:
        yield view.injection.trouble
    if view.bypass_trouble is not None:
        yield view.bypass_trouble
    if view.shared:
        yield _shared(view)
    if view.clock_off:
        pods = ", ".join(view.clock_off[:SHOWN_PODS]) + (" and others" if len(view.clock_off) > SHOWN_PODS else "")
        yield Trouble(Reason.CLOCK, f"{pods}: {Reason.CLOCK.meaning}; {Reason.CLOCK.remedy}")
    if view.fleet is not None and view.fleet.holding:
        yield Trouble(Reason.QUORUM_MISSING, f"{held(view.fleet)}; {Reason.QUORUM_MISSING.remedy}")
    if view.fleet is not None and view.fleet.heard < view.fleet.expected:
        missing = f"{view.fleet.expected - view.fleet.heard} of {view.fleet.expected} pods"
        yield Trouble(Reason.PODS_SILENT, f"{missing}: {Reason.PODS_SILENT.meaning}; {Reason.PODS_SILENT.remedy}")
    for spot in view.blind:
        if spot.reason != BYPASSED:
            yield Trouble(Reason.BLIND if spot.total else Reason.PARTLY_BLIND, spot.text)


def _explained(value: str) -> str:
    """Return meaning and remedy of a reason; `http_<status>` explains itself."""
    known = Reason.of_value(value)
    return value if known is None else _trouble(known).text
