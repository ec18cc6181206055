"""Every response of the admin address has the security headers, whichever layer makes it."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiohttp import web

from pilotfish.sidecar.serving.headers import HEADERS
from tests.analyzer.test_http import TOKEN, served
from tests.serving.served import connected, serving, until_closed

HOST = b"Host: a\r\nConnection: close\r\n"
AUTHORIZED = HOST + b"Authorization: Bearer " + TOKEN.encode() + b"\r\n"
REQUESTS = {
    "200": b"GET /report HTTP/1.1\r\n" + AUTHORIZED + b"\r\n",
    "200 page": b"GET /report HTTP/1.1\r\nAccept: text/html\r\n" + AUTHORIZED + b"\r\n",
    "200 metrics": b"GET /metrics HTTP/1.1\r\n" + HOST + b"\r\n",
    "302": b"GET / HTTP/1.1\r\n" + AUTHORIZED + b"\r\n",
    "400 no HTTP": b"\x16\x03\x01",
    "400 no target": b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n",
    "400 target with a host": b"GET http://a/metrics HTTP/1.1\r\n" + HOST + b"\r\n",
    "400 field": b"GET /metrics HTTP/1.1\r\n" + HOST + b"bad field\r\n\r\n",
    "400 no Host": b"GET /metrics HTTP/1.1\r\nConnection: close\r\n\r\n",
    "400 two Hosts": b"GET /metrics HTTP/1.1\r\n" + HOST + HOST + b"\r\n",
    "401": b"GET /report HTTP/1.1\r\n" + HOST + b"\r\n",
    "403": b"PUT /profile HTTP/1.1\r\nOrigin: http://b\r\n" + AUTHORIZED + b"\r\n",
    "404": b"GET /none HTTP/1.1\r\n" + AUTHORIZED + b"\r\n",
    "405": b"DELETE /report HTTP/1.1\r\n" + AUTHORIZED + b"\r\n",
    "409": b"PUT /profile HTTP/1.1\r\nContent-Length: 2\r\n" + AUTHORIZED + b"\r\n{}",
    "413": b"PUT /profile HTTP/1.1\r\nContent-Length: 99999999\r\n" + AUTHORIZED + b"\r\n",
    "431": b"GET /metrics HTTP/1.1\r\nX: " + b"a" * 17_000,
}


def check(answer: bytes, status: str) -> None:
    """Check status and headers of a whole response."""
    head = answer.partition(b"\r\n\r\n")[0].decode()
    assert head.startswith("HTTP/1."), answer
    assert head.split(" ")[1] == status, head
    fields = {name.lower(): value for name, _, value in (line.partition(": ") for line in head.split("\r\n")[1:])}
    for name, value in HEADERS.items():
        if name == "Content-Security-Policy":
            assert value.partition(";")[0] in fields[name.lower()]
            assert "frame-ancestors 'none'" in fields[name.lower()]
        else:
            assert fields[name.lower()] == value
    assert "server" not in fields


@pytest.mark.asyncio
async def test_every_answer_has_the_security_headers(tmp_path: Path) -> None:
    async with served(tmp_path, token=True) as here:
        for what, sent in REQUESTS.items():
            async with connected(int(here.base.rpartition(":")[2])) as (reader, writer):
                writer.write(sent)
                check(await until_closed(reader), what[:3])


@pytest.mark.asyncio
async def test_the_answer_of_a_failed_view_has_the_security_headers() -> None:
    async def fail(_: web.BaseRequest) -> web.Response:
        raise KeyError("a defect")

    async with serving(fail) as port, connected(port) as (reader, writer):
        writer.write(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
        answer = await until_closed(reader)
    check(answer, "500")
    assert b"defect" not in answer


@pytest.mark.asyncio
async def test_a_probe_by_http_1_0_needs_no_host(tmp_path: Path) -> None:
    async with served(tmp_path) as here, connected(int(here.base.rpartition(":")[2])) as (reader, writer):
        writer.write(b"GET /healthz HTTP/1.0\r\n\r\n")
        check(await until_closed(reader), "200")
