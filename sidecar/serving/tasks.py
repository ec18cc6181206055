"""Tasks that must not end in silence: an exception is logged, and the work begins again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

_LOG = logging.getLogger("pilotfish.tasks")
AGAIN = 1.0  # seconds until work that failed begins again


async def pause(stop: asyncio.Event, seconds: float) -> None:
    """Wait until `stop` is set, at most `seconds`."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()


async def keep_running(what: str, work: Callable[[], Awaitable[None]], stop: asyncio.Event) -> None:
    """Await `work` until it returns; after an exception, log it as `what` and call `work` again."""
    while True:
        try:
            await work()
        except Exception:
            _LOG.exception("%s failed; it begins again", what)
            if stop.is_set():
                return
            await pause(stop, AGAIN)
        else:
            return
