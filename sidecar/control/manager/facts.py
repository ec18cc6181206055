"""The situation of one monitor in a cluster: what the control loop may act on, and what stops it. Pure."""

from __future__ import annotations

from dataclasses import replace

from ...report.control_status import IntentStatus
from ...report.schema import Report
from ..ledger import DEAD, PENDING, REFUSED, IntentLedger
from ..observe import build_situation
from ..reasons import Reason
from ..resize.guard import ResizeView, resize_situation
from ..retrain.alerts import AlertFacts
from ..scale.guard import ScaleView, scale_situation
from ..situation import BlindFacts, RetrainingFacts, Situation
from ..workload.hold import Hold
from .accepted import AcceptedDocument
from .key import MonitorKey

OLDEST_CONTACT = 180.0  # seconds; a watch that is alive brings something each minute
OLDEST_TICKS = 5  # ticks without a closed one after which no retraining is decided
SLACK = 60.0  # seconds; how late pods send a closed tick


def situation_of(
    key: MonitorKey,
    document: AcceptedDocument,
    report: Report,
    ledger: IntentLedger,
    now: float,
    blind: tuple[BlindFacts, ...] = (),
    *,
    stopped: Reason | None = None,
    alerts: tuple[AlertFacts, ...] = (),
    retrainings: tuple[RetrainingFacts, ...] = (),
    scale: ScaleView | None = None,
    resize: ResizeView | None = None,
) -> Situation:
    """Return the situation at `now` (epoch seconds).

    The facts are as old as the last closed tick: while the quorum of pods is missing, they age, and the guard refuses
    to act on them. `alerts` are those of the monitor, `retrainings` the objects of its retrainings. `stopped` is the
    reason for which no action is allowed at all, such as the kill switch. `scale` is what is known about the replicas,
    and `resize` about the resources.
    """
    found = build_situation(
        report, document.monitor, ledger, now, blind, cluster=True, alerts=alerts, retrainings=retrainings
    )
    subject = replace(found.subject, namespace=key.namespace, uid=key.uid)
    retrain = found.retrain
    if retrain is not None:
        max_age = OLDEST_TICKS * document.drift.tick_seconds + SLACK
        retrain = replace(retrain, max_age=max_age, blocked_reason=stopped or retrain.blocked_reason)
    wanted = scale_situation(scale, now) if scale is not None else None
    resized = resize_situation(resize, now) if resize is not None else None
    return replace(found, subject=subject, retrain=retrain, scale=wanted, resize=resized)


def stop_reason(*, killed: bool, paused: bool) -> Reason | None:
    """Return the reason for which nothing is acted on; None if actions are allowed."""
    return Reason.KILL_SWITCH if killed else Reason.PAUSED if paused else None


def hindrance_of(newest: IntentStatus) -> Hold | None:
    """Return why the newest intent for a target was not carried out: a limit, or a failed attempt; None if it was."""
    why = newest.reason if newest.state == REFUSED else newest.error if newest.state in {DEAD, PENDING} else ""
    reason = Reason.of_value(why or "")
    return Hold(reason, newest.detail or "") if reason is not None else None
