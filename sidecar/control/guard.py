"""The guard: decides whether an intent may be applied, and why.

It runs between policy and ledger, and is pure: time, rules and ledger are part of the situation.
"""

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
    """The new state of the ledger's entry `id` for `intent`, and the reason."""

    id: str
    intent: Intent
    state: str
    reason: str


def check_intent(intent: Intent, situation: Situation) -> GuardDecision | None:
    """Return the decision on `intent`; None if nothing is to be done or the decision would not change its entry."""
    if intent.nature is Nature.LEVEL and (intent.desired == intent.observed or _outdated(intent, situation)):
        return None
    entry, rules = _current_entry(intent, situation.ledger), situation.rules.get(intent.lane)
    if entry is not None and entry.state in DECIDED_STATES and not _target_changed(entry, rules):
        return None
    id_ = entry.id if entry is not None else intent.id
    state, reason = _state_and_reason(intent, id_, situation)
    if (
        entry is not None
        and (entry.state, entry.reason) == (state, reason)
        and _same_desired(entry, intent)
        and entry.decided_at <= situation.now  # else the clock was set back, and the cooldown needs a start
    ):
        return None
    return GuardDecision(id_, intent, state, reason)


def _state_and_reason(intent: Intent, id_: str, situation: Situation) -> tuple[str, str]:
    rules = situation.rules.get(intent.lane)
    if rules is None or rules.mode == OBSERVE:
        return REFUSED, Reason.MODE
    if rules.blocked_reason:
        return REFUSED, rules.blocked_reason
    if rules.events is not None and intent.why not in rules.events:
        return REFUSED, Reason.UNSUBSCRIBED
    if stale(intent, situation):
        return REFUSED, Reason.STALE
    if cooldown_remaining(intent, id_, situation) > 0:
        return REFUSED, Reason.COOLDOWN
    if rules.mode == RECOMMEND:
        return RECOMMENDED, Reason.MODE
    if _pending(intent.lane, situation) >= rules.max_pending:
        return REFUSED, Reason.BACKLOG
    return PENDING, intent.why


def _pending(lane: str, situation: Situation) -> int:
    return sum(entry.state == PENDING and entry.lane == lane for entry in situation.ledger.entries.values())


def stale(intent: Intent, situation: Situation) -> bool:
    """Return whether the observation behind `intent` is older than `max_age` of its rules."""
    rules = situation.rules.get(intent.lane)
    return rules is not None and situation.now - intent.observed_at > rules.max_age


def cooldown_remaining(intent: Intent, id_: str, situation: Situation) -> float:
    """Return the seconds until the cooldown after the last effect of this kind ends; 0 if it has ended.

    The cooldown starts at the decision. For ONCE it covers the model with all its versions and profiles, so that a new
    version is not retrained at once. For LEVEL it covers the key. A superseded entry counts if it was sent, since its
    response may have been lost. In the modes `observe` and `recommend`, recommendations count as if they had been
    carried out. The entry `id_` is the one under decision and does not count.

    A start in the future shows that the clock was set back. The cooldown then starts when it first refused the entry
    `id_`, so that it ends after its length at most, and not when the clock reaches the old time.
    """
    rules = situation.rules.get(intent.lane)
    cooldown, mode = (rules.cooldown, rules.mode) if rules else (0.0, OBSERVE)
    counted = {PENDING, DELIVERED} if mode == ACT else {PENDING, DELIVERED, RECOMMENDED}
    starts = (
        entry.decided_at
        for entry in situation.ledger.entries.values()
        if entry.id != id_
        and (entry.lane, entry.model) == (intent.lane, intent.subject.model)
        and (intent.nature is Nature.ONCE or entry.key == intent.key)
        and (entry.state in counted or (entry.state == SUPERSEDED and entry.attempts > 0))
    )
    refused_at = _refused_at(situation.ledger.entries.get(id_), situation.now)
    remaining = (cooldown - (situation.now - (start if start <= situation.now else refused_at)) for start in starts)
    return max(remaining, default=0.0)


def _refused_at(entry: LedgerEntry | None, now: float) -> float:
    """Return when a cooldown first refused `entry` by the present clock; `now` if none did."""
    if entry is None or (entry.state, entry.reason) != (REFUSED, Reason.COOLDOWN):
        return now
    return min(entry.decided_at, now)


def build_entry(decision: GuardDecision, situation: Situation) -> LedgerEntry:
    """Return the ledger's entry for `decision`; that of a refused intent of nature ONCE omits the desired value."""
    intent, rules = decision.intent, situation.rules.get(decision.intent.lane)
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
        receiver=intent.receiver,
    )


def _current_entry(intent: Intent, ledger: IntentLedger) -> LedgerEntry | None:
    """Return the entry that a decision on `intent` updates; None if the decision creates a new entry.

    An intent of nature LEVEL updates the newest entry of its key while that entry has the same desired value and no
    effect yet. A refused entry is updated for any desired value: otherwise a value that varies while it is refused
    would fill the ledger.
    """
    if intent.nature is Nature.ONCE:
        return ledger.entries.get(intent.id)
    newest = _newest(intent, ledger)
    if newest is None or newest.state in {DELIVERED, SUPERSEDED}:
        return None
    return newest if newest.state in {PENDING, REFUSED} or newest.desired == intent.desired else None


def _newest(intent: Intent, ledger: IntentLedger) -> LedgerEntry | None:
    entries = reversed(tuple(ledger.entries.values()))
    return next((entry for entry in entries if (entry.lane, entry.key) == (intent.lane, intent.key)), None)


def _outdated(intent: Intent, situation: Situation) -> bool:
    """Return whether the observation was made before the last effect on its key, and so cannot reflect it."""
    newest = _newest(intent, situation.ledger)
    return newest is not None and newest.state == DELIVERED and intent.observed_at <= newest.changed_at <= situation.now


def _target_changed(entry: LedgerEntry, rules: Rules | None) -> bool:
    """Return whether `entry` was given up and the document now names another target."""
    return entry.state == DEAD and rules is not None and entry.target != rules.target


def _same_desired(entry: LedgerEntry, intent: Intent) -> bool:
    return intent.nature is Nature.ONCE or entry.desired == intent.desired
