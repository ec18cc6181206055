"""Which notifications are wanted: a table of situations, each after what the ledger holds already."""

from __future__ import annotations

import json
from dataclasses import replace

import msgspec
import pytest

from pilotfish.sidecar.control.guard import build_entry, check_intent
from pilotfish.sidecar.control.intent import Intent
from pilotfish.sidecar.control.ledger import DELIVERED, PENDING, IntentLedger, PutEntry
from pilotfish.sidecar.control.notify import words
from pilotfish.sidecar.control.notify.clock import BlindClock
from pilotfish.sidecar.control.notify.event import SUBSCRIPTIONS, TYPES
from pilotfish.sidecar.control.notify.policy import ended, wanted_intents
from pilotfish.sidecar.control.reasons import Reason
from pilotfish.sidecar.control.situation import Situation
from pilotfish.sidecar.report.schema import BlindSpot
from pilotfish.sidecar.settings.webhooks import NOTIFY_EVENTS
from tests.control.situations import NOON, episode, notified, receiver, spot

OPEN, CLOSED = episode(), episode(closed_by="recovery")


def decided(situation: Situation, state: str = DELIVERED) -> IntentLedger:
    """Return the ledger after the guard's decisions; what it leaves pending has reached `state`."""
    ledger = situation.ledger
    for intent in wanted_intents(situation):
        situation = replace(situation, ledger=ledger)
        decision = check_intent(intent, situation)
        if decision is not None:
            entry = build_entry(decision, situation)
            ledger = ledger.apply([PutEntry(entry)])
            if entry.state == PENDING and state != PENDING:
                ledger = ledger.apply([PutEntry(msgspec.structs.replace(entry, state=state))])
    return ledger


def story(*situations: Situation) -> list[tuple[str, str, str]]:
    """Return (key, reason, state) of every decision while the situations follow each other."""
    ledger, found = IntentLedger(), list[tuple[str, str, str]]()
    for situation in situations:
        before = ledger
        ledger = decided(replace(situation, ledger=ledger))
        found += [
            (entry.key, entry.why, entry.reason if entry.state == "refused" else entry.state)
            for id_, entry in ledger.entries.items()
            if before.entries.get(id_) != entry
        ]
    return found


def text(intent: Intent) -> str:
    return str(json.loads(str(intent.desired))["data"]["text"])


@pytest.mark.parametrize(
    ("situations", "expected"),
    [
        ([notified()], []),
        ([notified(OPEN), notified(OPEN)], [("e1", "alarm_opened", "delivered")]),
        ([notified(CLOSED)], []),
        ([notified(OPEN), notified(CLOSED), notified(CLOSED)], [("e1", "alarm_opened", "delivered"),
            ("e1", "alarm_closed", "delivered")]),
        ([notified(OPEN), notified(CLOSED), notified(OPEN), notified(CLOSED)], [
            ("e1", "alarm_opened", "delivered"), ("e1", "alarm_closed", "delivered"),
            (f"e1@{NOON * 1000:.0f}", "alarm_opened", "delivered"),
            (f"e1@{NOON * 1000:.0f}", "alarm_closed", "delivered")]),
        ([notified(OPEN, receivers=[receiver(events=["alarm_closed"])]),
          notified(CLOSED, receivers=[receiver(events=["alarm_closed"])])],
            [("e1", "alarm_opened", "unsubscribed"), ("e1", "alarm_closed", "delivered")]),
        ([notified(*(episode(f"e{at}") for at in range(3)), receivers=[replace(receiver(), max_pending=0)])],
            [(f"e{at}", "alarm_opened", "backlog") for at in range(3)]),
        ([notified(OPEN, receivers=[replace(receiver(), max_pending=0)]), notified(CLOSED)],
            [("e1", "alarm_opened", "backlog")]),
        ([notified(OPEN, receivers=[replace(receiver(), blocked_reason="secret_ref")])],
            [("e1", "alarm_opened", "secret_ref")]),
        ([notified(blind=[spot(seconds=59.0)])], []),
        ([notified(blind=[spot()]), notified(blind=[spot(active=False, seconds=59.0)])],
            [(f"undecoded@{NOON:.0f}", "partly_blind", "delivered")]),
        ([notified(blind=[spot()]), notified(blind=[spot(since=NOON + 9, seconds=0.0)]),
          notified(blind=[spot(active=False)]), notified(blind=[spot(active=False, seconds=61.0)])],
            [(f"undecoded@{NOON:.0f}", "partly_blind", "delivered"),
             (f"undecoded@{NOON:.0f}", "blind_ended", "delivered")]),
        ([notified(blind=[spot()]), notified(blind=[spot(total=True)]), notified(blind=[spot()])],
            [(f"undecoded@{NOON:.0f}", "partly_blind", "delivered"), (f"undecoded@{NOON:.0f}", "blind", "delivered")]),
        ([notified(blind=[spot(total=True)]), notified(blind=[spot()])],
            [(f"undecoded@{NOON:.0f}", "blind", "delivered")]),
    ],
    ids=["quiet", "an-alarm-once", "an-end-without-a-start", "an-end-once", "open-again", "ends-only", "backlog",
         "an-end-after-a-backlog", "secret-of-a-cluster", "too-short", "gone-too-short", "an-end-after-a-restart",
         "worse", "less-bad"],
)  # fmt: skip
def test_events_that_are_decided(situations: list[Situation], expected: list[tuple[str, str, str]]) -> None:
    assert story(*situations) == expected


