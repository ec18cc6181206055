"""Outcomes of answers, the backoff, Retry-After, the signature and the event."""

from __future__ import annotations

import json
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotfish.sidecar.control import pending
from pilotfish.sidecar.control.intent import Intent
from pilotfish.sidecar.control.ledger import DEAD, DELIVERED, PENDING, ChangeEntry, LedgerEntry
from pilotfish.sidecar.control.pending import LONGEST, backoff
from pilotfish.sidecar.control.retrain.policy import wanted_intents
from pilotfish.sidecar.control.webhook.cloudevent import MAX_EVENT_BYTES
from pilotfish.sidecar.control.webhook.delivery import DeliveryResult, outcome_of, parse_retry_after
from pilotfish.sidecar.control.webhook.signature import sign, verify
from tests.control.situations import HOUR, NOON, entry, episode, situation


def next_change(entry: LedgerEntry, answer: DeliveryResult, now: float, random: Random) -> ChangeEntry:
    return pending.next_change(entry, outcome_of(answer, entry.why, now), now, random)


def render(intent: Intent) -> bytes:
    return str(intent.desired).encode()


@pytest.mark.parametrize(
    ("answer", "attempts", "age", "expected"),
    [
        (DeliveryResult(200), 0, 0, (DELIVERED, "drift")),
        (DeliveryResult(202), 7, 0, (DELIVERED, "drift")),
        (DeliveryResult(302), 0, 0, (PENDING, "drift")),
        (DeliveryResult(404), 0, 0, (PENDING, "drift")),
        (DeliveryResult(410), 0, 0, (DEAD, "http_410")),
        (DeliveryResult(500), 0, 0, (PENDING, "drift")),
        (DeliveryResult(None, "timeout"), 99, 23 * HOUR, (PENDING, "drift")),
        (DeliveryResult(None, "timeout"), 99, 25 * HOUR, (DEAD, "timeout")),
        (DeliveryResult(503), 3, 72 * HOUR, (PENDING, "drift")),
    ],
)
def test_only_a_2xx_delivers_and_only_time_or_410_gives_up(
    answer: DeliveryResult, attempts: int, age: float, expected: tuple[str, str]
) -> None:
    change = next_change(entry(attempts=attempts), answer, NOON + age, Random(1))
    assert (change.state, change.reason) == expected
    assert change.attempts == attempts + 1


def test_backoff_with_full_jitter_grows_up_to_its_maximum() -> None:
    waits = {attempts: [backoff(attempts, Random(seed)) for seed in range(200)] for attempts in (1, 2, 5, 12, 10_000)}
    for attempts, bound in {1: 1, 2: 2, 5: 16, 12: LONGEST, 10_000: LONGEST}.items():
        assert 0 <= min(waits[attempts]) < bound * 0.1
        assert bound * 0.9 < max(waits[attempts]) <= bound


@pytest.mark.parametrize(("asked", "least", "most"), [(120.0, 120, 120), (1e9, 3600, 3600), (None, 0, 1), (0.0, 0, 1)])
def test_retry_after_is_honoured_up_to_an_hour(asked: float | None, least: float, most: float) -> None:
    change = next_change(entry(), DeliveryResult(503, retry_after=asked), NOON, Random(1))
    assert least <= change.next_at - NOON <= most


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ("", None),
        ("120", 120.0),
        (" 7 ", 7.0),
        ("-1", None),
        ("1e9", None),
        ("soon", None),
        ("²", None),
        ("Tue, 14 Nov 2023 22:14:20 GMT", 60.0),
        ("Tue, 14 Nov 2023 22:14:20 -0000", 60.0),
        ("Tue, 14 Nov 2000 22:14:20 GMT", 0.0),
        ("9" * 400, float("9" * 64)),
        ("Tue, 14 Nov 99999 22:14:20 GMT", None),
        ("Tue, 14 Nov 99999999999999999999 22:14:20 GMT", None),
        ("Tue, 14 Nov 2023 22:14:99999999999999999999 GMT", None),
        ("Tue, 14 Nov 2023 22:14:20 +999999999999999", None),
        ("Tue, 14 Nov 2023 22:14:20 +9999", None),
    ],
)
def test_retry_after_forms(value: str | None, expected: float | None) -> None:
    assert parse_retry_after(value, NOON) == expected


