"""Tasks that must not end in silence: an exception is logged, and the work begins again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Any

_LOG = logging.getLogger("pilotfish.tasks")
AGAIN = 1.0  # seconds until work that failed begins again


async def pause(stop: asyncio.Event, seconds: float) -> None:
    """Wait until `stop` is set, at most `seconds`."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()


async def keep_running(what: str, work: Callable[[], Awaitable[None]], stop: asyncio.Event | None = None) -> None:
    """Await `work` until it returns. After an exception, log it as `what` and call it again, unless `stop` is set."""
    stop = stop or asyncio.Event()
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


async def cancel_all(what: str, tasks: Iterable[asyncio.Future[Any]]) -> None:
    """Cancel tasks and wait for their ends; log an exception that ended one, before or meanwhile, as `what`."""
    tasks = tuple(tasks)
    for task in tasks:
        task.cancel()
    for end in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(end, Exception):
            _LOG.error("%s ended with an exception", what, exc_info=end)
