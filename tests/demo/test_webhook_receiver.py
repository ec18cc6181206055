"""Only a signed, recent, new event starts a retraining."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from http.client import HTTPConnection
from http.server import HTTPServer
from pathlib import Path
from typing import Any

import pytest

from pilotfish.sidecar.control.webhook.signature import SIGNATURE_HEADER, TIMESTAMP_HEADER, sign
from pilotfish.sidecar.demo import webhook_receiver as inboxes
from pilotfish.sidecar.demo.webhook_receiver import WebhookReceiver
from tests.support.waiting import patient

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
    assert first.event.data.detail is not None
    assert first.event.data.detail.onset_tick == 5
    assert [inboxes.STATUS[verdict.outcome] for verdict in (first, again)] == [202, 200]


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


def test_an_event_that_was_too_large_for_its_detail_is_accepted() -> None:
    body = event().replace(b'{"onset_tick": 5}', b"null")
    assert WebhookReceiver(SECRET).judge(headers(body), body, NOW).outcome == "accepted"


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


# --- the receiver in the documentation

DOCS = Path(__file__).parents[2] / "docs" / "retraining.md"


@pytest.fixture
def documented(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """The names of the module in docs/retraining.md. It appends events to `started` and fails if `fails` is true."""
    (source,) = re.findall(r"```python\n(.*?)```", DOCS.read_text(), re.DOTALL)
    (tmp_path / "retrain.key").write_bytes(SECRET + b"\n")
    monkeypatch.chdir(tmp_path)
    module: dict[str, Any] = {"__name__": "receiver", "started": [], "fails": False}
    exec(compile(source, str(DOCS), "exec"), module)  # the documentation of this repository

    def start(event: Any) -> None:
        if module["fails"]:
            raise OSError
        module["started"].append(event["id"])

    module["start_retraining"] = start
    yield module
    module["seen"].close()


def test_the_documented_receiver_refuses_a_replayed_or_old_or_changed_request(documented: dict[str, Any]) -> None:
    answer, body = documented["answer"], event()
    assert answer(headers(body), body, NOW) == 202
    assert answer(headers(body), body, NOW + 10) == 200  # replayed within the window: no second retraining
    assert answer(headers(body), body, NOW + 301) == 401  # replayed after the window
    assert answer(headers(body, at=NOW + 3600), body, NOW + 3600) == 200  # sent again by Pilotfish
    assert answer(headers(body), body + b" ", NOW) == 401
    assert answer(headers(body, secret=b"other"), body, NOW) == 401
    assert answer(headers(body) | {TIMESTAMP_HEADER: "1" * 5000}, body, NOW) == 401
    assert answer(headers(body) | {SIGNATURE_HEADER: "v1=\xe9"}, body, NOW) == 401
    assert answer({}, body, NOW) == 401
    assert documented["started"] == ["e-1"]


def test_the_documented_receiver_forgets_an_id_whose_retraining_did_not_start(documented: dict[str, Any]) -> None:
    documented["fails"] = True
    with pytest.raises(OSError):
        documented["answer"](headers(event()), event(), NOW)
    documented["fails"] = False
    assert documented["answer"](headers(event()), event(), NOW + 1) == 202
    assert documented["started"] == ["e-1"]


@pytest.mark.parametrize(
    ("length", "status"), [(None, 500), ("x", 500), ("-1", 413), (str(2**16 + 1), 413), ("2", 401)]
)
def test_the_documented_receiver_bounds_what_it_reads(
    documented: dict[str, Any], length: str | None, status: int
) -> None:
    with HTTPServer(("127.0.0.1", 0), documented["Receiver"]) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        connection = HTTPConnection("127.0.0.1", server.server_address[1], timeout=patient(20))
        connection.putrequest("POST", "/")
        if length is not None:
            connection.putheader("Content-Length", length)
        connection.endheaders(b"{}")
        assert connection.getresponse().status == status
        connection.close()
        thread.join()
