"""The state of the control loop for /report and /metrics. The loop makes a new one in each cycle."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrainingState:
    """What became of a retraining, in a cluster.

    `kind` and `name` are those of the created object; `webhook` and empty for a receiver. `state` is `requested`,
    `running`, `succeeded` or `failed`, `reason` a value of docs/reasons.md, and `detail` a message for people.
    """

    kind: str
    name: str
    state: str
    reason: str
    detail: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IntentStatus:
    """One entry of the intent ledger, without the request body. Times are epoch seconds.

    `next_at` is None unless the entry is pending. `episode` is empty for a level, because a level has no episode; of a
    notification it may also be a blind spot. `receiver` is the name of the receiver or its URL without secrets.
    `detail` is the message of the last failure in a cluster. Of a level, `target` is the controlled object, `observed`
    and `desired` are its values, and `text` says why in words.
    """

    id: str = ""
    kind: str
    cause: str = ""
    episode: str
    model: str = ""
    version: str = ""
    state: str
    reason: str
    attempts: int
    decided_at: float
    changed_at: float | None = None
    next_at: float | None = None
    error: str | None = None
    receiver: str = ""
    detail: str | None = None
    retraining: RetrainingState | None = None
    target: str = ""
    observed: int | None = None
    desired: int | None = None
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlStatus:
    """The newest intents, the totals as (kind, outcome, reason, count), and the state of the outbox.

    `waiting` has the entries that wait for each receiver, as (kind, receiver, entries).
    """

    intents: tuple[IntentStatus, ...] = ()
    totals: tuple[tuple[str, str, str, int], ...] = ()
    pending: int = 0
    dead: int = 0
    waiting: tuple[tuple[str, str, int], ...] = ()
    unsaved: int = 0
    damaged: int = 0
    problem: str | None = None
