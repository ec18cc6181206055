"""The input of the control loop: builds the situation from the report, the document and the ledger.

The only module of the loop that reads report and document, so that a cluster's controller can replace it.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

import msgspec

from ..report import schema as shown
from ..report import wording
from ..settings.document import ModelMonitor
from ..settings.places import retrain_targets
from ..settings.retraining import Retrain
from ..settings.webhooks import Notify, Webhook, address_hash, receiver_id
from .ledger import IntentLedger
from .notify.event import SUBSCRIPTIONS
from .reasons import Reason
from .retrain.alerts import AlertFacts
from .retrain.outcome import refused_by
from .situation import (
    ACT,
    BlindFacts,
    EpisodeFacts,
    Fact,
    NotifyRules,
    RetrainingFacts,
    RetrainRules,
    Situation,
    Subject,
)
from .webhook.cloudevent import timestamp

PERFORMANCE = "performance"  # the family of losses, whose episodes have a cause of their own


MAX_PENDING = 100  # notifications that wait for one receiver


def build_situation(
    report: shown.Report,
    monitor: ModelMonitor,
    ledger: IntentLedger,
    now: float,
    blind: tuple[BlindFacts, ...] = (),
    *,
    cluster: bool = False,
    alerts: tuple[AlertFacts, ...] = (),
    retrainings: tuple[RetrainingFacts, ...] | None = None,
) -> Situation:
    """Return the situation at `now` (epoch seconds); an episode that is part of another one is left out.

    In a `cluster`, Kubernetes Secrets can be read. `alerts` are those of the monitor, and `retrainings` the objects
    that the ledger calls running.
    """
    retrain, notify = monitor.spec.retrain, monitor.spec.notify
    described = bool(notify) or retrainings is not None
    situation = Situation(
        now=now,
        subject=_subject(report, monitor),
        episodes=Fact(
            tuple(
                _episode(episode, report, described=described) for episode in report.episodes if episode.part_of is None
            ),
            report.made_at,
        ),
        ledger=ledger,
        retrain=_retrain_rules(retrain, monitor.spec.mode, cluster=cluster) if retrain else None,
        blind=Fact(blind, now),
        notify=tuple(
            sorted((_notify_rules(item, cluster=cluster) for item in notify), key=lambda rules: rules.receiver)
        ),
        alerts=tuple(alert.cause for alert in alerts if retrain and alert.name in retrain.alerts),
        retrainings=retrainings,
        tick_seconds=report.ticks.tick_seconds,
    )
    futile = refused_by(situation)
    if situation.retrain is None or not futile:
        return situation
    return replace(situation, retrain=replace(situation.retrain, blocked_reason=futile))


def _retrain_rules(retrain: Retrain, mode: str, *, cluster: bool) -> RetrainRules:
    webhook = retrain.webhook
    return RetrainRules(
        mode=retrain.mode or mode,
        causes=tuple(retrain.causes),
        cooldown=retrain.cooldown,
        target=address_hash(webhook) if webhook is not None else _target_hash(retrain),
        blocked_reason=_blocked_reason(webhook, cluster=cluster) if webhook is not None else "",
    )


def _target_hash(retrain: Retrain) -> str:
    return hashlib.sha256(msgspec.json.encode(retrain_targets(retrain), order="deterministic")).hexdigest()[:16]


def _notify_rules(notify: Notify, *, cluster: bool) -> NotifyRules:
    """Return the rules of one receiver; the mode of the document concerns actions, and a notification is none."""
    return NotifyRules(
        mode=ACT,
        receiver=receiver_id(notify),
        events=frozenset().union(*(SUBSCRIPTIONS[event] for event in notify.events)),
        blind_for=notify.blind_for,
        target=address_hash(notify.webhook),
        blocked_reason=_blocked_reason(notify.webhook, cluster=cluster),
        max_pending=MAX_PENDING,
    )


def _blocked_reason(webhook: Webhook, *, cluster: bool) -> str:
    needs_cluster = webhook.url_secret_ref or (webhook.secret_ref and not webhook.secret_file)
    return Reason.SECRET_REF if needs_cluster and not cluster else ""


def _subject(report: shown.Report, monitor: ModelMonitor) -> Subject:
    profile, name = report.profile, monitor.metadata.name
    if profile is None:
        return Subject(report.model or name, report.version, "", name)
    model = report.model or profile.model or name
    return Subject(model, report.version or profile.version, profile.hash, name)


def _episode(episode: shown.EpisodeReport, report: shown.Report, *, described: bool) -> EpisodeFacts:
    return EpisodeFacts(
        id=episode.id,
        cause=Reason.PERFORMANCE if episode.family == PERFORMANCE else Reason.DRIFT,
        family=episode.family,
        opened_at=(episode.opened_tick + 1) * report.ticks.tick_seconds,  # an alarm is raised at the end of its tick
        closed_by="" if episode.open else episode.closed_by or Reason.UNKNOWN,
        detail=_detail(episode, report) if episode.open else {},
        closed_at=((episode.closed_tick or 0) + 1) * report.ticks.tick_seconds,
        summary=_summary(episode, report) if described and episode.open else "",
    )


def _summary(episode: shown.EpisodeReport, report: shown.Report) -> str:
    """Return what changed, in words, without values from the traffic."""
    named = {feature.name for feature in episode.features}
    features = (feature for feature in report.features if feature.name in named)
    bare = tuple(msgspec.structs.replace(feature, new_values=()) for feature in features)
    return wording.summary(episode, bare, timestamp(episode.onset_tick * report.ticks.tick_seconds))


def _detail(episode: shown.EpisodeReport, report: shown.Report) -> dict[str, object]:
    """Return the episode as in the report, with recent effect sizes, and with the losses if its family is theirs."""
    effects = {feature.name: feature.effects for feature in report.features}
    detail: dict[str, object] = msgspec.to_builtins(episode)
    detail["tick_seconds"] = report.ticks.tick_seconds
    detail["features"] = [
        {**msgspec.to_builtins(feature), "effects": msgspec.to_builtins(effects.get(feature.name))}
        for feature in episode.features
    ]
    if episode.family == PERFORMANCE:
        detail["performance"] = msgspec.to_builtins(report.performance)
    return detail
