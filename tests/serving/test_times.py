"""No client keeps a connection of the admin address by being slow, in whichever state it is."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web

from pilotfish.sidecar.analyzer.http import bodies
from pilotfish.sidecar.analyzer.http.bodies import BodyReader
from pilotfish.sidecar.serving import connections, server
from pilotfish.sidecar.serving.bodies import SlowBodyError
from pilotfish.sidecar.serving.connections import BoundedConnection, BoundedConnections
from tests.serving.served import connected, ok, serving, until_closed
from tests.support.waiting import eventually

GET = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n"
SOON = 0.05


@pytest.mark.asyncio
@pytest.mark.parametrize("sent", [b"", b"GET /x HTT", GET[:-2], b"\r\n\r\n"])
async def test_the_first_head_has_a_time_limit(monkeypatch: pytest.MonkeyPatch, sent: bytes) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", SOON)
    monkeypatch.setattr(server, "IDLE_SECONDS", 3600.0)
    async with serving(ok) as port, connected(port) as (reader, writer):
        writer.write(sent)
        assert await until_closed(reader) == b""


@pytest.mark.asyncio
@pytest.mark.parametrize("sent", [b"", b"GET /x HTT", GET[:-2]])
async def test_a_later_head_has_a_time_limit(monkeypatch: pytest.MonkeyPatch, sent: bytes) -> None:
    monkeypatch.setattr(connections, "IDLE_SECONDS", SOON)
    async with serving(ok) as port, connected(port) as (reader, writer):
        writer.write(GET + sent)
        assert (await until_closed(reader)).count(b"HTTP/1.1 200") == 1


@pytest.mark.asyncio
@pytest.mark.parametrize("size", [100, 100_000])
async def test_a_body_has_a_time_limit(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(bodies, "READ_SECONDS", SOON)
    monkeypatch.setattr(server, "LINGER_SECONDS", SOON)
    reader_ = BodyReader()

    async def take(request: web.BaseRequest) -> web.Response:
        try:
            async with reader_.read(request, 1 << 20) as body:
                return web.Response(body=body)
        except SlowBodyError as error:
            return web.Response(status=error.status, headers={"Connection": "close"})

    async with serving(take) as port, connected(port) as (reader, writer):
        writer.write(b"PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\nslow" % size)
        assert (await until_closed(reader)).startswith(b"HTTP/1.1 408")


@pytest.mark.asyncio
async def test_a_request_has_a_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "REQUEST_SECONDS", SOON)

    async def never(_: web.BaseRequest) -> web.Response:
        await asyncio.Event().wait()
        return web.Response()

    async with serving(never) as port, connected(port) as (reader, writer):
        writer.write(GET)
        assert await until_closed(reader) == b""


@pytest.mark.long
@pytest.mark.asyncio
async def test_a_client_that_does_not_read_its_response_is_disconnected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "REQUEST_SECONDS", SOON)
    large = bytes(64 << 20)  # more than all buffers between server and client

    async def send(_: web.BaseRequest) -> web.Response:
        return web.Response(body=large)

    async with serving(send) as port, connected(port) as (reader, writer):
        writer.write(GET)
        assert len(await until_closed(reader)) < len(large)


class StuckTransport(asyncio.Transport):
    """A transport whose peer takes no bytes, so that `close` waits without end."""

    def __init__(self) -> None:
        super().__init__()
        self.aborted = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Keep nothing."""

    def close(self) -> None:
        """Wait for the peer."""

    def is_closing(self) -> bool:
        return False

    def abort(self) -> None:
        self.aborted = True


@pytest.mark.asyncio
async def test_the_last_bytes_have_a_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "CLOSE_SECONDS", SOON)
    stuck = StuckTransport()
    manager = BoundedConnections(ok, lambda *_: None, 10, keepalive_timeout=60.0)
    handler = BoundedConnection(manager, loop=asyncio.get_running_loop(), keepalive_timeout=60.0)
    handler.connection_made(stuck)
    handler.data_received(b"\0")
    await eventually(lambda: stuck.aborted, what="the end of the connection")
    handler.connection_lost(None)
