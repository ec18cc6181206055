"""Only a signed, recent, new event starts a retraining."""

from __future__ import annotations

import json

import pytest

from pilotfish.sidecar.control.retrain.signature import SIGNATURE_HEADER, TIMESTAMP_HEADER, sign
from pilotfish.sidecar.demo import webhook_receiver as inboxes
from pilotfish.sidecar.demo.webhook_receiver import WebhookReceiver

SECRET = b"s3cret"
NOW = 1_800_000_000.0


def event(identity: str = "e-1") -> bytes:
    data = {"model": "air-time", "version": "1", "episode": "ep", "detail": {"onset_tick": 5}}
    return json.dumps({"specversion": "1.0", "id": identity, "type": "t", "data": data}).encode()


def headers(body: bytes, *, at: float = NOW, secret: bytes = SECRET) -> dict[str, str]:
    timestamp = str(int(at))
    return {TIMESTAMP_HEADER: timestamp, SIGNATURE_HEADER: sign(secret, timestamp, body)}


def test_a_signed_event_is_accepted_once() -> None:
    inbox = WebhookReceiver(SECRET)
    first = inbox.judge(headers(event()), event(), NOW)
    again = inbox.judge(headers(event(), at=NOW + 20), event(), NOW + 21)
    assert (first.outcome, again.outcome) == ("accepted", "repeated")
    assert first.event is not None
    assert first.event.data.detail.onset_tick == 5


@pytest.mark.parametrize(
    "given",
    [
        {},
        headers(event(), secret=b"other"),
        headers(event("e-2")),
        headers(event(), at=NOW - 3600),
        headers(event()) | {TIMESTAMP_HEADER: str(int(NOW) + 1)},
    ],
    ids=["unsigned", "other secret", "other body", "an hour old", "timestamp changed"],
)
def test_what_is_not_signed_now_is_refused_and_not_remembered(given: dict[str, str]) -> None:
    inbox = WebhookReceiver(SECRET)
    assert inbox.judge(given, event(), NOW).outcome == "refused"
    assert inbox.judge(headers(event()), event(), NOW).outcome == "accepted"


def test_a_signed_body_that_is_no_event_is_malformed() -> None:
    body = b'{"id": 5}'
    assert WebhookReceiver(SECRET).judge(headers(body), body, NOW).outcome == "malformed"


def test_memory_of_ids_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inboxes, "REMEMBERED", 3)
    inbox = WebhookReceiver(SECRET)
    outcomes = [inbox.judge(headers(event(str(i))), event(str(i)), NOW).outcome for i in range(5)]
    assert outcomes == ["accepted"] * 5
    assert inbox.judge(headers(event("4")), event("4"), NOW).outcome == "repeated"
    assert inbox.judge(headers(event("0")), event("0"), NOW).outcome == "accepted"
