"""Shared code of the serving processes: they listen on a free loopback port and end with standard input."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable

from aiohttp import web


async def input_ended() -> None:
    """Return when standard input ends: the parent process has closed it or has ended."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while await reader.read(4096):
        pass


async def serve_until_input_ends(application: web.Application, listening: Callable[[int], None]) -> None:
    """Serve `application` at a free port of 127.0.0.1 until standard input ends; call `listening` with the port."""
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        listening(runner.addresses[0][1])
        await input_ended()
    finally:
        await runner.cleanup()
