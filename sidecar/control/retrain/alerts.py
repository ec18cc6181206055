"""Alerts of Alertmanager as causes of a retraining: the parser of its webhook, and the alerts of each monitor.

An alert belongs to the monitor that its labels `namespace` and `monitor` name. The same alert arrives again and again:
its fingerprint and the time of its start identify it. Alerts are kept in memory. Alertmanager repeats those that fire,
and the ledger has those that were decided.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from ...errors import PilotfishError, quote_value
from ..reasons import Reason
from ..situation import EpisodeFacts

ALERT = Reason.ALERT
VERSION = "4"
MAX_ALERTS = 1000  # in one request
MAX_KEPT = 100  # of one monitor; the oldest are dropped
KEPT_SECONDS = 86400.0  # after an alert arrived last; Alertmanager repeats those that fire each four hours

Text = Annotated[str, Meta(max_length=4096)]


class AlertError(PilotfishError):
    """A request that is not of Alertmanager, or is too large."""


class Alert(msgspec.Struct, frozen=True, rename="camel"):
    """One alert of a request. Unknown fields are ignored."""

    status: Literal["firing", "resolved"]
    fingerprint: Annotated[str, Meta(pattern="^[0-9A-Za-z_-]{1,64}$")]
    starts_at: Annotated[datetime, Meta(tz=True)]
    labels: Annotated[dict[Text, Text], Meta(max_length=100)] = {}

    @property
    def monitor(self) -> tuple[str, str]:
        """Namespace and name of the monitor; empty where a label is missing."""
        return self.labels.get("namespace", ""), self.labels.get("monitor", "")


class _Request(msgspec.Struct, frozen=True):
    version: str
    alerts: Annotated[tuple[Alert, ...], Meta(max_length=MAX_ALERTS)]


@dataclass(frozen=True, slots=True)
class AlertFacts:
    """An alert of a monitor: its name, and the cause that it is for a retraining."""

    name: str
    cause: EpisodeFacts
    received_at: float


def parse_alerts(body: bytes) -> tuple[Alert, ...]:
    """Return the alerts in the body of a request of Alertmanager; raise AlertError."""
    try:
        found = msgspec.json.decode(body, type=_Request)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        remedy = "send it from a webhook receiver of Alertmanager"
        raise AlertError(f"cannot read the alerts: {quote_value(str(error))}; {remedy}") from error
    if found.version != VERSION:
        raise AlertError(f"the alerts have version {quote_value(found.version)}; only version {VERSION} is understood")
    return found.alerts


class AlertBook:
    """The alerts of all monitors."""

    def __init__(self) -> None:
        self._alerts: dict[tuple[str, str], dict[str, AlertFacts]] = {}

    def take(self, alerts: Iterable[Alert], now: float) -> None:
        """Keep the alerts that name a monitor. An alert that has ended does not begin again."""
        for alert in alerts:
            if not all(alert.monitor):
                continue
            known = self._alerts.setdefault(alert.monitor, {})
            facts = facts_of(alert, now)
            before = known.pop(facts.cause.id, None)
            ended = before is not None and before.cause.closed_by and not facts.cause.closed_by
            known[facts.cause.id] = before if ended and before is not None else facts
            while len(known) > MAX_KEPT:
                del known[next(iter(known))]

    def facts(self, namespace: str, monitor: str, now: float) -> tuple[AlertFacts, ...]:
        """Return the alerts of a monitor that arrived lately."""
        known = self._alerts.get((namespace, monitor), {})
        for id_ in [id_ for id_, facts in known.items() if now - facts.received_at > KEPT_SECONDS]:
            del known[id_]
        return tuple(known.values())

    def forget_all_but(self, monitors: Collection[tuple[str, str]]) -> None:
        """Forget the alerts of monitors that do not exist."""
        self._alerts = {key: known for key, known in self._alerts.items() if key in monitors}


def facts_of(alert: Alert, now: float) -> AlertFacts:
    """Return the facts of an alert that arrived at the epoch second `now`."""
    began = alert.starts_at.timestamp()
    name = alert.labels.get("alertname", "")
    shown: Mapping[str, object] = {
        "name": name,
        "startsAt": alert.starts_at.isoformat(),
        "fingerprint": alert.fingerprint,
        "labels": dict(sorted(alert.labels.items())),
    }
    cause = EpisodeFacts(
        id=f"alert-{alert.fingerprint}-{int(1000 * began)}",
        cause=ALERT,
        family=name,
        opened_at=began,
        closed_by="" if alert.status == "firing" else Reason.RESOLVED,
        detail={"alert": shown},
        closed_at=0.0 if alert.status == "firing" else now,
        summary=f"the alert {name} fires",
    )
    return AlertFacts(name, cause, now)
