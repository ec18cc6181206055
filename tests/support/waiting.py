"""Waiting for a condition, never for a length of time."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE = float(os.environ.get("PILOTFISH_TEST_PATIENCE", "1"))  # every limit on a wait is multiplied by it
POLL = 0.002  # seconds; short beside anything that a test waits for, long enough to leave the core to the others


def patient(seconds: float) -> float:
    """Return a limit in seconds for this machine; set PILOTFISH_TEST_PATIENCE=4 where all takes four times as long."""
    return seconds * PATIENCE


def wait_until(predicate: Callable[[], T], timeout: float = 10.0, what: str = "") -> T:
    """Poll `predicate` until its result is true, and return that result.

    Raises TimeoutError after `patient(timeout)` seconds, naming `what` was awaited and the last result.
    """
    deadline = time.monotonic() + patient(timeout)
    while not (result := predicate()):
        if time.monotonic() > deadline:
            raise TimeoutError(_late(predicate, timeout, what, result))
        time.sleep(POLL)
    return result


async def eventually(predicate: Callable[[], T], timeout: float = 10.0, what: str = "") -> T:
    """Do what `wait_until` does, in a coroutine: the event loop goes on between two looks."""
    deadline = time.monotonic() + patient(timeout)
    while not (result := predicate()):
        if time.monotonic() > deadline:
            raise TimeoutError(_late(predicate, timeout, what, result))
        await asyncio.sleep(POLL)
    return result


async def soon(look: Callable[[], Awaitable[bool]], what: str) -> None:
    """Wait for `what`, until the coroutine function `look` returns True."""
    deadline = time.monotonic() + patient(60)
    while not await look():
        assert time.monotonic() < deadline, f"no {what}"
        await asyncio.sleep(POLL)


def _late(predicate: object, timeout: float, what: str, result: object) -> str:
    awaited: object = what or getattr(predicate, "__name__", predicate)
    return f"waited {patient(timeout)} s for {awaited}; the last result was {result!r}"
