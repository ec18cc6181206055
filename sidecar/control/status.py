"""The status of the control loop for the report and the metrics: an immutable value, built in each cycle."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from ..report.control_status import ControlStatus, IntentStatus, RetrainingState
from .ledger import DEAD, PENDING, LedgerEntry, Nature, RetrainingRecord
from .outbox import Outbox

SHOWN = 50  # intents of each kind in the report, the newest ones: no kind displaces another


def build_status(outbox: Outbox, receivers: Mapping[str, str]) -> ControlStatus:
    """Return the status of the ledger in `outbox`; `receivers` are the names of the lanes' receivers."""
    entries = sorted(outbox.ledger.entries.values(), key=lambda entry: (entry.decided_at, entry.id), reverse=True)
    return ControlStatus(
        intents=tuple(_intent_status(entry, receivers) for entry in _newest(entries)),
        totals=tuple((*key, count) for key, count in sorted(outbox.ledger.totals.items())),
        waiting=_waiting(entries, receivers),
        pending=sum(entry.state == PENDING for entry in entries),
        dead=sum(entry.state == DEAD for entry in entries),
        unsaved=outbox.unsaved,
        damaged=len(outbox.damaged),
        problem="; ".join(filter(None, (outbox.problem, outbox.damage))) or None,
    )


def _newest(entries: Iterable[LedgerEntry]) -> Iterator[LedgerEntry]:
    """Yield the first SHOWN of `entries` of each kind."""
    seen = Counter[str]()
    for entry in entries:
        seen[entry.kind] += 1
        if seen[entry.kind] <= SHOWN:
            yield entry


def _waiting(entries: list[LedgerEntry], receivers: Mapping[str, str]) -> tuple[tuple[str, str, int], ...]:
    """Return the pending entries of each receiver in `receivers`, as (kind, receiver, entries)."""
    found = Counter(entry.lane for entry in entries if entry.state == PENDING)
    named = Counter[tuple[str, str]]()
    for lane, receiver in receivers.items():
        named[lane.partition("/")[0], receiver] += found[lane]
    return tuple((*key, amount) for key, amount in sorted(named.items()))


def _intent_status(entry: LedgerEntry, receivers: Mapping[str, str]) -> IntentStatus:
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
        receiver=receivers.get(entry.lane, ""),
        detail=entry.detail or None,
        retraining=_retraining_state(entry.retraining) if entry.retraining is not None else None,
        target=entry.key if entry.nature is Nature.LEVEL else "",
        observed=entry.observed if isinstance(entry.observed, int) else None,
        desired=entry.desired if isinstance(entry.desired, int) else None,
        text=entry.text,
    )


def _retraining_state(record: RetrainingRecord) -> RetrainingState:
    return RetrainingState(
        kind=record.kind, name=record.name, state=record.state, reason=record.reason, detail=record.detail or None
    )
