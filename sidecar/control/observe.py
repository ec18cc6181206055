"""The input of the control loop: builds the situation from the report, the document and the ledger.

The only module of the loop that reads report and document, so that a cluster's controller can replace it.
"""

from __future__ import annotations

import hashlib

import msgspec

from ..report import schema as shown
from ..settings.document import ModelMonitor, Retrain
from .ledger import IntentLedger
from .reasons import Reason
from .situation import EpisodeFacts, Fact, RetrainRules, Situation, Subject

PERFORMANCE = "performance"  # the family of losses, whose episodes have a cause of their own


def build_situation(report: shown.Report, monitor: ModelMonitor, ledger: IntentLedger, now: float) -> Situation:
    """Return the situation at `now` (epoch seconds); an episode that is part of another one is left out."""
    retrain = monitor.spec.retrain
    return Situation(
        now=now,
        subject=_subject(report, monitor),
        episodes=Fact(
            tuple(_episode(episode, report) for episode in report.episodes if episode.part_of is None), report.made_at
        ),
        ledger=ledger,
        retrain=_retrain_rules(retrain, monitor.spec.mode) if retrain else None,
    )


def _retrain_rules(retrain: Retrain, mode: str) -> RetrainRules:
    webhook = retrain.webhook
    blocked_reason = Reason.SECRET_REF if webhook.secret_ref and not webhook.secret_file else ""
    target = hashlib.sha256(webhook.url.encode()).hexdigest()[:16]  # a hash, since a URL may contain a secret
    return RetrainRules(
        mode=retrain.mode or mode,
        on=tuple(retrain.on),
        cooldown=retrain.cooldown,
        target=target,
        blocked_reason=blocked_reason,
    )


def _subject(report: shown.Report, monitor: ModelMonitor) -> Subject:
    profile = report.profile
    if profile is None:
        return Subject(report.model or monitor.metadata.name, report.version, "")
    model = report.model or profile.model or monitor.metadata.name
    return Subject(model, report.version or profile.version, profile.hash)


def _episode(episode: shown.EpisodeReport, report: shown.Report) -> EpisodeFacts:
    return EpisodeFacts(
        id=episode.id,
        cause=Reason.PERFORMANCE if episode.family == PERFORMANCE else Reason.DRIFT,
        family=episode.family,
        opened_at=(episode.opened_tick + 1) * report.ticks.tick_seconds,  # an alarm is raised at the end of its tick
        closed_by="" if episode.open else episode.closed_by or Reason.UNKNOWN,
        detail=_detail(episode, report) if episode.open else {},
    )


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
