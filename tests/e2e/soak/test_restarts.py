"""The supervisor, or its proxy, is killed; a service manager starts `pilotfish run` again at once.

Requests fail only while no proxy listens, no process of the old start stays, and counters and events continue.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
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
from tests.support.processes import is_running
from tests.support.sizes import size
from tests.support.waiting import patient, wait_until

pytestmark = [pytest.mark.long, pytest.mark.timeout(size(240, 3000))]

KILLS = size(2, 50)
CLIENTS = 4
LONGEST_LIFE = 1.5  # seconds between two kills, after the analyzer counts
LONGEST_PAUSE = 8.0  # seconds without a response: the last checkpoint of the analyzer process, and a start


def kill_and_start_again(stack: Stack, role: str) -> float:
    """Kill a process and start `pilotfish run` again as soon as its supervisor has ended.

    Return how many seconds the start took. No process of the old start may stay.
    """
    old, child = pids_of(stack), stack.run
    os.kill(old[role], signal.SIGKILL)
    child.process.wait(timeout=patient(20))
    assert not child.crashed(), child.errors()[-2000:]
    started = time.monotonic()
    stack.start()
    took = time.monotonic() - started
    assert stack.run.running(), stack.run.errors()
    wait_until(lambda: not any(map(is_running, old.values())), what="the end of the old processes")
    FIGURES.kills += 1
    return took


@pytest.mark.parametrize("role", ["supervisor", "proxy"])
def test_random_kills_under_a_service_manager_of_the(role: str, stack: Stack, receiver: Receiver) -> None:
    random = Random(role)
    prepare(stack, receiver, random, KILLS)
    stack.start()

    async def kill_under_load() -> Load:
        async with loaded(stack.listen, CLIENTS, reconnect=True) as load:
            load.shift = 3.0
            for number in range(KILLS):
                await open_another_episode(stack, number)
                await asyncio.sleep(random.uniform(0, LONGEST_LIFE))  # the moment of the kill is the subject
                took = await asyncio.to_thread(kill_and_start_again, stack, role)
                broken = (
                    f"{load.interrupted} broken, {load.refused} refused, no response for {load.longest_pause:.2f} s"
                )
                progress(f"kill {number + 1} of {KILLS}: {load.answered} requests, {broken}; start took {took:.2f} s")
            await until(lambda: delivered_all(stack, receiver), "the event of the last episode", timeout=SLOW)
        return load

    exact = role == "supervisor"  # then the proxy ends in order, and leaves no exchange partly counted
    with ScrapeChecker(stack, exact=exact) as checker:
        load = asyncio.run(kill_under_load())
        wait_until(lambda: total(stack.metrics(), "pilotfish_exchanges_queued") == 0, what="an empty channel")
    assert load.failures == []
    assert checker.faults == []
    lost = load.answered - requests_total(stack.metrics())
    assert -load.interrupted <= lost <= (0 if exact else KILLS * CLIENTS)
    assert load.interrupted <= KILLS * CLIENTS, "a connection that was not open at a kill broke"
    assert load.longest_pause <= patient(LONGEST_PAUSE)
    assert_one_event_per_episode(receiver)
    FIGURES.record(
        f"{KILLS} random SIGKILLs of the {role}, each followed by a start of `pilotfish run`",
        f"{load.answered:,} requests, {load.interrupted} broken connections; no response for "
        f"{load.longest_pause:.1f} s at most; {lost:.0f} not counted; {len(receiver.ids)} episodes and events; "
        "no counter decreased",
    )
    assert stack.stop() == 0
