"""The audit log: one JSON line on standard output for every decision and effect of the controller.

Each line has `time`, `identity` (the pod that decided), `action`, and the namespace, name and UID of the monitor. Lines
of intents have the id under which a receiver knows the request, and the reason. Other logs go to standard error.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from typing import Any

from ...log import LineHandler, rfc3339
from ..ledger import ChangeEntry, IntentLedger, LedgerEntry, Nature, Operation, PutEntry
from ..outbox import Outbox
from .key import MonitorKey

_LOGGER = logging.getLogger("pilotfish.audit")
MAX_TEXT = 300  # characters of one value; the whole line must fit into one write


class Audit:
    """Writes audit lines. `write` receives each line, `identity` names this process, `clock` returns epoch seconds."""

    def __init__(self, identity: str, clock: Callable[[], float], write: Callable[[str], None]) -> None:
        self._identity = identity
        self._clock = clock
        self._write = write

    def record(self, action: str, key: MonitorKey | None = None, **values: object) -> None:
        """Write the line of `action`; empty values are left out and long texts cut."""
        line: dict[str, Any] = {"time": rfc3339(self._clock()), "identity": self._identity, "action": action}
        if key is not None:
            line |= {"namespace": key.namespace, "monitor": key.name, "uid": key.uid}
        line |= {name: _cut(value) for name, value in values.items() if value not in ("", None)}
        self._write(json.dumps(line))

    def intent(self, key: MonitorKey, entry: LedgerEntry) -> None:
        """Write the line of a ledger entry that was decided or has changed."""
        self.record(
            "intent",
            key,
            id=entry.id,
            kind=entry.kind,
            cause=entry.why,
            episode=entry.key if entry.nature is Nature.ONCE else "",
            model=entry.model,
            version=entry.version,
            profile_hash=entry.profile_hash,
            receiver=entry.receiver,
            state=entry.state,
            reason=entry.reason,
            attempts=entry.attempts or None,
            error=entry.error,
            detail=entry.detail,
            **_record_of(entry),
            **_level_of(entry),
        )


class ObservedOutbox:
    """An outbox that passes each changed entry to `changed` once the change is stored."""

    def __init__(self, inner: Outbox, changed: Callable[[LedgerEntry], None]) -> None:
        self._inner = inner
        self._changed = changed

    @property
    def ledger(self) -> IntentLedger:
        """The ledger of the inner outbox."""
        return self._inner.ledger

    @property
    def unsaved(self) -> int:
        """Number of operations that are not stored yet."""
        return self._inner.unsaved

    @property
    def problem(self) -> str:
        """The problem of the inner outbox."""
        return self._inner.problem

    @property
    def damage(self) -> str:
        """The damage of the inner outbox."""
        return self._inner.damage

    @property
    def damaged(self) -> tuple[str, ...]:
        """The damaged records of the inner outbox."""
        return self._inner.damaged

    async def open(self) -> None:
        """Open the inner outbox."""
        await self._inner.open()

    async def commit(self, operations: Sequence[Operation]) -> None:
        """Commit `operations`, then pass on the entries that they changed."""
        await self._inner.commit(operations)
        for id_ in changed_ids(operations):
            if id_ in self.ledger.entries:
                self._changed(self.ledger.entries[id_])

    def close(self) -> None:
        """Close the inner outbox."""
        self._inner.close()


class _AuditFormatter(logging.Formatter):
    """Formats audit lines, which are JSON already, and the handler's own message about lost lines."""

    def format(self, record: logging.LogRecord) -> str:
        text = record.getMessage()
        return text if record.name == _LOGGER.name else json.dumps({"action": "lost", "reason": text})


def changed_ids(operations: Sequence[Operation]) -> tuple[str, ...]:
    """Return the ids of the entries that `operations` change, each once."""
    ids = [
        operation.entry.id if isinstance(operation, PutEntry) else operation.id
        for operation in operations
        if isinstance(operation, PutEntry | ChangeEntry)
    ]
    return tuple(dict.fromkeys(ids))


def standard_output() -> Callable[[str], None]:
    """Return a function that writes lines to standard output, and never waits for its reader."""
    if not _LOGGER.handlers:
        handler = LineHandler("stdout")
        handler.setFormatter(_AuditFormatter())
        _LOGGER.addHandler(handler)
    _LOGGER.propagate = False
    _LOGGER.setLevel(logging.INFO)
    return _info


def _info(line: str) -> None:
    _LOGGER.info("%s", line)


def _record_of(entry: LedgerEntry) -> dict[str, str]:
    record = entry.retraining
    return {"object": f"{record.kind} {record.name}".strip(), "outcome": record.state} if record is not None else {}


def _level_of(entry: LedgerEntry) -> dict[str, object]:
    if entry.nature is not Nature.LEVEL:
        return {}
    return {"target": entry.key, "observed": entry.observed, "desired": entry.desired, "text": entry.text}


def _cut(value: object) -> object:
    return value if isinstance(value, int | float) else str(value)[:MAX_TEXT]
