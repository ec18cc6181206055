"""Kubernetes Events and audit lines of one monitor: alarms, closings, intents.

Events follow from what was published, so an Event never refers to an alarm that a crash could take back. The first
report of a process is the base: another leader does not repeat the Events of the one before.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ....detectors.detection.results import TickResult
from ...reason import camel_case
from ...report.schema import BlindSpot, EpisodeReport, Report
from ..ledger import DEAD, DELIVERED, PENDING, RECOMMENDED, REFUSED, LedgerEntry
from ..reasons import Reason
from ..resize.policy import KIND as RESIZE
from ..retrain.record import RETRAIN
from ..scale.policy import KIND as SCALE
from .key import MonitorKey
from .resizing_status import ResizingFinding
from .scaling_status import ScalingFinding
from .world import Item, World

NORMAL, WARNING = "Normal", "Warning"
BLIND_SECONDS = 60.0  # a shorter one is no news, such as the start of a leader
ACTIONS = {  # by kind and state of an intent: what happened to it, and the type of the Event
    (RESIZE, DEAD): ("GaveUp", WARNING),
    (RESIZE, DELIVERED): ("Resized", NORMAL),
    (RESIZE, RECOMMENDED): ("Recommended", NORMAL),
    (RESIZE, REFUSED): ("Refused", WARNING),
    (RETRAIN, DEAD): ("GaveUp", WARNING),
    (RETRAIN, DELIVERED): ("Requested", NORMAL),
    (RETRAIN, PENDING): ("Decided", NORMAL),
    (RETRAIN, RECOMMENDED): ("Recommended", NORMAL),
    (RETRAIN, REFUSED): ("Refused", WARNING),
    (SCALE, DEAD): ("GaveUp", WARNING),
    (SCALE, DELIVERED): ("Scaled", NORMAL),
    (SCALE, RECOMMENDED): ("Recommended", NORMAL),
    (SCALE, REFUSED): ("Refused", WARNING),
}

UNENDED = frozenset(
    (Reason.RESIZE_DEFERRED, Reason.RESIZE_INFEASIBLE, Reason.RESIZE_SLOW, Reason.RESIZE_WITHOUT_EFFECT)
)


@dataclass
class EventAnnouncer:
    """Announces the events of the monitor `key`."""

    key: MonitorKey
    world: World
    _open: frozenset[str] | None = None
    _futile: bool = False
    _refused: bool = False
    _resizing: ResizingFinding | None = None
    _blind: dict[str, tuple[float, bool]] = field(default_factory=dict)  # by reason: since when, and whether announced

    def closed_tick(self, version: str, result: TickResult) -> None:
        """Record the alarms of a tick in the audit log."""
        for alarm in result.alarms:
            self.world.audit.record(
                "alarm", self.key, version=version, tick=alarm.tick, episode=alarm.episode_id, family=alarm.family,
                evidence=round(alarm.evidence_ratio, 3), features=",".join(item.name for item in alarm.features),
            )  # fmt: skip

    def published(self, report: Report, item: Item) -> None:
        """Announce the episodes that `report` opened or closed."""
        open_, known = frozenset(one.id for one in report.episodes if one.open), self._open
        self._open = open_
        if known is None or open_ == known:
            return
        for episode in report.episodes:
            if episode.id in open_ - known:
                self._event(item, Reason.ALARM_OPENED.camel, "Detect", _opened(episode, report), WARNING)
            elif episode.id in known - open_:
                self.world.audit.record("closed", self.key, episode=episode.id, reason=episode.closed_by)
                note = f"episode {episode.id} has ended: {episode.closed_by or Reason.UNKNOWN}"
                self._event(item, Reason.ALARM_CLOSED.camel, "Detect", note, NORMAL)

    def blind_spots(self, spots: tuple[BlindSpot, ...], item: Item) -> None:
        """Announce blind spots that have lasted BLIND_SECONDS, and the ends of those that were announced."""
        now, present = self.world.monotonic(), {spot.reason: spot for spot in spots}
        self._blind = {reason: self._blind.get(reason, (now, False)) for reason in present} | {
            reason: found for reason, found in self._blind.items() if found[1]
        }
        for reason, (since, announced) in list(self._blind.items()):
            spot = present.get(reason)
            if spot is None:
                del self._blind[reason]
                self.world.audit.record("blind_ended", self.key, reason=reason)
                note = f"{reason}: {Reason.BLIND_ENDED.meaning}"
                self._event(item, Reason.BLIND_ENDED.camel, "Observe", note, NORMAL)
            elif not announced and now - since >= BLIND_SECONDS:
                self._blind[reason] = since, True
                self.world.audit.record("blind", self.key, reason=reason, text=spot.text)
                kind = Reason.BLIND if spot.total else Reason.PARTLY_BLIND
                self._event(item, kind.camel, "Observe", spot.text, WARNING)

    def scaling(self, found: ScalingFinding | None, item: Item) -> None:
        """Announce that more replicas do not help, and that pods are refused while no other number is wanted.

        No intent says so, because nothing is wanted then.
        """
        held = found.held.reason if found is not None and found.held is not None else None
        futile, refused = held is Reason.MORE_REPLICAS_DONT_HELP, held is Reason.PODS_REFUSED
        if futile and not self._futile and found is not None:
            self.world.audit.record("scaling_futile", self.key, text=found.text)
            self._event(item, Reason.MORE_REPLICAS_DONT_HELP.camel, "Scale", found.text, WARNING)
        if refused and not self._refused and found is not None and found.desired == found.current:
            self.world.audit.record("pods_refused", self.key, text=found.text)
            self._event(item, Reason.PODS_REFUSED.camel, "Scale", found.text, WARNING)
        self._futile, self._refused = futile, refused

    def resizing(self, found: ResizingFinding | None, item: Item) -> None:
        """Announce kills for memory, and resizes that do not end: no intent says so."""
        known, self._resizing = self._resizing, found
        if known is None or found is None:
            return
        if found.killed_at > known.killed_at:
            self.world.audit.record("oom_killed", self.key, container=found.container, at=found.killed_at)
            note = f"container {found.container}: {Reason.OOM_KILLED.meaning}"
            self._event(item, Reason.OOM_KILLED.camel, "Observe", note, WARNING)
        if found.held is not None and found.held.reason in UNENDED and found.reason is not known.reason:
            self.world.audit.record("resize_held", self.key, reason=found.held.reason, text=found.held.explained)
            self._event(item, found.held.reason.camel, "Resize", found.held.explained, WARNING)

    def intent(self, entry: LedgerEntry, item: Item) -> None:
        """Announce the decision or the outcome of a retraining, or of a change of the replicas or the resources."""
        self.world.audit.intent(self.key, entry)
        if (entry.kind, entry.state) not in ACTIONS:
            return
        if entry.state == PENDING and entry.attempts:  # its failure is in the status; a retry is no news
            return
        action, type_ = ACTIONS[entry.kind, entry.state]
        why = entry.detail or entry.error or entry.reason
        if entry.kind == SCALE:
            why = "; ".join(filter(None, (entry.detail or entry.error, entry.text)))
            note = f"{entry.key}: {entry.state}, {entry.observed} -> {entry.desired} replicas: {why}"
        elif entry.kind == RESIZE:
            why = "; ".join(filter(None, (entry.detail or entry.error, entry.text)))
            change = f"{shown_resources(entry.observed)} -> {shown_resources(entry.desired)}"
            note = f"{shown_key(entry.key)}: {entry.state}, {change}: {why}"
        else:
            note = f"retraining {entry.id} for episode {entry.key}: {entry.state}, {why}"
        self._event(item, camel_case(entry.reason), action, note, type_)

    def _event(self, item: Item, reason: str, action: str, note: str, type_: str) -> None:
        self.world.record(item, reason, action, note, type_)


def shown_resources(value: object) -> str:
    """Return the resources of an intent in words, such as `cpu 250m/500m, memory 1Gi/1Gi`: requests and limits."""
    given = value if isinstance(value, dict) else {}
    requests, limits = given.get("requests") or {}, given.get("limits") or {}
    shown = [
        f"{kind} {requests.get(kind, 'none')}" + (f"/{limits[kind]}" if kind in limits else "")
        for kind in ("cpu", "memory")
        if kind in requests or kind in limits
    ]
    return ", ".join(shown) or "nothing"


def shown_key(key: str) -> str:
    """Return the key of an intent without the UID of the pod."""
    parts = key.split("/")
    return "/".join((*parts[:3], parts[-1])) if parts[0] == "Pod" else key


def _opened(episode: EpisodeReport, report: Report) -> str:
    names = ", ".join(feature.name for feature in episode.features[:5])
    more = f" and {len(episode.features) - 5} more" if len(episode.features) > 5 else ""
    return f"{episode.family} drifted: {names}{more} (episode {episode.id}, version {report.version or 'unknown'})"
