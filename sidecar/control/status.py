"""What a person is shown of the loop: immutable, made anew in each cycle."""

from __future__ import annotations

from dataclasses import dataclass

from .ledger import DEAD, PENDING, LedgerEntry, Nature
from .outbox import Outbox

SHOWN = 50  # intents, newest first


@dataclass(frozen=True, slots=True)
class IntentStatus:
    """One entry of the ledger without what is sent; times in epoch seconds, `next_at` None unless it is pending.

    `episode` is empty for a level, which has no episode.
    """

    id: str
    kind: str
    cause: str
    episode: str
    model: str
    version: str
    state: str
    reason: str
    attempts: int
    decided_at: float
    changed_at: float
    next_at: float | None
    error: str | None


@dataclass(frozen=True, slots=True)
class ControlStatus:
    """The newest intents, all outcomes counted as (kind, outcome, reason, count), and the outbox's own state."""

    intents: tuple[IntentStatus, ...] = ()
    totals: tuple[tuple[str, str, str, int], ...] = ()
    pending: int = 0
    dead: int = 0
    unsaved: int = 0
    damaged: int = 0
    problem: str | None = None


def build_status(outbox: Outbox) -> ControlStatus:
    """Return what is to be shown of `outbox`."""
    entries = sorted(outbox.ledger.entries.values(), key=lambda entry: (entry.decided_at, entry.id), reverse=True)
    return ControlStatus(
        intents=tuple(map(_shown, entries[:SHOWN])),
        totals=tuple((*key, count) for key, count in sorted(outbox.ledger.totals.items())),
        pending=sum(entry.state == PENDING for entry in entries),
        dead=sum(entry.state == DEAD for entry in entries),
        unsaved=outbox.unsaved,
        damaged=len(outbox.damaged),
        problem="; ".join(filter(None, (outbox.problem, outbox.damage))) or None,
    )


def _shown(entry: LedgerEntry) -> IntentStatus:
    return IntentStatus(
        id=entry.id,
        kind=entry.kind,
        cause=entry.why,
        episode=entry.key if entry.nature is Nature.ONCE else "",
        model=entry.model,
        version=entry.version,
        state=entry.state,
        reason=entry.reason,
        attempts=entry.attempts,
        decided_at=entry.decided_at,
        changed_at=entry.changed_at,
        next_at=entry.next_at if entry.state == PENDING else None,
        error=entry.error or None,
    )
