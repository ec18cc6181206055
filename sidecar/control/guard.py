"""The guard: decides whether an intent may be applied, and why.

It runs between policy and ledger, and is pure: time, rules and ledger are part of the situation.
"""

from __future__ import annotations

from collections.abc import Iterator
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

HOUR = 3600.0
RESTATED_SECONDS = 300.0  # the least time between two records of a level that varies while it is refused or recommended
GIVEN_UP_SECONDS = 600.0  # after which a level that was given up is tried again
_UNAPPLIED = frozenset((RECOMMENDED, REFUSED))


@dataclass(frozen=True, slots=True)
class GuardDecision:
    """The new state of the ledger's entry `id` for `intent`, the reason, and in words what to do about it."""

    id: str
    intent: Intent
    state: str
    reason: str
    detail: str = ""


def check_intent(intent: Intent, situation: Situation) -> GuardDecision | None:
    """Return the decision on `intent`; None if nothing is to be done or the decision would not change its entry."""
    if intent.nature is Nature.LEVEL and (intent.desired == intent.observed or _outdated(intent, situation)):
        return None
    entry, rules = _current_entry(intent, situation.ledger), situation.rules.get(intent.lane)
    if entry is not None and entry.state in DECIDED_STATES and not _tried_again(entry, rules, situation.now):
        return None
    id_ = entry.id if entry is not None else intent.id
    state, reason = _state_and_reason(intent, id_, situation)
    if _is_known(intent, state, reason, situation):
        return None
    detail = rules.blocked_detail if rules is not None and reason == rules.blocked_reason else ""
    return GuardDecision(id_, intent, state, reason, detail)


def _is_known(intent: Intent, state: str, reason: str, situation: Situation) -> bool:
    """Return whether the ledger records this decision already.

    A level that is refused or recommended may want another value each time it is observed. Then the record of the same
    reason stays for RESTATED_SECONDS, so that the store is not written at each observation.
    """
    level = intent.nature is Nature.LEVEL
    entry = _newest(intent, situation.ledger) if level else situation.ledger.entries.get(intent.id)
    if entry is None or (entry.state, entry.reason) != (state, reason) or entry.decided_at > situation.now:
        return False  # decided in the future: the clock was set back, and the cooldown needs a start
    recent = state in _UNAPPLIED and situation.now - entry.decided_at < RESTATED_SECONDS
    return not level or recent or entry.desired == intent.desired


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
    if actions_in_hour(intent, id_, situation) >= rules.max_per_hour:
        return REFUSED, Reason.ACTIONS_PER_HOUR
    if rules.mode == RECOMMEND:
        return RECOMMENDED, rules.recommended_reason or Reason.MODE
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
    cooldown = rules.cooldown if rules else 0.0
    refused_at = _refused_at(situation.ledger.entries.get(id_), situation.now)
    starts = (entry.decided_at for entry in _effects(intent, id_, situation))
    remaining = (cooldown - (situation.now - (start if start <= situation.now else refused_at)) for start in starts)
    return max(remaining, default=0.0)


def actions_in_hour(intent: Intent, id_: str, situation: Situation) -> int:
    """Return how many effects of the last hour count against the limit, without that of the entry `id_`.

    They are the same ones as for the cooldown, or those of all keys with `counts_lane`. One in the future counts, too:
    the clock was set back.
    """
    rules = situation.rules.get(intent.lane)
    effects = _effects(intent, id_, situation, every_key=rules is not None and rules.counts_lane)
    return sum(situation.now - entry.decided_at < HOUR for entry in effects)


def _effects(intent: Intent, id_: str, situation: Situation, *, every_key: bool = False) -> Iterator[LedgerEntry]:
    """Yield the entries that had an effect of the kind of `intent`, or may have had one; see `cooldown_remaining`."""
    rules = situation.rules.get(intent.lane)
    counted = {PENDING, DELIVERED} if rules is not None and rules.mode == ACT else {PENDING, DELIVERED, RECOMMENDED}
    for entry in situation.ledger.entries.values():
        if (
            entry.id != id_
            and entry.lane == intent.lane
            and (every_key or _same_object(entry, intent))
            and (entry.state in counted or (entry.state == SUPERSEDED and entry.attempts > 0))
        ):
            yield entry


def _same_object(entry: LedgerEntry, intent: Intent) -> bool:
    return entry.model == intent.subject.model if intent.nature is Nature.ONCE else entry.key == intent.key


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
        detail=decision.detail,
        text=intent.text,
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
    """Return whether the observation was made before the last effect on its key, and so cannot reflect it.

    It also is if an attempt was dropped since, because the object did not have the observed value any more.
    """
    newest = _newest(intent, situation.ledger)
    if newest is None or not intent.observed_at <= newest.changed_at <= situation.now:
        return False
    return newest.state == DELIVERED or (newest.state == SUPERSEDED and bool(newest.error))


def _tried_again(entry: LedgerEntry, rules: Rules | None, now: float) -> bool:
    """Return whether `entry` was given up and is tried again.

    The document names another target, or it is a level, which is still wanted after GIVEN_UP_SECONDS.
    """
    if entry.state != DEAD:
        return False
    waited = entry.nature is Nature.LEVEL and not 0 <= now - entry.changed_at < GIVEN_UP_SECONDS
    return waited or (rules is not None and entry.target != rules.target)