NUMBERS = st.integers().map(str) | st.integers(0, 99).map(str)
DATES = st.builds(
    "{}, {} {} {} {}:{}:{} {}".format,
    st.sampled_from(("Tue", "Tuesday", "")),
    NUMBERS,
    st.sampled_from(("Nov", "November", "13", "x")),
    NUMBERS,
    NUMBERS,
    NUMBERS,
    NUMBERS,
    st.sampled_from(("GMT", "EST", "-0000")) | st.integers().map("{:+05d}".format),
)


@given(st.text() | DATES | NUMBERS)
def test_retry_after_never_raises_and_never_lies_in_the_past(value: str) -> None:
    asked = parse_retry_after(value, NOON)
    assert asked is None or asked >= 0


SECRET, BODY, AT = b"s3cret", b'{"id":"x"}', str(int(NOON))


def test_the_signature_is_hmac_sha256_of_timestamp_dot_body() -> None:
    # printf '1700000000.{"id":"x"}' | openssl dgst -sha256 -hmac s3cret
    assert sign(SECRET, AT, BODY) == "v1=2382c1d0968a5e57238c68de957f44d87e83d3049a5588ec251442ca372b8aec"


@pytest.mark.parametrize(
    ("secret", "timestamp", "body", "signature", "now", "expected"),
    [
        (SECRET, AT, BODY, sign(SECRET, AT, BODY), NOON + 299, True),
        (SECRET, AT, BODY, "v1=00 " + sign(SECRET, AT, BODY), NOON, True),
        (SECRET, AT, BODY, sign(SECRET, AT, BODY), NOON + 301, False),
        (SECRET, AT, BODY, sign(SECRET, AT, BODY), NOON - 301, False),
        (b"other", AT, BODY, sign(SECRET, AT, BODY), NOON, False),
        (SECRET, AT, BODY + b" ", sign(SECRET, AT, BODY), NOON, False),
        (SECRET, str(int(NOON) + 1), BODY, sign(SECRET, AT, BODY), NOON, False),
        (SECRET, AT, BODY, "", NOON, False),
        (SECRET, AT, BODY, "v1=é\ud800", NOON, False),
        (SECRET, "", BODY, sign(SECRET, "", BODY), NOON, False),
        (SECRET, "1" * 5000, BODY, "v1=", NOON, False),
        (SECRET, "²", BODY, "v1=", NOON, False),
    ],
)
def test_a_receiver_accepts_only_recent_valid_signatures(
    secret: bytes, timestamp: str, body: bytes, signature: str, now: float, *, expected: bool
) -> None:
    assert verify(secret, timestamp, body, signature, now=now) is expected


def test_the_event_is_a_structured_cloudevent() -> None:
    intent = wanted_intents(situation(episode(features=2)))[0]
    event = json.loads(render(intent))
    assert {
        key: event[key] for key in ("specversion", "id", "source", "type", "subject", "time", "datacontenttype")
    } == {
        "specversion": "1.0",
        "id": intent.id,
        "source": "/pilotfish/models/delays",
        "type": "dev.pilotfish.retraining.requested",
        "subject": "delays/7",
        "time": "2023-11-14T22:13:20Z",
        "datacontenttype": "application/json",
    }
    assert event["data"]["episode"] == "e1"
    assert event["data"]["profileHash"] == intent.subject.profile_hash
    assert [feature["name"] for feature in event["data"]["detail"]["features"]] == ["f0", "f1"]


def test_an_event_never_exceeds_the_maximum_size() -> None:
    small = render(wanted_intents(situation(episode(features=100_000)))[0])
    assert len(small) <= MAX_EVENT_BYTES
    assert json.loads(small)["data"]["detail"] is None
