"""A server that stops closes every connection, also one that it accepts at that moment."""

from __future__ import annotations

import asyncio
import socket

import pytest
from aiohttp import web

from pilotfish.sidecar.serving.server import BoundedServer
from tests.support.waiting import patient


async def answer(_request: web.BaseRequest) -> web.Response:
    return web.Response()


@pytest.mark.asyncio
@pytest.mark.parametrize("turns", range(6))
async def test_a_client_that_connects_just_before_the_stop_sees_the_end(turns: int) -> None:
    server = BoundedServer(answer)
    await server.start("127.0.0.1:0")
    with socket.create_connection(("127.0.0.1", server.port), timeout=patient(10)) as client:
        for _ in range(turns):
            await asyncio.sleep(0)
        await server.stop()
        try:
            assert client.recv(1) == b""
        except ConnectionResetError:
            assert turns < 2, "it was accepted, but not closed in order"
    assert server.connections == 0
