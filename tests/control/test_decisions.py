"""The decisions, as tables: a situation in; intents, decisions, due and superseded entries out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pilotfish.sidecar.control import pending
from pilotfish.sidecar.control.guard import build_entry, check_intent
from pilotfish.sidecar.control.ledger import (
    DEAD,
    DELIVERED,
    PENDING,
    RECOMMENDED,
    REFUSED,
    SUPERSEDED,
    ChangeEntry,
    LedgerEntry,
    PutEntry,
)
from pilotfish.sidecar.control.retrain.policy import KIND, POLICY, wanted_intents
from pilotfish.sidecar.control.situation import ACT, OBSERVE, RECOMMEND, Situation, Subject
from tests.control.situations import HOUR, NOON, RULES, SUBJECT, UNPROFILED, episode, put, situation

BLOCKED = replace(RULES, blocked_reason="secret_ref")


def superseded(case: Situation) -> tuple[ChangeEntry, ...]:
    return pending.superseded_changes(POLICY, wanted_intents(case), case)


def due_entries(case: Situation) -> tuple[LedgerEntry, ...]:
    return pending.due_entries(KIND, case)


OLDER, NEWER = episode("older", at=NOON - 60), episode("newer")


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        (situation(), []),
        (situation(NEWER, OLDER), ["older", "newer"]),
        (situation(episode(closed_by="recovery")), []),
        (situation(episode(cause="performance")), []),
        (situation(episode(), rules=None), []),
        (situation(episode(), mode=OBSERVE), ["e1"]),
        (situation(episode(), subject=UNPROFILED), []),
    ],
    ids=[
        "quiet",
        "two-oldest-first",
        "ended",
        "cause-not-named",
        "no-retrain-block",
        "mode-observe",
        "no-profile",
    ],
)
def test_policy_wants_one_retraining_for_each_open_episode(case: Situation, expected: list[str]) -> None:
    assert [intent.key for intent in wanted_intents(case)] == expected


def own(state: str, reason: str = "drift", **fields: object) -> PutEntry:
    """Return the entry of the intent under decision."""
    return put(wanted_intents(situation(episode()))[0].id, state=state, reason=reason, **fields)


def other(state: str, age: float, **fields: object) -> PutEntry:
    return put("other", state=state, at=NOON - age, episode="e0", **fields)


DECISIONS = {
    "act": (situation(episode()), (PENDING, "drift")),
    "recommend": (situation(episode(), mode=RECOMMEND), (RECOMMENDED, "mode")),
    "observe": (situation(episode(), mode=OBSERVE), (REFUSED, "mode")),
    "blocked": (situation(episode(), rules=BLOCKED), (REFUSED, "secret_ref")),
    "already-pending": (situation(episode(), done=[own(PENDING)]), None),
    "already-delivered": (situation(episode(), done=[own(DELIVERED)]), None),
    "given-up": (situation(episode(), done=[own(DEAD, "http_500")]), None),
    "given-up-at-another-receiver": (
        situation(episode(), done=[own(DEAD, "http_404")], rules=replace(RULES, target="new")),
        (PENDING, "drift"),
    ),
    "already-recommended": (situation(episode(), mode=RECOMMEND, done=[own(RECOMMENDED, "mode")]), None),
    "mode-raised": (situation(episode(), done=[own(RECOMMENDED, "mode")]), (PENDING, "drift")),
    "reopened-before-it-was-sent": (situation(episode(), done=[own(SUPERSEDED, "recovery")]), (PENDING, "drift")),
    "cooldown": (situation(episode(), done=[other(DELIVERED, 23 * HOUR)]), (REFUSED, "cooldown")),
    "cooldown-after-another-profile": (
        situation(episode(), done=[other(DELIVERED, HOUR, profile_hash="bb")]),
        (REFUSED, "cooldown"),
    ),
    "cooldown-refused-already": (
        situation(episode(), done=[other(DELIVERED, HOUR), own(REFUSED, "cooldown")]),
        None,
    ),
    "cooldown-over": (
        situation(episode(), done=[other(DELIVERED, 24 * HOUR), own(REFUSED, "cooldown")]),
        (PENDING, "drift"),
    ),
    "dead-does-not-cool": (situation(episode(), done=[other(DEAD, HOUR)]), (PENDING, "drift")),
    "superseded-before-an-attempt-does-not-cool": (
        situation(episode(), done=[other(SUPERSEDED, HOUR)]),
        (PENDING, "drift"),
    ),
    "superseded-after-an-attempt-cools": (
        situation(episode(), done=[other(SUPERSEDED, HOUR, attempts=1)]),
        (REFUSED, "cooldown"),
    ),
    "recommendations-cool-recommendations": (
        situation(episode(), mode=RECOMMEND, done=[other(RECOMMENDED, HOUR)]),
        (REFUSED, "cooldown"),
    ),
    "recommendations-do-not-cool-acts": (situation(episode(), done=[other(RECOMMENDED, HOUR)]), (PENDING, "drift")),
    "no-cooldown": (
        situation(episode(), rules=replace(RULES, cooldown=0.0), done=[other(DELIVERED, 1)]),
        (PENDING, "drift"),
    ),
    "clock-set-back": (situation(episode(), done=[other(DELIVERED, -1000 * HOUR)]), (REFUSED, "cooldown")),
    "clock-set-back-and-refused-before": (
        situation(episode(), done=[other(DELIVERED, -1000 * HOUR), own(REFUSED, "cooldown", at=NOON + 999 * HOUR)]),
        (REFUSED, "cooldown"),
    ),
    "clock-set-back-and-refused-since": (
        situation(episode(), done=[other(DELIVERED, -1000 * HOUR), own(REFUSED, "cooldown", at=NOON - 23 * HOUR)]),
        None,
    ),
    "clock-set-back-a-cooldown-ago": (
        situation(episode(), done=[other(DELIVERED, -1000 * HOUR), own(REFUSED, "cooldown", at=NOON - 24 * HOUR)]),
        (PENDING, "drift"),
    ),
    "clock-set-back-after-a-refusal-by-mode": (
        situation(episode(), done=[other(DELIVERED, -1000 * HOUR), own(REFUSED, "mode", at=NOON - 24 * HOUR)]),
        (REFUSED, "cooldown"),
    ),
}


@pytest.mark.parametrize(("case", "expected"), DECISIONS.values(), ids=DECISIONS)
def test_guard(case: Situation, expected: tuple[str, str] | None) -> None:
    decision = check_intent(wanted_intents(case)[0], case)
    assert (decision and (decision.state, decision.reason)) == expected


@pytest.mark.parametrize("state", [PENDING, DELIVERED])
def test_drift_that_continues_after_evidence_was_lost_gives_one_request(state: str) -> None:
    lost, again = episode(closed_by="restart"), episode("e2", at=NOON + HOUR)
    case = situation(lost, again, now=NOON + HOUR, done=[own(state)])
    assert superseded(case) == ()
    (intent,) = wanted_intents(case)
    decision = check_intent(intent, case)
    assert decision is not None
    assert (decision.state, decision.reason) == (REFUSED, "cooldown")


def test_two_simultaneous_episodes_give_one_retraining() -> None:
    case = situation(OLDER, NEWER)
    states = []
    for intent in wanted_intents(case):
        decision = check_intent(intent, case)
        assert decision is not None
        states.append((intent.key, decision.state, decision.reason))
        case = replace(case, ledger=case.ledger.apply([PutEntry(build_entry(decision, case))]))
    assert states == [("older", PENDING, "drift"), ("newer", REFUSED, "cooldown")]


def test_the_id_of_an_intent_depends_only_on_its_cause() -> None:
    def id_of(case: Situation) -> str:
        return wanted_intents(case)[0].id

    base = id_of(situation(episode()))
    assert base == id_of(situation(episode(at=NOON - 5, features=3), now=NOON + HOUR, mode=RECOMMEND))
    different = [
        situation(episode("e2")),
        *(
            situation(episode(), subject=replace(SUBJECT, **change))
            for change in ({"model": "x"}, {"version": "8"}, {"profile_hash": "bb"})
        ),
        situation(episode(), subject=Subject("delay", "s7", SUBJECT.profile_hash)),
    ]
    assert len({base, *map(id_of, different)}) == 1 + len(different)


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        (situation(episode(), done=[put()]), []),
        (situation(done=[put()]), []),
        (situation(done=[put()], subject=UNPROFILED), []),
        (situation(episode(closed_by="recovery"), done=[put()]), ["recovery"]),
        (situation(episode(closed_by="person"), done=[put()]), ["person"]),
        (situation(episode(), done=[put(profile_hash="bb")]), ["profile"]),
        (situation(episode(closed_by="recovery"), done=[put(state=DELIVERED)]), []),
        (situation(episode(closed_by="restart"), done=[put()]), []),
    ],
    ids=[
        "open",
        "not-listed",
        "no-profile",
        "recovery",
        "closed-by-a-person",
        "new-profile",
        "delivered-before",
        "evidence-lost",
    ],
)
def test_entries_whose_cause_has_ended_are_superseded(case: Situation, expected: list[str]) -> None:
    assert [(change.state, change.reason) for change in superseded(case)] == [(SUPERSEDED, end) for end in expected]


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        (situation(done=[put("a", episode="e1"), put("b", at=NOON - 1, episode="e2")]), ["b", "a"]),
        (situation(done=[put("b", at=NOON - 1, next_at=NOON - 1), put("a", episode="e2")]), ["a", "b"]),
        (situation(done=[put("b", next_at=NOON + 1), put("a")]), []),
        (situation(done=[put(next_at=NOON + 1)]), []),
        (situation(done=[put(next_at=NOON)]), ["i1"]),
        (situation(done=[put(next_at=NOON + 10 * HOUR)]), ["i1"]),
        (situation(done=[put(at=NOON + 1, next_at=NOON + 2)]), ["i1"]),
        (situation(done=[put(state=DELIVERED)]), []),
        (situation(done=[put()], mode=RECOMMEND), []),
        (situation(done=[put()], rules=None), []),
        (situation(done=[put()], rules=BLOCKED), []),
    ],
    ids=[
        "oldest-first",
        "new-before-failed",
        "after-an-older-one-of-its-cause",
        "later",
        "now",
        "clock-set-back",
        "clock-set-back-a-little",
        "delivered",
        "mode-lowered",
        "block-removed",
        "blocked",
    ],
)
def test_due_entries(case: Situation, expected: list[str]) -> None:
    assert [entry.id for entry in due_entries(case)] == expected


def test_modes_are_the_words_of_the_document() -> None:
    assert (OBSERVE, RECOMMEND, ACT) == ("observe", "recommend", "act")
