"""The counts are exact, or have a reason, whatever the bytes look like, and whoever goes away in the middle."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.servers.conftest import start_llama
from tests.servers.watched import HERE, Call, Watched
from tests.support.ports import accepts, free_port
from tests.support.processes import Children
from tests.support.waiting import patient, wait_until

pytestmark = pytest.mark.servers
Watch = Callable[[int], Watched]
CHAT = "/v1/chat/completions"
ROUTE = f"POST {CHAT}"


def body(tokens: int, **more: Any) -> bytes:
    """Return the body of a request."""
    messages = [{"role": "user", "content": "what is the sun"}]
    return json.dumps({"messages": messages, "max_tokens": tokens, **more}).encode()


def request(content: bytes, version: str = "1.1", *, chunk: int = 0) -> bytes:
    """Return a request, its body in chunks of `chunk` bytes if that is not 0."""
    head = f"POST {CHAT} HTTP/{version}\r\nHost: a\r\nContent-Type: application/json\r\n"
    if not chunk:
        return f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content
    pieces = [content[start : start + chunk] for start in range(0, len(content), chunk)]
    chunks = b"".join(b"%x;a=b\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return f"{head}Transfer-Encoding: chunked\r\n\r\n".encode() + chunks + b"0\r\n\r\n"


def exchange(watched: Watched, sent: bytes, answers: int) -> list[Call]:
    """Send bytes through Pilotfish, and return the usage in the responses."""
    with socket.create_connection(("127.0.0.1", watched.stack.listen), timeout=patient(30)) as client:
        client.sendall(sent)
        received = b""
        while received.count(b'"total_tokens"') < answers:
            piece = client.recv(65536)
            assert piece, received
            received += piece
    found = []
    for text in received.split(b'"usage":')[1:]:
        usage = json.JSONDecoder().raw_decode(text.decode("latin-1"))[0]
        counts = usage["prompt_tokens"], usage["completion_tokens"], usage["prompt_tokens_details"]["cached_tokens"]
        call = dict(zip(("prompt", "completion", "cached"), counts, strict=True))
        found.append({"route": ROUTE, "outcome": "counted", **call})
    assert len(found) == answers
    watched.given.add(found)
    return found


def test_pipelined_requests_of_http_1_0_and_in_chunks(watch: Watch, llama: int) -> None:
    watched = watch(llama)
    exchange(watched, b"".join(request(body(tokens)) for tokens in (5, 9, 2)), 3)
    exchange(watched, request(body(7), "1.0"), 1)
    for chunk in (1, 7, 64):
        exchange(watched, request(body(chunk + 3), chunk=chunk), 1)
    exchange(watched, request(body(40, stream=True, stream_options={"include_usage": True}), "1.0"), 1)
    assert watched.settled() == watched.given.lines()
    assert watched.tokens()["unknown"] == {}


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
def test_compressed_responses(coding: str, watch: Watch, llama: int, python: str, spawn: Children) -> None:
    port = free_port()
    spawn(python, HERE / "coded.py", str(port), str(llama), coding)
    wait_until(lambda: accepts(port), timeout=30, what="the gateway")
    watched = watch(port)
    watched.call("with_coding", coding)
    assert watched.settled() == watched.given.lines()
    assert watched.tokens()["advice"], "some counts are not known"


def begin(watched: Watched) -> socket.socket:
    """Begin a stream that takes long, and read its first events."""
    client = socket.create_connection(("127.0.0.1", watched.stack.listen), timeout=patient(30))
    client.sendall(request(body(8000, stream=True, stream_options={"include_usage": True})))
    received = b""
    while received.count(b"data: ") < 5:
        received += client.recv(4096)
    return client


def unknown(watched: Watched) -> dict[str, int]:
    """Return the exchanges without counts, once there is one."""
    wait_until(lambda: watched.tokens().get("unknown"), timeout=30, what="an exchange without counts")
    found: dict[str, int] = watched.tokens()["unknown"]
    return found


def test_a_client_that_goes_away_in_a_stream(watch: Watch, llama: int) -> None:
    watched = watch(llama)
    exchange(watched, request(body(5)), 1)
    begin(watched).close()
    assert unknown(watched) == {"not_recorded": 1}
    exchange(watched, request(body(6)), 1)
    assert watched.settled() == watched.given.lines()
    assert watched.tokens()["completion"] == 11


def test_a_server_that_dies_in_a_stream(watch: Watch, python: str, model: Path, spawn: Children) -> None:
    port, server = start_llama(spawn, python, model)
    watched = watch(port)
    exchange(watched, request(body(5)), 1)
    client = begin(watched)
    server.process.kill()
    while client.recv(65536):
        pass
    client.close()
    assert unknown(watched) == {"not_recorded": 1}
    assert watched.settled() == watched.given.lines()
    assert watched.tokens()["completion"] == 5
