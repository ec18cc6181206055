"""Pending entries: which are superseded, which are due, and how an outcome changes one.

The loop calls these functions after the guard. They are pure: time and random numbers are arguments.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from .executor import Done, Dropped, Failed, Outcome
from .guard import stale
from .intent import Intent
from .ledger import DEAD, DELIVERED, PENDING, SUPERSEDED, ChangeEntry, LedgerEntry, Nature
from .policy import Policy
from .reasons import Reason
from .situation import ACT, Situation

FIRST, FACTOR, LONGEST = 1.0, 2.0, 600.0  # backoff: bound of the first wait in seconds, growth, maximum in seconds
MAX_RETRY_AFTER = 3600.0  # seconds; the longest wait that an executor can ask for
GIVE_UP_SECONDS = 86400.0  # seconds after the decision
MAX_DETAIL = 500  # characters of a message
MIN_ATTEMPTS = 10  # so that a machine that was suspended for a day still tries


def superseded_changes(policy: Policy, intents: Sequence[Intent], situation: Situation) -> tuple[ChangeEntry, ...]:
    """Return the changes that supersede pending entries of the policy's kind, given its current `intents`.

    An entry of nature ONCE ends with its cause. An entry of nature LEVEL ends if the current intent of its key is
    missing, stale, satisfied, or has another desired value, and if its lane may not act any more.
    """
    newest = {intent.key: intent for intent in intents if intent.nature is Nature.LEVEL}
    changes = []
    for entry in pending_entries(situation):
        if entry.kind != policy.kind or entry.id in situation.in_flight:
            continue
        if entry.nature is Nature.ONCE:
            reason = policy.ended(entry, situation)
        else:
            reason = _level_ended(entry, newest.get(entry.key), situation)
        if reason:
            changes.append(
                ChangeEntry(id=entry.id, at=situation.now, state=SUPERSEDED, reason=reason, attempts=entry.attempts)
            )
    return tuple(changes)


def _level_ended(entry: LedgerEntry, newest: Intent | None, situation: Situation) -> str:
    rules = situation.rules.get(entry.lane)
    if rules is None or rules.mode != ACT:
        return Reason.MODE
    if rules.blocked_reason:
        return rules.blocked_reason
    if newest is None:
        return Reason.WITHDRAWN
    if stale(newest, situation):
        return Reason.STALE
    if newest.desired == newest.observed:
        return Reason.SATISFIED
    return Reason.REPLACED if newest.desired != entry.desired else ""


def due_entries(lane: str, situation: Situation) -> tuple[LedgerEntry, ...]:
    """Return the pending entries of `lane` that are due, longest due first; none if mode or document block the lane.

    An entry waits for older ones of the same cause, so that starts and ends of a cause are sent in their order. An
    entry that changed in the future shows that the clock was set back, and is due. So is one whose retry is further
    ahead than `MAX_RETRY_AFTER`, which is never planned.
    """
    rules = situation.rules.get(lane)
    if rules is None or rules.mode != ACT or rules.blocked_reason:
        return ()
    first: dict[str, LedgerEntry] = {}
    for entry in pending_entries(situation):
        if entry.lane == lane:
            first.setdefault(entry.cause, entry)
    found = [
        entry
        for entry in first.values()
        if entry.id not in situation.in_flight
        and (entry.changed_at > situation.now or not 0 < entry.next_at - situation.now <= MAX_RETRY_AFTER)
    ]
    return tuple(sorted(found, key=lambda entry: (entry.next_at, entry.decided_at)))


def pending_entries(situation: Situation) -> list[LedgerEntry]:
    """Return the pending entries of all kinds, in the order of their decisions."""
    return [entry for entry in situation.ledger.entries.values() if entry.state == PENDING]


def begun_change(entry: LedgerEntry, now: float, random: Random) -> ChangeEntry:
    """Return the change of the pending `entry` as an attempt begins; it stands if the attempt's outcome is lost."""
    attempts = entry.attempts + 1
    next_at = now + backoff(attempts, random)
    return ChangeEntry(
        id=entry.id,
        at=now,
        state=PENDING,
        reason=entry.reason,
        attempts=attempts,
        next_at=next_at,
        error=entry.error,
        detail=entry.detail,
    )


def next_change(entry: LedgerEntry, outcome: Outcome, now: float, random: Random) -> ChangeEntry:
    """Return the change of the pending `entry` after `outcome`: delivered, superseded, dead, or pending again."""
    attempts = entry.attempts + 1
    if isinstance(outcome, Done):
        return ChangeEntry(
            id=entry.id,
            at=now,
            state=DELIVERED,
            reason=outcome.reason,
            attempts=attempts,
            retraining=outcome.retraining,
        )
    reason, detail = outcome.reason, outcome.detail[:MAX_DETAIL]
    if isinstance(outcome, Dropped):
        return ChangeEntry(
            id=entry.id, at=now, state=SUPERSEDED, reason=reason, attempts=entry.attempts, error=reason, detail=detail
        )
    too_late = attempts >= MIN_ATTEMPTS and now - entry.decided_at >= GIVE_UP_SECONDS
    if isinstance(outcome, Failed) or too_late:
        return ChangeEntry(
            id=entry.id, at=now, state=DEAD, reason=reason, attempts=attempts, error=reason, detail=detail
        )
    wait = max(backoff(attempts, random), min(outcome.at - now, MAX_RETRY_AFTER))
    return ChangeEntry(
        id=entry.id,
        at=now,
        state=PENDING,
        reason=entry.reason,
        attempts=attempts,
        next_at=now + wait,
        error=reason,
        detail=detail,
    )


def backoff(attempts: int, random: Random) -> float:
    """Return the seconds to wait after `attempts` failures: exponential backoff with full jitter.

    Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
    """
    return random.uniform(0, min(LONGEST, FIRST * FACTOR ** min(attempts - 1, 32)))
