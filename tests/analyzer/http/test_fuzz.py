"""Any request gets an answer that is no 500, contains no trace of the code, and logs no exception."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.analyzer.http import bodies
from pilotfish.sidecar.serving import connections, server
from tests.analyzer.made import profile
from tests.analyzer.test_http import DOCUMENT, served
from tests.support.examples import examples
from tests.support.waiting import patient

PATHS = (
    "/", "/config", "/healthz", "/metrics", "/profile", "/readyz", "/rebaseline", "/report", "/rows", "/state",
    "/v1/feedback", "/windows", "/episodes/e1/close", "/episodes/%00/close", "/none", "//", "/%ff%fe", "/../report",
)  # fmt: skip
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT", "A")
QUERIES = ("", "?", "?by=a&reason=b", "?by=%ED%A0%80", "?by=%00&by=2", "?reason=" + "x" * 900, "?%=%&&==", "?by=%1b[2J")
FIELDS = st.sampled_from(
    (
        "Accept: text/html", "Accept: application/openmetrics-text;version=1.0.0;q=x", "Accept: " + "a;q=1," * 300,
        "Accept-Encoding: gzip", "Content-Type: application/json", "Content-Type: application/x-ndjson",
        "Content-Type: application/cloudevents+json", "Content-Type: application/cloudevents-batch+json",
        "Content-Type: \xff; charset=\xfe", "Content-Encoding: gzip", "Content-Encoding: deflate, gzip",
        "Content-Encoding: zstd", "Idempotency-Key: \xe9\xff", "Expect: 100-continue", "Expect: x", "Host: b",
        "Authorization: Basic \xff", "Authorization: Bearer", "Upgrade: h2c", "Connection: Upgrade", "Cookie: \xff",
        "Range: bytes=0-1", "If-None-Match: *", "ce-id: \xff", "ce-specversion: 1.0", "ce-source: a", "ce-type: b",
        "Content-Length: 5", "Transfer-Encoding: chunked", "X:", ": x", "bad field", "Sec-Fetch-Dest: \xff",
    )
) | st.text(st.characters(max_codepoint=255, exclude_characters="\r\n"), max_size=30).map("X-A: {}".format)  # fmt: skip
LABELS = {"feedback": [{"id": "a", "row": 0, "label": 1.5}, {"id": "\u0000", "labels": [None, "x", 1e308]}]}
REBASELINE = {"by": "\ud800", "reason": "r", "rows": 10**30}
BODIES = st.sampled_from(
    (
        b"", b"[]", b"{}", b"null", b"[" * 5000, b"\xff\xfe", b'{"a":' * 2000, json.dumps(LABELS).encode(),
        json.dumps(REBASELINE).encode(), gzip.compress(json.dumps(LABELS).encode(), mtime=0),
        gzip.compress(bytes(10**6), mtime=0),
        profile().to_bytes()[:-1], gzip.compress(profile().to_bytes(), mtime=0)[:-9],
    )
) | st.binary(max_size=200)  # fmt: skip


class Reports(logging.Handler):
    """Collects what the log has of errors and exceptions."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info or record.levelno >= logging.ERROR:
            self.found.append(self.format(record))


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Serve an analyzer in a thread; check at the end that it logged no error and still answers."""
    ports: list[int] = []
    started, stop = threading.Event(), threading.Event()
    reports = Reports()
    logging.getLogger().addHandler(reports)

    async def serve(folder: Path) -> None:
        async with served(folder, DOCUMENT) as here:
            ports.append(int(here.base.rpartition(":")[2]))
            started.set()
            await asyncio.to_thread(stop.wait)
            assert (await here.get("/metrics"))[0] == 200

    thread = threading.Thread(target=asyncio.run, args=(serve(tmp_path_factory.mktemp("fuzz")),))
    with pytest.MonkeyPatch.context() as patch:
        for module, limit in ((connections, "HEAD"), (connections, "IDLE"), (bodies, "READ"), (server, "LINGER")):
            patch.setattr(module, f"{limit}_SECONDS", 0.1)  # incomplete requests end soon
        thread.start()
        try:
            assert started.wait(patient(20))
            yield ports[0]
        finally:
            stop.set()
            thread.join()
            logging.getLogger().removeHandler(reports)
    assert reports.found == []


def answer(port: int, sent: bytes) -> bytes:
    """Return what the server sends until it closes the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=patient(20)) as client:
        received = b""
        try:
            client.sendall(sent)
            while piece := client.recv(65536):
                received += piece
        except ConnectionError:
            pass
        return received


def check(received: bytes) -> None:
    """Check every response in `received`."""
    assert set(re.findall(rb"HTTP/1\.[01] (5\d\d)", received)) <= {b"503"}
    for trace in (b"Traceback", b".py", b"aiohttp", b"Error("):
        assert trace not in received


FUZZ = settings(max_examples=examples(120), deadline=None, suppress_health_check=list(HealthCheck))


@FUZZ
@given(
    st.sampled_from(METHODS), st.sampled_from(PATHS) | st.text(max_size=20).map(lambda text: f"/{text}"),
    st.sampled_from(QUERIES), st.lists(FIELDS, max_size=4), BODIES, st.booleans(),
)  # fmt: skip
def test_any_request_is_answered(
    port: int, method: str, path: str, query: str, fields: list[str], body: bytes, framed: bool
) -> None:
    framing = [f"Content-Length: {len(body)}"] if framed else []
    lines = [f"{method} {path}{query} HTTP/1.1", "Host: a", "Connection: close", *framing, *fields, "", ""]
    received = answer(port, "\r\n".join(lines).encode("latin-1", "replace") + body)
    assert not received or received.startswith(b"HTTP/1.")
    check(received)


LABEL = b'{"id": "a", "row":0, "label":1}'
VALID = (
    b"GET /report HTTP/1.1\r\nHost: a\r\nAccept: text/html\r\n\r\n",
    b"POST /v1/feedback HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 31\r\n\r\n" + LABEL,
    b"POST /rebaseline?by=a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
)


@pytest.mark.long
@FUZZ
@given(st.lists(st.sampled_from(VALID), min_size=1, max_size=3), st.data())
def test_damaged_requests_are_answered_or_dropped(port: int, requests: list[bytes], data: st.DataObject) -> None:
    raw = bytearray(b"".join(requests))
    for _ in range(data.draw(st.integers(0, 4))):
        place = data.draw(st.integers(0, len(raw) - 1))
        raw[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    check(answer(port, bytes(raw)))
