"""The guard: what is allowed. An intent becomes a decision with a reason, or nothing where nothing changes."""

from __future__ import annotations

from dataclasses import dataclass

from .intent import Intent
from .ledger import (
    DEAD,
    DECIDED_STATES,
    DELIVERED,
    PENDING,
    RECOMMENDED,
    REFUSED,
    SUPERSEDED,
    IntentLedger,
    LedgerEntry,
    Nature,
)
from .reasons import Reason
from .situation import ACT, OBSERVE, RECOMMEND, Rules, Situation


@dataclass(frozen=True, slots=True)
class GuardDecision:
    """The state that the ledger's entry `id` takes for `intent`, and why."""

    id: str
    intent: Intent
    state: str
    reason: str


def check_intent(intent: Intent, situation: Situation) -> GuardDecision | None:
    """Return what becomes of `intent` now; None when there is nothing to do or its entry stands as it would again."""
    if intent.nature is Nature.LEVEL and (intent.desired == intent.observed or _unobserved(intent, situation)):
        return None
    entry, rules = _own(intent, situation.ledger), situation.rules.get(intent.kind)
    if entry is not None and entry.state in DECIDED_STATES and not _target_changed(entry, rules):
        return None
    id_ = entry.id if entry is not None else intent.id
    state, reason = _state_and_reason(intent, id_, situation)
    if entry is not None and (entry.state, entry.reason) == (state, reason) and _same_wish(entry, intent):
        return None
    return GuardDecision(id_, intent, state, reason)


def _state_and_reason(intent: Intent, id_: str, situation: Situation) -> tuple[str, str]:
    rules = situation.rules.get(intent.kind)
    if rules is None or rules.mode == OBSERVE:
        return REFUSED, Reason.MODE
    if rules.blocked_reason:
        return REFUSED, rules.blocked_reason
    if stale(intent, situation):
        return REFUSED, Reason.STALE
    if cooldown_remaining(intent, id_, situation) > 0:
        return REFUSED, Reason.COOLDOWN
    if rules.mode == RECOMMEND:
        return RECOMMENDED, Reason.MODE
    return PENDING, intent.why


def stale(intent: Intent, situation: Situation) -> bool:
    """Return whether the observation behind `intent` is older than the document allows."""
    rules = situation.rules.get(intent.kind)
    return rules is not None and situation.now - intent.observed_at > rules.max_age


def cooldown_remaining(intent: Intent, id_: str, situation: Situation) -> float:
    """Return the seconds until the cooldown after the last effect of this kind is over; 0 when it is over.

    It begins with the decision. A retraining cools its model, whatever the profile: a new model is not retrained at
    once because it is new. A level cools its key. A superseded entry counts if it was sent, since its answer may have
    been lost. While only recommendations are made, they count as if they had been carried out. A clock that was set
    back never makes the rest longer than the cooldown. The entry `id_` is the one being decided and does not count.
    """
    rules = situation.rules.get(intent.kind)
    cooldown, mode = (rules.cooldown, rules.mode) if rules else (0.0, OBSERVE)
    asked = {PENDING, DELIVERED} if mode == ACT else {PENDING, DELIVERED, RECOMMENDED}
    starts = (
        entry.decided_at
        for entry in situation.ledger.entries.values()
        if entry.id != id_
        and (entry.kind, entry.model) == (intent.kind, intent.subject.model)
        and (intent.nature is Nature.ONCE or entry.key == intent.key)
        and (entry.state in asked or (entry.state == SUPERSEDED and entry.attempts > 0))
    )
    rests = (cooldown - (situation.now - start) for start in starts)
    return max((min(rest, cooldown) for rest in rests), default=0.0)


def build_entry(decision: GuardDecision, situation: Situation) -> LedgerEntry:
    """Return the ledger's entry for `decision`; a refused intent of nature ONCE is kept without what it would send."""
    intent, rules = decision.intent, situation.rules.get(decision.intent.kind)
    applied = decision.state in {PENDING, RECOMMENDED}
    return LedgerEntry(
        id=decision.id,
        kind=intent.kind,
        why=intent.why,
        key=intent.key,
        model=intent.subject.model,
        version=intent.subject.version,
        profile_hash=intent.subject.profile_hash,
        target=rules.target if rules else "",
        decided_at=situation.now,
        changed_at=situation.now,
        state=decision.state,
        reason=decision.reason,
        desired=intent.desired if applied or intent.nature is Nature.LEVEL else "",
        nature=intent.nature,
        observed=intent.observed,
        observed_at=intent.observed_at if intent.nature is Nature.LEVEL else 0.0,
    )


def _own(intent: Intent, ledger: IntentLedger) -> LedgerEntry | None:
    """Return the entry that stands for `intent`; None when a decision on it opens a new one.

    A level continues the newest entry of its key while that one has the same wish and no effect yet. A refused one is
    rewritten for each new wish, so that a wish that varies while it is refused does not fill the ledger.
    """
    if intent.nature is Nature.ONCE:
        return ledger.entries.get(intent.id)
    newest = _newest(intent, ledger)
    if newest is None or newest.state in {DELIVERED, SUPERSEDED}:
        return None
    return newest if newest.state in {PENDING, REFUSED} or newest.desired == intent.desired else None


def _newest(intent: Intent, ledger: IntentLedger) -> LedgerEntry | None:
    entries = reversed(tuple(ledger.entries.values()))
    return next((entry for entry in entries if (entry.kind, entry.key) == (intent.kind, intent.key)), None)


def _unobserved(intent: Intent, situation: Situation) -> bool:
    """Return whether the observation was made before our own last effect, so that it cannot show it."""
    newest = _newest(intent, situation.ledger)
    return newest is not None and newest.state == DELIVERED and intent.observed_at <= newest.changed_at <= situation.now


def _target_changed(entry: LedgerEntry, rules: Rules | None) -> bool:
    """Return whether `entry` was given up at a target that is no longer the one in force."""
    return entry.state == DEAD and rules is not None and entry.target != rules.target


def _same_wish(entry: LedgerEntry, intent: Intent) -> bool:
    return intent.nature is Nature.ONCE or entry.desired == intent.desired
