"""The events of notifications, which docs/notifications.md describes: each has a sentence for people in `data.text`."""

from __future__ import annotations

from collections.abc import Mapping

from ..reasons import Reason
from ..situation import Subject
from ..webhook.cloudevent import envelope

TYPES: Mapping[str, str] = {  # by reason; receivers depend on them
    Reason.ALARM_CLOSED: "dev.pilotfish.alarm.closed",
    Reason.ALARM_OPENED: "dev.pilotfish.alarm.opened",
    Reason.BLIND: "dev.pilotfish.blind.started",
    Reason.BLIND_ENDED: "dev.pilotfish.blind.ended",
    Reason.PARTLY_BLIND: "dev.pilotfish.blind.started",
}
SUBSCRIPTIONS: Mapping[str, frozenset[str]] = {  # by the event in the document
    "alarmClosed": frozenset((Reason.ALARM_CLOSED,)),
    "alarmOpened": frozenset((Reason.ALARM_OPENED,)),
    "blindEnded": frozenset((Reason.BLIND_ENDED,)),
    "blindStarted": frozenset((Reason.BLIND, Reason.PARTLY_BLIND)),
}


def render(id_: str, why: str, subject: Subject, at: float, text: str, facts: Mapping[str, object]) -> str:
    """Return the event `id_` of the reason `why` at the epoch second `at`, as JSON text."""
    data = {"text": text, "model": subject.model, "version": subject.version, **facts}
    return envelope(id_, TYPES[why], subject, at, data).decode()
