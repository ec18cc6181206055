"""Waiting for a condition, never for a length of time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

POLL = 0.002  # seconds; short beside anything that a test waits for, long enough to leave the core to the others


def wait_until(predicate: Callable[[], T], timeout: float = 10.0, what: str = "") -> T:
    """Poll `predicate` until its result is true, and return that result.

    Raises TimeoutError after `timeout` seconds, naming `what` was awaited and the last result.
    """
    deadline = time.monotonic() + timeout
    while not (result := predicate()):
        if time.monotonic() > deadline:
            raise TimeoutError(_late(predicate, timeout, what, result))
        time.sleep(POLL)
    return result


async def eventually(predicate: Callable[[], T], timeout: float = 10.0, what: str = "") -> T:
    """Do what `wait_until` does, in a coroutine: the event loop goes on between two looks."""
    deadline = time.monotonic() + timeout
    while not (result := predicate()):
        if time.monotonic() > deadline:
            raise TimeoutError(_late(predicate, timeout, what, result))
        await asyncio.sleep(POLL)
    return result


def _late(predicate: object, timeout: float, what: str, result: object) -> str:
    return f"waited {timeout} s for {what or getattr(predicate, '__name__', predicate)}; the last result was {result!r}"