def test_receivers_have_events_of_their_own_and_a_removed_one_gets_nothing_more() -> None:
    both = notified(OPEN, receivers=[receiver("r1"), receiver("r2")])
    ledger = decided(both, PENDING)
    assert sorted(entry.receiver for entry in ledger.entries.values()) == ["r1", "r2"]
    assert len(ledger.entries) == 2
    left = notified(OPEN, receivers=[receiver("r2")], ledger=ledger)
    assert {entry.receiver: ended(entry, left) for entry in ledger.entries.values()} == {"r1": "withdrawn", "r2": ""}


def test_an_id_depends_neither_on_the_profile_nor_on_the_order_of_receivers() -> None:
    (one,) = wanted_intents(notified(OPEN))
    other = notified(OPEN, receivers=[receiver("r0"), receiver()])
    renamed = replace(other, subject=replace(other.subject, profile_hash="bb", version="8"))
    assert one.id in {intent.id for intent in wanted_intents(renamed)}


def test_every_event_of_the_document_has_reasons_and_every_reason_a_type() -> None:
    assert set(SUBSCRIPTIONS) == set(NOTIFY_EVENTS)
    assert frozenset().union(*SUBSCRIPTIONS.values()) == set(TYPES)


def test_a_person_on_call_reads_what_where_and_since_when() -> None:
    (opened,) = wanted_intents(notified(OPEN))
    assert text(opened) == "Drift alarm for model delays version 7: age rose: mean 41.0 -> 46.1; episode e1"
    (closed,) = wanted_intents(notified(CLOSED, ledger=decided(notified(OPEN))))
    assert text(closed) == (
        "Drift alarm for model delays version 7 has ended after 1h: the data returned to the reference; episode e1"
    )
    (blind,) = wanted_intents(notified(blind=[spot(total=True)]))
    assert text(blind) == (
        "Pilotfish measures nothing of the traffic of model delays version 7 (undecoded): some bodies are not decoded"
    )
    gone = spot(active=False, since=NOON + 300)
    (again,) = wanted_intents(notified(blind=[gone], ledger=decided(notified(blind=[spot()]))))
    assert text(again) == "Pilotfish is no longer blind for model delays version 7 (undecoded) after 5m"


@pytest.mark.parametrize("by", [*Reason, "restart", "x" * 500])
def test_every_end_is_in_words_of_bounded_length(by: str) -> None:
    sentence = words.alarm_closed(notified().subject, episode(closed_by=by))
    assert len(sentence) < 300
    assert "_" not in sentence.partition("ended")[2]


def test_long_sentences_are_cut_and_keep_the_episode() -> None:
    long = replace(OPEN, summary="x" * 5000)
    sentence = words.alarm_opened(notified().subject, long, again=False)
    assert len(sentence) == words.LONGEST
    assert sentence.endswith("…; episode e1")


def test_durations_do_not_follow_jumps_of_the_clock() -> None:
    at = [0.0]
    clock = BlindClock(NOON, lambda: at[0])
    total, part = (BlindSpot(reason="opaque", text="t", since=NOON, total=flag) for flag in (True, False))
    facts = []
    for seconds, now, spots in (
        (5, NOON + 9e9, [total]),
        (10, NOON - 9e9, [part]),
        (30, NOON, [total]),
        (31, NOON, ()),
    ):
        at[0] = float(seconds)
        facts += [one for one in clock.update(spots, now) if one.reason == "opaque"]
    assert [(one.active, one.seconds, one.total_seconds) for one in facts] == [
        (True, 0.0, 0.0), (True, 5.0, 0.0), (True, 25.0, 0.0), (False, 0.0, 0.0),
    ]  # fmt: skip
