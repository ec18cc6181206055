"""Each way in which a new user's traffic is not measured is seen in the log, the metrics, `/readyz` and on the page."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pilotfish.detectors.reference.build import build_profile
from tests.e2e.model import Answer, serving
from tests.e2e.seen import Expected, check_has_ended, check_is_seen, readyz
from tests.e2e.stack import TOKEN, Stack, total
from tests.support.ports import free_port
from tests.support.processes import Children
from tests.support.waiting import patient, wait_until

pytestmark = pytest.mark.long

REQUESTS = 40
PREDICT = "/v1/models/m:predict"
ROWS = [{"a": 0.3, "b": -1.2}, {"a": -0.6, "b": 0.4}]
TYPE = "Content-Type"
JSON = {TYPE: "application/json"}
BROTLI = {**JSON, "Content-Encoding": "br"}
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"
CLIENT_HELLO = b"\x16\x03\x01\0\xf8\x01\0\0\xf4\x03\x03" + bytes(240)
Act = Callable[[Stack], None]


@pytest.fixture(scope="module")
def profile() -> bytes:
    """Return a profile of two inputs, a prediction and its label."""
    random = np.random.default_rng(5)
    columns = {name: random.normal(size=2000) for name in ("a", "b", "y")}
    columns["truth"] = columns["y"] + random.normal(0, 0.1, 2000)
    sides: Any = {"y": "prediction", "truth": "label"}
    return build_profile(columns, sides=sides, model="m", version="1", exchangeable=True, tick_seconds=0.2).to_bytes()


@contextmanager
def watched(stack: Stack, profile: bytes, answer: Answer, features: str = "{}") -> Iterator[None]:
    """Run Pilotfish in front of a model that always gives the same answer."""
    stack.write("profile.json", profile)
    stack.write("token", TOKEN)
    spec = {"model": {"name": "m", "version": "1"}, "profiles": [{"path": "profile.json"}]}
    drift = {"tick": "200ms", "features": json.loads(features)}
    head = {"apiVersion": "pilotfish.dev/v1alpha1", "kind": "ModelMonitor", "metadata": {"name": "m"}}
    stack.write("monitor.yaml", json.dumps({**head, "spec": {**spec, "mode": "observe", "drift": drift}}))
    with serving(lambda _: answer, port=stack.upstream):
        stack.start()
        wait_until(stack.ready, timeout=30, what="Pilotfish to be ready")
        yield
        assert stack.stop() == 0


@pytest.fixture
def stack(tmp_path: Path, spawn: Children) -> Stack:
    return Stack(tmp_path, spawn, free_port(), free_port(), free_port())


def post(body: object, headers: dict[str, str] = JSON, path: str = PREDICT, method: str = "POST") -> Act:
    """Return an act that sends the same request many times."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()

    def act(stack: Stack) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", stack.listen, timeout=patient(10))
        for _ in range(REQUESTS):
            connection.request(method, path, raw if method == "POST" else None, headers)
            connection.getresponse().read()
        connection.close()

    return act


def send(first: bytes) -> Act:
    """Return an act that opens many connections, each of which starts with the bytes `first`."""

    def act(stack: Stack) -> None:
        for _ in range(REQUESTS):
            with socket.create_connection(("127.0.0.1", stack.listen), timeout=patient(10)) as connection:
                connection.sendall(first)
                connection.shutdown(socket.SHUT_WR)
                with suppress(ConnectionError):
                    connection.recv(1)

    return act


def label(text: str) -> Act:
    """Return an act that sends predictions, and then the label `text` for each row."""

    def act(stack: Stack) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", stack.listen, timeout=patient(10))
        names = [f"r{number}" for number in range(REQUESTS)]
        for name in names:
            connection.request("POST", PREDICT, json.dumps({"instances": ROWS}), {**JSON, "X-Request-Id": name})
            connection.getresponse().read()
        connection.close()
        items = {"feedback": [{"id": name, "labels": [text, text]} for name in names]}

        def sent() -> bool:
            status, body = stack.get("/v1/feedback", "POST", json.dumps(items).encode(), content_type=JSON[TYPE])
            return status == 200 and not json.loads(body)["unknown"]

        wait_until(sent, what="the labels to be accepted")

    return act


