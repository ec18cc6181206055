"""What becomes of a pending entry: it is superseded, it is due, or an outcome settles it. Pure, like the guard."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from .executor import Done, Failed, Outcome
from .guard import stale
from .intent import Intent
from .ledger import DEAD, DELIVERED, PENDING, SUPERSEDED, ChangeEntry, LedgerEntry, Nature
from .policy import Policy
from .reasons import Reason
from .situation import ACT, Situation

FIRST, FACTOR, LONGEST = 1.0, 2.0, 600.0  # seconds: bound of the first wait, its growth, its ceiling
MAX_RETRY_AFTER = 3600.0  # seconds; an executor may ask for no longer wait than this
GIVE_UP_SECONDS = 86400.0  # seconds after the decision
MIN_ATTEMPTS = 10  # so that a machine which slept for a day still tries


def superseded_changes(policy: Policy, intents: Sequence[Intent], situation: Situation) -> tuple[ChangeEntry, ...]:
    """Return what supersedes pending entries of the policy's kind, given the `intents` that it wants now.

    An entry of nature ONCE ends with its cause. One of nature LEVEL ends when its key has no intent any more, another
    one, or one that is already satisfied.
    """
    newest = {intent.key: intent for intent in intents if intent.nature is Nature.LEVEL}
    changes = []
    for entry in pending_entries(policy.kind, situation):
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
    if newest is None:
        return Reason.WITHDRAWN
    if stale(newest, situation):
        return Reason.STALE
    if newest.desired == newest.observed:
        return Reason.SATISFIED
    return Reason.REPLACED if newest.desired != entry.desired else ""


def due_entries(kind: str, situation: Situation) -> tuple[LedgerEntry, ...]:
    """Return the pending entries of `kind` whose time has come, oldest first; none while mode or document hold them.

    No retry is planned further ahead than `MAX_RETRY_AFTER`: one that seems to be shows that the clock was set back.
    """
    rules = situation.rules.get(kind)
    if rules is None or rules.mode != ACT or rules.blocked_reason:
        return ()
    return tuple(
        entry for entry in pending_entries(kind, situation) if not 0 < entry.next_at - situation.now <= MAX_RETRY_AFTER
    )


def pending_entries(kind: str, situation: Situation) -> list[LedgerEntry]:
    """Return the entries of `kind` that wait for an executor, oldest first, without those it is applying now."""
    found = [
        entry
        for entry in situation.ledger.entries.values()
        if entry.state == PENDING and entry.kind == kind and entry.id not in situation.in_flight
    ]
    return sorted(found, key=lambda entry: (entry.decided_at, entry.id))


def next_change(entry: LedgerEntry, outcome: Outcome, now: float, random: Random) -> ChangeEntry:
    """Return what `outcome` makes of the pending `entry`: delivered, tried again later, or given up."""
    attempts = entry.attempts + 1
    if isinstance(outcome, Done):
        return ChangeEntry(id=entry.id, at=now, state=DELIVERED, reason=outcome.reason, attempts=attempts)
    reason = outcome.reason
    too_late = attempts >= MIN_ATTEMPTS and now - entry.decided_at >= GIVE_UP_SECONDS
    if isinstance(outcome, Failed) or too_late:
        return ChangeEntry(id=entry.id, at=now, state=DEAD, reason=reason, attempts=attempts, error=reason)
    wait = max(backoff(attempts, random), min(outcome.at - now, MAX_RETRY_AFTER))
    return ChangeEntry(
        id=entry.id, at=now, state=PENDING, reason=entry.reason, attempts=attempts, next_at=now + wait, error=reason
    )


def backoff(attempts: int, random: Random) -> float:
    """Return the seconds to wait after the given number of failures: full jitter over an exponential bound.

    Source: M. Brooker, "Exponential Backoff And Jitter", 2015: the least work and little more time than any other form.
    """
    return random.uniform(0, min(LONGEST, FIRST * FACTOR ** min(attempts - 1, 32)))
