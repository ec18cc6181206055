"""Random SIGKILLs under load: no request fails, no counter decreases, and each episode sends one event."""

from __future__ import annotations

import asyncio
import time
from random import Random

import pytest

from tests.control.receiver import Receiver
from tests.e2e.load import Load, loaded, until
from tests.e2e.scrapes import ScrapeChecker
from tests.e2e.soak.events import assert_one_event_per_episode, delivered_all, open_another_episode, prepare
from tests.e2e.soak.figures import FIGURES
from tests.e2e.soak.parts import ANALYZER, PROXY, Parts
from tests.e2e.soak.sizes import SLOW, progress
from tests.e2e.stack import Stack, requests_total, total
from tests.support.sizes import size
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.long, pytest.mark.timeout(size(180, 3000))]

KILLS = size(3, 50)
KILLS_OF_SUPERVISED = size(2, 50)  # the supervisor's backoff reaches 30 s
CLIENTS = 4
LONGEST_LIFE = 1.5  # seconds between two kills; an analyzer needs about one to start


@pytest.mark.parametrize("parts", [(ANALYZER,), (PROXY,), (ANALYZER, PROXY)], ids="+".join)
def test_random_kills_of(parts: tuple[str, ...], stack: Stack, receiver: Receiver) -> None:
    random, processes = Random(len(parts)), Parts(stack)
    prepare(stack, receiver, random, KILLS)
    processes.start_both()
    proxy_lives = PROXY not in parts

    async def kill_under_load() -> Load:
        async with loaded(stack.listen, clients=CLIENTS, reconnect=not proxy_lives) as load:
            load.shift = 3.0
            for number in range(KILLS):
                if number % 2:  # else it may be killed during its start
                    await open_another_episode(stack, number)
                await asyncio.sleep(random.uniform(0, LONGEST_LIFE))  # the moment of the kill is the subject
                part = random.choice(parts)
                await asyncio.to_thread(processes.kill, part)
                FIGURES.kills += 1
                progress(f"kill {number + 1} of {KILLS}: {part}; {load.answered} requests, {load.interrupted} broken")
            await until(lambda: delivered_all(stack, receiver), "the event of the last episode", timeout=SLOW)
        return load

    with ScrapeChecker(stack, exact=proxy_lives) as checker:
        load = asyncio.run(kill_under_load())
        wait_until(lambda: total(stack.metrics(), "pilotfish_exchanges_queued") == 0, what="an empty channel")
    assert load.failures == []
    assert checker.faults == []
    assert checker.scrapes
    lost = load.answered - requests_total(stack.metrics())
    FIGURES.record(
        f"{KILLS} random SIGKILLs of {' and '.join(parts)}",
        f"{load.answered:,} requests, {load.interrupted} broken connections; {lost:.0f} not counted; "
        f"{len(receiver.ids)} episodes and events; no counter decreased",
    )
    if proxy_lives:
        assert lost == 0
    else:
        # The proxy forwards a response before it counts it: a kill between the two loses at most what is in flight.
        assert -load.interrupted <= lost <= KILLS * CLIENTS
    assert_one_event_per_episode(receiver)


def test_random_kills_of_a_supervised_analyzer(stack: Stack, receiver: Receiver) -> None:
    random = Random(1)
    prepare(stack, receiver, random, KILLS_OF_SUPERVISED)
    stack.start()
    proxy = stack.pid("proxy")

    async def kill_under_load() -> Load:
        async with loaded(stack.listen) as load:
            load.shift = 3.0
            for number in range(KILLS_OF_SUPERVISED):
                started = time.monotonic()
                await open_another_episode(stack, number)
                waited = time.monotonic() - started
                await asyncio.sleep(random.uniform(0, LONGEST_LIFE))  # the moment of the kill is the subject
                await asyncio.to_thread(stack.kill_analyzer)
                FIGURES.kills += 1
                progress(
                    f"kill {number + 1} of {KILLS_OF_SUPERVISED}: ready after {waited:.1f} s; {load.answered} requests"
                )
            await until(lambda: delivered_all(stack, receiver), "the event of the last episode", timeout=SLOW)
        return load

    with ScrapeChecker(stack) as checker:
        load = asyncio.run(kill_under_load())
        wait_until(lambda: requests_total(stack.metrics()) == load.answered, what="every request to be counted")
    assert load.failures == []
    assert checker.faults == []
    assert stack.pid("proxy") == proxy
    assert_one_event_per_episode(receiver)
    FIGURES.record(
        f"{KILLS_OF_SUPERVISED} random SIGKILLs of the analyzer process under `pilotfish run`",
        f"{load.answered:,} requests, 0 failed; {len(receiver.ids)} episodes and events; no counter decreased",
    )
    assert stack.stop() == 0