RIGHT = Answer({"predictions": [0.5, 0.7]})
GOOD = post({"instances": ROWS})
CASES: dict[str, tuple[Act, Answer, Expected]] = {
    "json of its own": (
        post({"rows": ROWS}, path="/score"),
        Answer({"results": [{"score": 0.5}, {"score": 0.7}]}),
        Expected("undecoded", "unknown_protocol", total=True),
    ),
    "csv": (
        post(b"a,b\n0.3,-1.2\n", {TYPE: "text/csv"}, "/invocations"),
        RIGHT,
        Expected("undecoded", "content_type", total=True),
    ),
    "a request in brotli": (
        post(b"\x0b\x02\x80abc\x03", BROTLI),
        RIGHT,
        Expected("undecoded", "content_encoding", total=True),
    ),
    "a form": (
        post(b"a=0.3&b=-1.2", {TYPE: "application/x-www-form-urlencoded"}),  # curl -d sends JSON with this type, too
        RIGHT,
        Expected("undecoded", "invalid_json", total=True),
    ),
    "another model": (
        post({"instances": ROWS}, path="/v1/models/n:predict"),
        RIGHT,
        Expected("undecoded", "other_model", total=True),
    ),
    "errors only": (GOOD, Answer({"error": "no"}, 500), Expected("undecoded", "error_status", total=True)),
    "GET only": (
        post(b"", path="/score?a=0.3", method="GET"),
        RIGHT,
        Expected("no_prediction_requests", "POST", total=False),
    ),
    "HTTP/2, as of gRPC": (send(PREFACE), RIGHT, Expected("opaque", "HTTP/2", total=True)),
    "TLS": (send(CLIENT_HELLO), RIGHT, Expected("opaque", "TLS", total=True)),
    "other columns": (post({"instances": [{"x": 1, "z": 2}] * 2}), RIGHT, Expected("inputs_absent", "'a'", total=True)),
    "a column that never comes": (
        post({"instances": [{"a": 0.3}, {"a": -0.6}]}),
        RIGHT,
        Expected("columns_absent", "'b'", total=False),
    ),
    "an answer in brotli": (
        GOOD,
        Answer(b"\x0b\x02\x80abc\x03", headers=BROTLI),
        Expected("predictions_unread", "content_encoding", total=False),
    ),
    "predictions under another key": (
        GOOD,
        Answer({"result": [0.5, 0.7]}),
        Expected("predictions_unread", "wrong_structure", total=False),
    ),
    "predictions with other names": (
        GOOD,
        Answer({"predictions": [{"p": 0.5, "q": 0.5}] * 2}),
        Expected("predictions_absent", "'y'", total=False),
    ),
    "labels of another type": (label("late"), RIGHT, Expected("labels_unused", "not a number", total=False)),
}


@pytest.mark.parametrize("case", CASES)
def test_a_blind_spot_is_seen(case: str, stack: Stack, profile: bytes) -> None:
    act, answer, expected = CASES[case]
    with watched(stack, profile, answer):
        act(stack)
        check_is_seen(stack, expected)


def test_a_feature_that_the_profile_lacks_is_named(stack: Stack, profile: bytes) -> None:
    with watched(stack, profile, RIGHT, features='{"bb": {"ignore": true}}'):
        check_is_seen(stack, Expected("unknown_names", "spec.drift.features.bb", total=False))


def test_a_blind_spot_ends_with_traffic_that_is_measured(stack: Stack, profile: bytes) -> None:
    with watched(stack, profile, RIGHT):
        post({"rows": ROWS}, path="/score")(stack)
        check_is_seen(stack, Expected("undecoded", "unknown_protocol", total=True))
        for _ in range(3):
            GOOD(stack)
        check_has_ended(stack, "undecoded")


def exchanges(stack: Stack, fate: str) -> float:
    return total(stack.metrics(), "pilotfish_exchanges_total", fate=fate)


def test_once_it_is_ready_no_exchange_is_lost(stack: Stack, profile: bytes) -> None:
    with watched(stack, profile, RIGHT):
        GOOD(stack)
        wait_until(lambda: exchanges(stack, "measured") == REQUESTS, what="all measured")
        stack.kill_analyzer()
        wait_until(lambda: not stack.ready(), what="the end of the analyzer process")
        wait_until(stack.ready, timeout=30, what="the next analyzer process")
        GOOD(stack)
        wait_until(lambda: exchanges(stack, "measured") == 2 * REQUESTS, what="all measured again")
        assert exchanges(stack, "dropped") == 0


def test_without_a_counter_page_it_is_not_ready(stack: Stack, profile: bytes) -> None:
    with watched(stack, profile, RIGHT):
        (stack.folder / "shared" / "page").unlink()
        status, body = readyz(stack)
        assert (status, body["status"]) == (503, "no_proxy")
