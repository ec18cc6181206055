"""What is allowed: an intent becomes a decision with a reason, or nothing when it is settled already."""

from __future__ import annotations

from dataclasses import dataclass

from .ledger import DEAD, DELIVERED, PENDING, RECOMMENDED, REFUSED, SETTLED, SUPERSEDED, Entry
from .policy import Intent
from .situation import ACT, OBSERVE, RECOMMEND, Situation

COOLDOWN, MODE = "cooldown", "mode"  # reasons of a refusal or a recommendation


@dataclass(frozen=True, slots=True)
class Decision:
    """The state that the intent's entry takes, and why."""

    intent: Intent
    state: str
    reason: str


def judge(intent: Intent, situation: Situation) -> Decision | None:
    """Return what becomes of `intent` now; None when its entry is settled or stands as it would stand again."""
    entry = situation.ledger.entries.get(intent.id)
    if entry is not None and entry.state in SETTLED and not _misdirected(entry, situation):
        return None
    state, reason = _verdict(intent, situation)
    if entry is not None and (entry.state, entry.reason) == (state, reason):
        return None
    return Decision(intent, state, reason)


def _verdict(intent: Intent, situation: Situation) -> tuple[str, str]:
    if situation.mode == OBSERVE or situation.retrain is None:
        return REFUSED, MODE
    if situation.retrain.obstacle:
        return REFUSED, situation.retrain.obstacle
    if cooling(intent, situation) > 0:
        return REFUSED, COOLDOWN
    if situation.mode == RECOMMEND:
        return RECOMMENDED, MODE
    return PENDING, intent.episode.cause


def cooling(intent: Intent, situation: Situation) -> float:
    """Return for how many seconds more the model rests after the last retraining that was asked for; 0 if it does not.

    It rests from the decision on, whatever the profile: a new model is not retrained at once because of its newness.
    A superseded request counts if it was sent: its answer may have been lost. While only recommendations are made, they
    count as if they had been carried out. A clock that was set back never makes the rest longer than the cooldown.
    """
    cooldown = situation.retrain.cooldown if situation.retrain else 0.0
    asked = {PENDING, DELIVERED} if situation.mode == ACT else {PENDING, DELIVERED, RECOMMENDED}
    starts = (
        entry.decided_at
        for entry in situation.ledger.entries.values()
        if entry.id != intent.id
        and entry.model == intent.subject.model
        and (entry.state in asked or (entry.state == SUPERSEDED and entry.attempts > 0))
    )
    rests = (cooldown - (situation.now - start) for start in starts)
    return max((min(rest, cooldown) for rest in rests), default=0.0)


def _misdirected(entry: Entry, situation: Situation) -> bool:
    """Tell whether `entry` was given up at a receiver that is no longer the one to ask."""
    return entry.state == DEAD and situation.retrain is not None and entry.target != situation.retrain.target
