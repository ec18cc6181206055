"""A server of the admin address with a handler of the test, and raw connections to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from pilotfish.sidecar.serving.server import BoundedServer, Handler
from tests.support.waiting import patient


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[int]:
    """Serve `handler` and yield the port."""
    server = BoundedServer(handler)
    await server.start("127.0.0.1:0")
    try:
        yield server.port
    finally:
        await server.stop()


async def ok(_: web.BaseRequest) -> web.Response:
    """Answer any request."""
    return web.Response(text="ok")


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Connect to `port`; abort the connection at the end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def until_closed(reader: asyncio.StreamReader) -> bytes:
    """Return all that arrives until the server ends the connection."""
    async with asyncio.timeout(patient(20)):
        received = b""
        try:
            while piece := await reader.read(65536):
                received += piece
        except ConnectionError:
            pass
        return received
