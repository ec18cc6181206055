"""Processes are stopped and continued, and get several signals at once: what is promised holds after each."""

from __future__ import annotations

import asyncio
import os
import signal
from random import Random

import pytest

from tests.control.receiver import Receiver
from tests.e2e.load import Load, loaded, until
from tests.e2e.scrapes import ScrapeChecker
from tests.e2e.soak.events import assert_one_event_per_episode, delivered_all, open_another_episode, prepare
from tests.e2e.soak.figures import FIGURES
from tests.e2e.soak.processes import pids_of
from tests.e2e.soak.sizes import SLOW, progress
from tests.e2e.stack import Stack, requests_total, total
from tests.support.processes import is_running, stop
from tests.support.sizes import size
from tests.support.waiting import patient, wait_until

pytestmark = [pytest.mark.long, pytest.mark.timeout(size(240, 3000))]

STOPS = size(3, 60)
LONGEST_STOP = 2.0  # seconds
SETS: tuple[tuple[str, ...], ...] = (
    ("proxy",),
    ("analyzer",),
    ("supervisor",),
    ("proxy", "analyzer"),
    ("supervisor", "analyzer"),
    ("supervisor", "proxy", "analyzer"),
)
AT_ONCE = {
    "SIGTERM twice": ((signal.SIGTERM, signal.SIGTERM), 0),
    "SIGTERM and SIGHUP": ((signal.SIGTERM, signal.SIGHUP), 0),
    "SIGTERM and SIGINT": ((signal.SIGTERM, signal.SIGINT), 0),
    "SIGSTOP, SIGTERM, SIGCONT": ((signal.SIGSTOP, signal.SIGTERM, signal.SIGCONT), 0),
    "SIGSTOP and SIGKILL": ((signal.SIGSTOP, signal.SIGKILL), -signal.SIGKILL),
    "SIGTERM and SIGKILL": ((signal.SIGTERM, signal.SIGKILL), -signal.SIGKILL),
}


def test_stopped_processes_delay_requests_and_lose_none(stack: Stack, receiver: Receiver) -> None:
    random = Random(2)
    prepare(stack, receiver, random, STOPS)
    stack.start()
    wait_until(stack.ready, timeout=30, what="the analyzer")
    pids = pids_of(stack)

    async def stop_under_load() -> Load:
        async with loaded(stack.listen) as load:
            load.shift = 3.0
            for number in range(STOPS):
                await open_another_episode(stack, number)
                roles = SETS[number % len(SETS)]
                for role in roles:
                    await asyncio.to_thread(stop, pids[role])
                await asyncio.sleep(random.uniform(0.2, LONGEST_STOP))  # the length of the stop is the subject
                for role in roles:
                    os.kill(pids[role], signal.SIGCONT)
                answered = load.answered
                await until(lambda before=answered: load.answered > before + 100, "traffic", timeout=SLOW)  # type: ignore[misc]  # mypy cannot infer a lambda with a default
                progress(f"stop {number + 1} of {STOPS}: {' and '.join(roles)}; {load.answered} requests")
            await until(lambda: delivered_all(stack, receiver), "the event of the last episode", timeout=SLOW)
        return load

    with ScrapeChecker(stack) as checker:
        load = asyncio.run(stop_under_load())
        wait_until(lambda: requests_total(stack.metrics()) == load.answered, what="every request to be counted")
    assert load.failures == []
    assert checker.faults == []
    assert pids_of(stack) == pids, stack.run.errors()
    assert_one_event_per_episode(receiver)
    FIGURES.record(
        f"{STOPS} times SIGSTOP, up to {LONGEST_STOP:g} s, of each process and of several at once",
        f"{load.answered:,} requests, 0 failed; {len(receiver.ids)} episodes and events; no counter decreased",
    )
    assert stack.stop() == 0
    assert not stack.run.crashed()


@pytest.mark.parametrize("name", AT_ONCE)
def test_signals_at_once_end_every_process(name: str, stack: Stack) -> None:
    numbers, status = AT_ONCE[name]
    stack.start("--drain-seconds", "2")
    wait_until(stack.ready, timeout=30, what="the analyzer")
    pids = pids_of(stack)

    async def signal_under_load() -> Load:
        async with loaded(stack.listen, reconnect=True) as load:
            await until(lambda: load.answered > 100, "traffic")
            for number in numbers:
                os.kill(pids["supervisor"], number)
            await until(lambda: not stack.run.running(), "the end of the supervisor", timeout=SLOW)
            await until(lambda: not any(map(is_running, pids.values())), "the end of its children", timeout=SLOW)
        return load

    load = asyncio.run(signal_under_load())
    assert load.failures == []
    assert stack.run.process.returncode == status
    assert not stack.run.crashed()
    # Nothing holds the addresses, the counter page or the outbox, so that the next start works and continues.
    stack.start()
    wait_until(stack.ready, timeout=30, what="the next analyzer")
    wait_until(lambda: total(stack.metrics(), "pilotfish_exchanges_queued") == 0, what="an empty channel")
    lost = load.answered - requests_total(stack.metrics())
    assert -load.interrupted <= lost <= 0
    assert stack.stop() == 0


def test_both_children_killed_at_once(stack: Stack) -> None:
    stack.start()
    wait_until(stack.ready, timeout=30, what="the analyzer")
    pids = pids_of(stack)
    for role in ("analyzer", "proxy"):
        os.kill(pids[role], signal.SIGKILL)
    assert stack.run.process.wait(timeout=patient(20)) == 128 + signal.SIGKILL
    assert not any(map(is_running, pids.values()))
