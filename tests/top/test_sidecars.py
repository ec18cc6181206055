"""Sidecars are polled at their admin addresses, and a server that is none is named."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from pilotfish.sidecar.errors import UsageError
from pilotfish.sidecar.top import sidecars
from pilotfish.sidecar.top.history import Answer
from pilotfish.sidecar.top.sidecars import SidecarSource, parse_url
from tests.support.ports import free_port
from tests.support.waiting import patient
from tests.top.made import exposition

TOKEN = "secret-token"
REPORT = json.dumps({"format": 2, "state": "watching", "reason": "", "features": [{"unknown": 1}]})


@contextmanager
def admin(responses: dict[str, tuple[int, bytes]], token: str = "") -> Iterator[int]:
    """Serve status and body by path until the block ends; yield the port. /report needs the token, if there is one."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Log nothing."""

        def do_GET(self) -> None:
            status, body = responses.get(self.path, (404, b"no such path"))
            if token and self.path == "/report" and self.headers["Authorization"] != f"Bearer {token}":
                status, body = 401, b"a token is required"
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True, kwargs={"poll_interval": 0.01}).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


async def answer_of(port: int, token_file: Path | None = None) -> Answer:
    source = SidecarSource([parse_url(f"http://127.0.0.1:{port}/")], token_file)
    (answer,) = (await source.poll()).sources.values()
    return answer


@pytest.mark.asyncio
async def test_metrics_and_report_are_read() -> None:
    with admin(
        {"/metrics": (200, exposition(requests=5, evidence=0.2).encode()), "/report": (200, REPORT.encode())}
    ) as port:
        answer = await answer_of(port)
    assert answer.metrics is not None
    assert (answer.metrics.model, answer.metrics.evidence) == ("delays", 0.2)
    assert (answer.state, answer.problem) == ("watching", "")


@pytest.mark.asyncio
async def test_a_report_that_needs_a_token_costs_its_state_only(tmp_path: Path) -> None:
    token_file = tmp_path / "token"
    token_file.write_text(TOKEN)
    token_file.chmod(0o400)
    with admin({"/metrics": (200, exposition().encode()), "/report": (200, REPORT.encode())}, TOKEN) as port:
        without, with_token = await answer_of(port), await answer_of(port, token_file)
    assert without.metrics is not None
    assert (without.state, with_token.state) == ("", "watching")
    assert "give --token-file" in without.problem


@pytest.mark.asyncio
async def test_a_token_file_that_disappears_ends_nothing(tmp_path: Path) -> None:
    token_file = tmp_path / "token"
    with pytest.raises(UsageError):
        SidecarSource([parse_url("127.0.0.1:1")], token_file)
    token_file.write_text(TOKEN)
    token_file.chmod(0o400)
    with admin({"/metrics": (200, exposition().encode()), "/report": (200, REPORT.encode())}, TOKEN) as port:
        source = SidecarSource([parse_url(f"127.0.0.1:{port}")], token_file)
        token_file.unlink()
        (answer,) = (await source.poll()).sources.values()
    assert answer.metrics is not None
    assert "cannot read" in answer.problem


@pytest.mark.asyncio
async def test_a_defect_while_asking_is_an_answer_and_no_endless_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> Answer:
        raise ZeroDivisionError("a value")

    monkeypatch.setattr(sidecars, "_ask", broken)
    answer = await asyncio.wait_for(answer_of(1), patient(10))
    assert answer.metrics is None
    assert "ZeroDivisionError at test_sidecars.py" in answer.problem
    assert "a value" not in answer.problem


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("responses", "problem"),
    [
        ({}, "answered with status 404"),
        ({"/metrics": (200, b"<html>")}, "not the metrics of a sidecar"),
        ({"/metrics": (200, b"\xff\xfe")}, "is not text"),
        ({"/metrics": (200, b"pilotfish_proxy_up{ 1")}, "cannot be read"),
    ],
)
async def test_another_server_is_named(responses: dict[str, tuple[int, bytes]], problem: str) -> None:
    with admin(responses) as port:
        answer = await answer_of(port)
    assert answer.metrics is None
    assert problem in answer.problem
    assert f"127.0.0.1:{port}/metrics" in answer.problem


@pytest.mark.asyncio
async def test_a_report_of_another_kind_leaves_the_figures() -> None:
    with admin({"/metrics": (200, exposition().encode()), "/report": (200, b"[1]")}) as port:
        answer = await answer_of(port)
    assert answer.metrics is not None
    assert "is not a report" in answer.problem


@pytest.mark.asyncio
async def test_nobody_answers_at_a_free_port() -> None:
    answer = await answer_of(free_port())
    assert answer.metrics is None
    assert "no answer" in answer.problem


@pytest.mark.parametrize("text", ["127.0.0.1:9797", "http://127.0.0.1:9797", "HTTP://127.0.0.1:9797/"])
def test_an_address_may_be_a_url(text: str) -> None:
    assert str(parse_url(text)) == "127.0.0.1:9797"


@pytest.mark.parametrize("text", ["https://127.0.0.1:9797", "http://127.0.0.1:9797/report", "127.0.0.1", "http://"])
def test_a_url_that_is_no_admin_address_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_url(text)
