"""What a person is shown of the loop: immutable, made anew in each cycle."""

from __future__ import annotations

from ..report.control_status import ControlStatus, IntentStatus
from .ledger import DEAD, PENDING, LedgerEntry, Nature
from .outbox import Outbox

SHOWN = 50  # intents, newest first


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
