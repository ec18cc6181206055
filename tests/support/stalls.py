"""A pytest plugin that stalls event loops, timers, threads and fsync at random, as a busy machine does.

    PILOTFISH_TEST_PATIENCE=4 .venv/bin/python -m pytest -p tests.support.stalls --numprocesses 3 tests/control

A test that looks for something before it must be there passes nearly always on an idle machine. With the plugin, it
fails within some runs. Only the processes of pytest are stalled, not those that a test starts.
PILOTFISH_TEST_STALLS=3 makes the stalls three times as long.
"""

from __future__ import annotations

import asyncio
import os
import random
import selectors
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import wraps
from typing import Any

from pilotfish.sidecar.proxy.reactor import Reactor

STRENGTH = float(os.environ.get("PILOTFISH_TEST_STALLS", "1"))  # the length of a stall is multiplied by it
SHARE = 0.3  # of timers, calls in threads and fsyncs
BETWEEN, MEAN, LONGEST = 0.07, 0.015, 0.1  # seconds: between two stalls of a loop, and the length of a stall

_RANDOM = random.Random(os.urandom(8))


def pytest_configure() -> None:
    """Patch this process; pytest calls it in each worker, too."""
    selectors.EpollSelector.select = _stalled_loop(selectors.EpollSelector.select)  # type: ignore[method-assign]
    Reactor._timeout = _stalled_loop(Reactor._timeout)  # type: ignore[method-assign]
    asyncio.BaseEventLoop.call_later = _late(asyncio.BaseEventLoop.call_later)  # type: ignore[assignment,method-assign]
    ThreadPoolExecutor.submit = _in_slow_thread(ThreadPoolExecutor.submit)  # type: ignore[method-assign]
    os.fsync = _sometimes_stalled(os.fsync)


def _length() -> float:
    return STRENGTH * min(LONGEST, _RANDOM.expovariate(1 / MEAN))


def _sometimes_stalled(call: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(call)
    def stalled(*arguments: Any, **named: Any) -> Any:
        if _RANDOM.random() < SHARE:
            time.sleep(_length())
        return call(*arguments, **named)

    return stalled


def _stalled_loop(call: Callable[..., Any]) -> Callable[..., Any]:
    """Stall before `call`, which each turn of an event loop makes once; not more often than a machine would."""
    due = time.monotonic()

    @wraps(call)
    def stalled(*arguments: Any, **named: Any) -> Any:
        nonlocal due
        if time.monotonic() >= due:
            time.sleep(_length())
            due = time.monotonic() + _RANDOM.expovariate(1 / BETWEEN)
        return call(*arguments, **named)

    return stalled


def _late(call_later: Callable[..., asyncio.TimerHandle]) -> Callable[..., asyncio.TimerHandle]:
    @wraps(call_later)
    def late(loop: asyncio.BaseEventLoop, delay: float, *arguments: Any, **named: Any) -> asyncio.TimerHandle:
        delay += 4 * _length() if _RANDOM.random() < SHARE else 0.0
        return call_later(loop, delay, *arguments, **named)

    return late


def _in_slow_thread(submit: Callable[..., Future[Any]]) -> Callable[..., Future[Any]]:
    @wraps(submit)
    def slow(pool: ThreadPoolExecutor, call: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        return submit(pool, _sometimes_stalled(call), *arguments, **named)

    return slow
