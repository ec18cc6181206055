"""The control loop as people and Prometheus see it: made by the loop in each cycle, shown in /report and /metrics."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class IntentStatus:
    """One entry of the ledger without what is sent; times in epoch seconds, `next_at` None unless it is pending.

    `episode` is empty for a level, which has no episode.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlStatus:
    """The newest intents, all outcomes counted as (kind, outcome, reason, count), and the outbox's own state."""

    intents: tuple[IntentStatus, ...] = ()
    totals: tuple[tuple[str, str, str, int], ...] = ()
    pending: int = 0
    dead: int = 0
    unsaved: int = 0
    damaged: int = 0
    problem: str | None = None
