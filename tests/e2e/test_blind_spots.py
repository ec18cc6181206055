"""Traffic that `pilotfish run` cannot measure: said in log, /readyz, report, page and metrics, until it is measured."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.stack import Stack, total
from tests.support.ports import free_port
from tests.support.processes import Children
from tests.support.waiting import patient, wait_until

DOCUMENT = """
apiVersion: pilotfish.dev/v1alpha1
kind: ModelMonitor
metadata: {name: m}
spec:
  model: {name: m, version: "1"}
  profiles: [{version: "1", path: profile.json}]
  drift: {tick: 200ms, falseAlarms: {count: 1, per: 1d}}
"""
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
TLS_HELLO = bytes.fromhex("1603010200010001fc0303") + bytes(520)


@dataclass
class Model:
    """A model server; `answer` returns the headers and the body of a response to a path."""

    answer: Callable[[str], tuple[dict[str, str], bytes]]
    port: int = 0

    @contextmanager
    def serving(self) -> Iterator[None]:
        model = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                pass

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                headers, body = model.answer(self.path)
                self.send_response(200)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        server.daemon_threads = True
        self.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


JSON = {"Content-Type": "application/json"}
GOOD = {"inputs": [{"name": name, "datatype": "FP64", "shape": [1], "data": [0.1]} for name in "ab"]}
GOOD_PATH = "/v2/models/m/infer"


def own_json(path: str) -> tuple[dict[str, str], bytes]:
    """Answer in the Open Inference Protocol on its path, and in a form of its own elsewhere."""
    if path == GOOD_PATH:
        output = {"name": "y", "datatype": "FP64", "shape": [1], "data": [0.5]}
        return JSON, json.dumps({"model_name": "m", "outputs": [output]}).encode()
    return JSON, b'{"results": [{"score": 0.5}]}'


@contextmanager
def stack_of(folder: Path, spawn: Children, profile: bytes) -> Iterator[Stack]:
    model = Model(own_json)
    with model.serving():
        stack = Stack(folder, spawn, free_port(), free_port(), model.port)
        stack.write("monitor.yaml", DOCUMENT)
        stack.write("profile.json", profile)
        stack.write("token", "a-token-of-tests")
        stack.start()
        wait_until(stack.ready, timeout=20)
        yield stack
        assert stack.stop(signal.SIGINT) >= 0


def post(stack: Stack, path: str, body: object, times: int = 1, **headers: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", stack.listen, timeout=patient(10))
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    for _ in range(times):
        connection.request("POST", path, raw, {**JSON, **headers})
        response = connection.getresponse()
        response.read()
        assert response.status == 200
    connection.close()


def send_raw(stack: Stack, raw: bytes, times: int) -> None:
    for _ in range(times):
        with socket.create_connection(("127.0.0.1", stack.listen), timeout=patient(10)) as connection:
            connection.sendall(raw)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass


def readyz(stack: Stack) -> tuple[int, dict[str, Any]]:
    status, body = stack.get("/readyz")
    return status, json.loads(body) if body else {}


TRAFFIC: dict[str, tuple[str, str, Callable[[Stack], None]]] = {
    "own JSON": ("undecoded", "unknown_protocol", lambda stack: post(stack, "/score", {"rows": [{"a": 1}]}, 25)),
    "brotli": (
        "undecoded",
        "content_encoding",
        lambda stack: post(stack, GOOD_PATH, b"\x0b\x02\x80abc\x03", 25, **{"Content-Encoding": "br"}),
    ),
    "CSV": (
        "undecoded",
        "content_type",
        lambda stack: post(stack, "/score", b"a,b\n", 25, **{"Content-Type": "text/csv"}),
    ),
    "another model": ("undecoded", "other_model", lambda stack: post(stack, "/v2/models/n/infer", GOOD, 25)),
    "HTTP/2": ("opaque", "HTTP/2", lambda stack: send_raw(stack, PREFACE, 8)),
    "TLS": ("opaque", "TLS", lambda stack: send_raw(stack, TLS_HELLO, 8)),
}


@pytest.mark.parametrize("kind", TRAFFIC)
def test_traffic_that_cannot_be_measured_is_said_everywhere_until_it_is(
    tmp_path: Path, spawn: Children, profile: bytes, kind: str
) -> None:
    reason, word, send = TRAFFIC[kind]
    with stack_of(tmp_path, spawn, profile) as stack:
        send(stack)
        wait_until(lambda: readyz(stack)[1].get("status") == "blind", what="the status blind")
        status, body = readyz(stack)
        assert status == 503
        (spot,) = body["blind"]
        assert (spot["reason"], spot["total"]) == (reason, True)
        assert word in spot["text"]
        assert total(stack.metrics(), "pilotfish_blind", reason=reason) == 1
        assert stack.report()["blind"][0]["text"] == spot["text"]
        page = stack.get("/report", accept="text/html")[1].decode()
        assert '<p class="notice blind"' in page
        assert "No open drift" not in page
        assert stack.run.errors().count(f"blind ({reason})") == 1
        post(stack, GOOD_PATH, GOOD, 40)
        wait_until(lambda: reason not in {item["reason"] for item in readyz(stack)[1]["blind"]}, what="its end")
        assert stack.ready()
        assert total(stack.metrics(), "pilotfish_blind", reason=reason) == 0


def test_once_it_is_ready_no_exchange_is_lost(tmp_path: Path, spawn: Children, profile: bytes) -> None:
    with stack_of(tmp_path, spawn, profile) as stack:
        post(stack, GOOD_PATH, GOOD, 5)
        wait_until(lambda: total(stack.metrics(), "pilotfish_exchanges_total", fate="measured") == 5, what="5 measured")
        stack.kill_analyzer()
        wait_until(lambda: not stack.ready(), what="the end of the analyzer process")
        wait_until(stack.ready, timeout=20, what="the next analyzer process")
        post(stack, GOOD_PATH, GOOD, 5)
        wait_until(
            lambda: total(stack.metrics(), "pilotfish_exchanges_total", fate="measured") == 10, what="10 measured"
        )
        assert total(stack.metrics(), "pilotfish_exchanges_total", fate="dropped") == 0


def test_a_model_that_does_not_answer_is_not_ready_until_it_does(
    tmp_path: Path, spawn: Children, profile: bytes
) -> None:
    model = Model(own_json)
    with model.serving():
        pass  # the port is free now
    stack = Stack(tmp_path, spawn, free_port(), free_port(), model.port)
    stack.write("monitor.yaml", DOCUMENT)
    stack.write("profile.json", profile)
    stack.write("token", "a-token-of-tests")
    stack.start()
    wait_until(lambda: readyz(stack)[1].get("status") == "upstream_unreachable", what="the status")
    status, body = readyz(stack)
    assert (status, body["ready"]) == (503, False)
    assert "1 of 1" in body["blind"][0]["text"]
    page = stack.get("/report", accept="text/html")[1].decode()
    assert '<p class="notice blind"' in page
    assert "cannot connect to the model" in page
    assert total(stack.metrics(), "pilotfish_blind", reason="upstream_unreachable") == 1
    wait_until(lambda: "blind (upstream_unreachable)" in stack.run.errors(), what="the log line")
    with Model(own_json, model.port).serving():
        wait_until(stack.ready, timeout=20, what="the model")
        post(stack, GOOD_PATH, GOOD, 5)
    assert stack.stop(signal.SIGINT) >= 0


def test_a_killed_proxy_is_not_ready(tmp_path: Path, spawn: Children, profile: bytes) -> None:
    with stack_of(tmp_path, spawn, profile) as stack:
        (tmp_path / "shared" / "page").unlink()
        status, body = readyz(stack)
        assert (status, body["status"]) == (503, "no_proxy")
