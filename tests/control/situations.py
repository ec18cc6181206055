"""Builders of situations, entries and operations for tests."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from pilotfish.sidecar.control.ledger import PENDING, ChangeEntry, IntentLedger, LedgerEntry, Operation, PutEntry
from pilotfish.sidecar.control.notify.event import TYPES
from pilotfish.sidecar.control.situation import (
    ACT,
    BlindFacts,
    EpisodeFacts,
    Fact,
    NotifyRules,
    RetrainRules,
    Situation,
    Subject,
)

NOON = 1_700_000_000.0
HOUR = 3600.0
OLD_OUTBOX = Path(__file__).with_name("data") / "outbox.jsonl"  # written by a version without the nature LEVEL
SUBJECT = Subject("delays", "7", "aa" * 32)
UNPROFILED = replace(SUBJECT, profile_hash="")
RULES = RetrainRules(mode=ACT, causes=("drift",), cooldown=24 * HOUR)


def episode(
    id_: str = "e1", *, at: float = NOON, closed_by: str = "", cause: str = "drift", features: int = 1
) -> EpisodeFacts:
    detail = {"features": [{"name": f"f{index}"} for index in range(features)]}
    return EpisodeFacts(id_, cause, "features", at, closed_by, detail, at + HOUR, "age rose: mean 41.0 -> 46.1")


def situation(
    *episodes: EpisodeFacts,
    now: float = NOON,
    mode: str | None = None,
    rules: RetrainRules | None = RULES,
    subject: Subject = SUBJECT,
    done: Iterable[Operation] = (),
) -> Situation:
    return Situation(
        now=now,
        subject=subject,
        episodes=Fact(episodes, now),
        ledger=IntentLedger().apply(done),
        retrain=replace(rules, mode=mode or rules.mode) if rules else None,
    )


def receiver(id_: str = "r1", *, events: Iterable[str] = TYPES, blind_for: float = 60.0) -> NotifyRules:
    return NotifyRules(mode=ACT, receiver=id_, events=frozenset(events), blind_for=blind_for, max_pending=5)


def spot(*, active: bool = True, seconds: float = 60.0, total: bool = False, since: float = NOON) -> BlindFacts:
    return BlindFacts(
        reason="undecoded",
        active=active,
        since=since,
        seconds=seconds,
        total_seconds=seconds * total,
        total=total,
        text="some bodies are not decoded" * active,
    )


def notified(
    *episodes: EpisodeFacts,
    blind: Iterable[BlindFacts] = (),
    receivers: Iterable[NotifyRules] = (receiver(),),
    now: float = NOON,
    ledger: IntentLedger | None = None,
) -> Situation:
    return Situation(
        now=now,
        subject=replace(SUBJECT, monitor="m"),
        episodes=Fact(episodes, now),
        ledger=ledger or IntentLedger(),
        blind=Fact(tuple(blind), now),
        notify=tuple(receivers),
    )


def entry(
    id_: str = "i1",
    *,
    state: str = PENDING,
    at: float = NOON,
    episode: str = "e1",
    reason: str = "drift",
    attempts: int = 0,
    next_at: float = 0.0,
    body: str = "{}",
    profile_hash: str = SUBJECT.profile_hash,
) -> LedgerEntry:
    return LedgerEntry(
        id=id_,
        kind="retrain",
        why="drift",
        key=episode,
        model="delays",
        version="7",
        profile_hash=profile_hash,
        decided_at=at,
        changed_at=at,
        state=state,
        reason=reason,
        desired=body,
        attempts=attempts,
        next_at=next_at,
    )


def put(id_: str = "i1", **fields: object) -> PutEntry:
    return PutEntry(entry(id_, **fields))  # type: ignore[arg-type]  # a table of tests names the fields


def change(id_: str = "i1", *, state: str, reason: str = "drift", at: float = NOON) -> ChangeEntry:
    return ChangeEntry(id=id_, at=at, state=state, reason=reason)
