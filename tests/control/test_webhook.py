"""One delivery attempt to a real server: the request, and the reason of each kind of failure."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from pilotfish.sidecar.control.executor import Done, Failed, Outcome, RetryAt
from pilotfish.sidecar.control.intent import intent_of
from pilotfish.sidecar.control.ledger import LedgerEntry
from pilotfish.sidecar.control.webhook.delivery import DeliveryResult, redirect_problem
from pilotfish.sidecar.control.webhook.sender import WebhookSender, WebhookTarget
from pilotfish.sidecar.errors import quote_value
from tests.control.receiver import SECRET, Receiver, receiving
from tests.control.situations import NOON, entry
from tests.support.ports import free_port
from tests.support.waiting import patient

EVENT = entry(body='{"id":"i1","data":{}}')


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_bytes(SECRET + b"\n")
    return path


def send(target: WebhookTarget, event: LedgerEntry = EVENT) -> DeliveryResult:
    return asyncio.run(
        WebhookSender(target, agent="pilotfish/test", clock=time.time).send(event.id, str(event.desired))
    )


def target_of(receiver: Receiver, secret: Path | None = None) -> WebhookTarget:
    return WebhookTarget(receiver.url, secret, timeout=patient(5.0))


def test_the_request_has_a_signature_an_id_and_a_content_type(secret: Path) -> None:
    with receiving() as receiver:
        assert send(target_of(receiver, secret)) == DeliveryResult(200)
    (arrival,) = receiver.arrivals
    assert arrival.signed
    assert (arrival.id, arrival.key) == ("i1", "i1")
    assert arrival.body == str(EVENT.desired).encode()
    assert arrival.headers["Content-Type"] == "application/cloudevents+json; charset=utf-8"
    assert arrival.headers["User-Agent"] == "pilotfish/test"


def test_without_a_secret_the_request_has_no_signature() -> None:
    with receiving() as receiver:
        send(target_of(receiver))
    assert "Pilotfish-Signature" not in receiver.arrivals[0].headers


def test_the_secret_is_read_again_for_each_attempt(secret: Path) -> None:
    secret.write_bytes(b"an older one")
    with receiving() as receiver:
        send(target_of(receiver, secret))
        secret.write_bytes(SECRET)
        send(target_of(receiver, secret))
    assert [arrival.signed for arrival in receiver.arrivals] == [False, True]


@pytest.mark.parametrize("content", [None, b"", b" \n", b"x" * 5000], ids=["missing", "empty", "blank", "huge"])
def test_without_its_secret_nothing_is_sent(secret: Path, content: bytes | None) -> None:
    secret.unlink()
    if content is not None:
        secret.write_bytes(content)
    with receiving() as receiver:
        found = send(target_of(receiver, secret))
    assert (found.status, found.error) == (None, "secret")
    assert quote_value(secret) in found.problem
    assert receiver.arrivals == []


@pytest.mark.parametrize("content", [b"", b"hooks.example", b"https://a:b@hooks.example", b"\xff"])
def test_a_url_that_is_read_for_each_attempt_is_used_or_nothing_is_sent(content: bytes) -> None:
    with receiving() as receiver:
        found = [content, receiver.url.encode()]

        async def read() -> bytes:
            return found.pop(0)

        target = WebhookTarget(read, None, timeout=patient(5.0))
        first = send(target)
        assert (first.status, first.error) == (None, "url")
        assert "write one URL into it" in first.problem
        assert "hooks.example" not in first.problem
        assert send(target) == DeliveryResult(200)
    assert len(receiver.arrivals) == 1


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("204", DeliveryResult(204)),
        ("500", DeliveryResult(500)),
        ("retry-after", DeliveryResult(503, retry_after=77.0)),
        ("redirect", DeliveryResult(307, problem=redirect_problem(307))),
        ("die", DeliveryResult(None, "disconnected")),
        ("flood", DeliveryResult(200)),
    ],
)
def test_answers(script: str, expected: DeliveryResult) -> None:
    with receiving([script]) as receiver:
        assert send(target_of(receiver)) == expected
    assert len(receiver.arrivals) == 1


@pytest.mark.parametrize(
    "answer",
    [
        "raw:HTTP/1.1 200 OK|Retry-After: Tue, 14 Nov 99999999999999999999 22:14:20 GMT|Content-Length: 2||ok",
        "raw:HTTP/1.1 200 OK|Retry-After: 99999999999999999999|Content-Length: 2||ok",
        "raw:HTTP/1.1 200 OK|Content-Length: 5||ok",
        "raw:HTTP/1.1 200 OK|Content-Encoding: gzip|Content-Length: 2||ok",
        "raw:HTTP/1.1 201 |Location: ::::|Set-Cookie: a=b; expires=Tue, 14 Nov 99999 22:14:20 GMT|Content-Length: 0||",
        "raw:HTTP/1.0 200 OK||" + "x" * 200_000,
        "raw:HTTP/1.1 200 OK|Retry-After: " + "9" * 60_000 + "|Content-Length: 2||ok",
        "raw:HTTP/1.1 200 " + "x" * 60_000 + "|Content-Length: 2||ok",
    ],
)
def test_a_2xx_settles_whatever_else_the_receiver_sends(answer: str) -> None:
    with receiving([answer]) as receiver:
        webhook = WebhookSender(target_of(receiver), agent="pilotfish/test", clock=lambda: NOON)
        assert asyncio.run(webhook.apply(intent_of(EVENT), NOON)) == Done("drift")


@pytest.mark.parametrize(
    "answer",
    [
        "raw:HTTP/1.1 503 |Retry-After: Tue, 14 Nov 99999999999999999999 22:14:20 GMT|Content-Length: 0||",
        "raw:HTTP/1.1 99999 OK||",
        "raw:HTTP/9.9 200 OK",
        "raw:\x00\xff|||",
        "raw:HTTP/1.1 302 Found|Location: \x80\xff|Content-Length: 0||",
        "raw:HTTP/1.1 500 |Content-Length: -1||",
        "raw:HTTP/1.1 500 |" + "X: y|" * 40_000 + "|",
    ],
)
def test_a_hostile_answer_is_a_failure_that_is_retried(answer: str) -> None:
    with receiving([answer]) as receiver:
        webhook = WebhookSender(target_of(receiver), agent="pilotfish/test", clock=lambda: NOON)
        assert isinstance(asyncio.run(webhook.apply(intent_of(EVENT), NOON)), RetryAt)


@pytest.mark.parametrize(
    ("script", "expected"),
    [("200", Done("drift")), ("410", Failed("http_410")), ("500", RetryAt("http_500", NOON))],
)
def test_an_answer_becomes_the_outcome_of_the_intent(script: str, expected: Outcome) -> None:
    with receiving([script]) as receiver:
        webhook = WebhookSender(target_of(receiver), agent="pilotfish/test", clock=lambda: 7.0)
        assert asyncio.run(webhook.apply(intent_of(EVENT), NOON)) == expected
    assert receiver.arrivals[0].key == EVENT.id


def test_retry_after_counts_from_the_answer_on_the_loops_clock() -> None:
    ticks = iter((100.0, 101.5, 101.5))
    with receiving(["retry-after"]) as receiver:
        webhook = WebhookSender(target_of(receiver), agent="pilotfish/test", clock=lambda: next(ticks))
        assert asyncio.run(webhook.apply(intent_of(EVENT), NOON)) == RetryAt("http_503", NOON + 1.5 + 77.0)


def test_a_receiver_without_an_answer_gives_a_timeout() -> None:
    with receiving(["hang"]) as receiver:
        assert send(replace(target_of(receiver), timeout=0.1)) == DeliveryResult(None, "timeout")


@pytest.mark.parametrize(
    ("url", "reason", "problem"),
    [
        ("http://127.0.0.1:{port}/", "connect", "no connection to the receiver: Connection refused"),
        ("http://no-such-host.invalid/", "connect", "the name of the receiver does not resolve"),
        ("http://127.0.0.1:99999/", "url", "correct it"),
        ("http://a..b/", "url", "correct it"),
        ("not a url", "url", "correct it"),
    ],
)
def test_unreachable_receivers(url: str, reason: str, problem: str) -> None:
    found = send(WebhookTarget(url.format(port=free_port()), None, timeout=patient(5.0)))
    assert (found.status, found.error) == (None, reason)
    assert problem in found.problem
    assert "no-such-host" not in found.problem  # a host may be a secret


def test_nothing_of_an_answer_is_kept() -> None:
    with receiving(["500"]) as receiver:
        answer = send(target_of(receiver))
    assert "ok" not in json.dumps(answer.reason)
    assert threading.active_count() < 20
