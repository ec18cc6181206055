"""The analyzer process is killed at the system calls that write its state: strace sends SIGKILL at the n-th one."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from tests.control.receiver import Receiver
from tests.e2e.load import Load, loaded, until
from tests.e2e.scrapes import ScrapeChecker
from tests.e2e.soak.events import assert_one_event_per_episode, delivered_all, open_another_episode, prepare
from tests.e2e.soak.figures import FIGURES
from tests.e2e.soak.parts import ANALYZER, Parts
from tests.e2e.soak.sizes import SLOW, progress
from tests.e2e.stack import Stack, requests_total
from tests.support.processes import Child
from tests.support.programs import needs
from tests.support.sizes import size
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.long, pytest.mark.timeout(size(240, 3000)), needs("strace")]

KILLS = size(4, 60)
PASSED_SECONDS = 3.0  # after them, the process made too few calls of this kind
CALLS = {"fsync": 12, "rename": 6, "unlink": 1, "write": 60}  # by kind: how many to let pass at most


def killed_at(call: str, number: int) -> tuple[str, ...]:
    """Return a prefix that lets the process be killed when it enters the `number`-th system call of this kind."""
    inject = f"inject={call}:signal=KILL:when={number}"
    return ("strace", "-D", "-qq", "-f", "-o", "/dev/null", "-e", f"trace={call}", "-e", inject)


async def is_ready_before_kill(stack: Stack, traced: Child) -> bool:
    """Wait until the process is ready or killed, and return whether it still runs."""
    await until(lambda: stack.ready() or not traced.running(), "the analyzer", timeout=SLOW)
    return traced.running()


def test_kills_at_the_writes_of_checkpoint_and_outbox(stack: Stack, receiver: Receiver) -> None:
    random, processes = Random(5), Parts(stack)
    prepare(stack, receiver, random, KILLS)
    processes.start_both()

    async def kill_under_load() -> tuple[Load, int]:
        hit = 0
        async with loaded(stack.listen) as load:
            load.shift = 3.0
            for number in range(KILLS):
                call = sorted(CALLS)[number % len(CALLS)]
                nth = random.randint(1, CALLS[call])
                await asyncio.to_thread(processes.kill, ANALYZER, *killed_at(call, nth))
                traced = processes.children[ANALYZER]
                try:
                    if await is_ready_before_kill(stack, traced):
                        await open_another_episode(stack, number)
                    await until(lambda traced=traced: not traced.running(), "the call", timeout=PASSED_SECONDS)  # type: ignore[misc]  # mypy cannot infer a lambda with a default
                    hit += 1
                except TimeoutError:
                    pass  # it made fewer calls of this kind
                progress(f"kill {number + 1} of {KILLS} at {call} {nth}: {hit} hit; {load.answered} requests")
            await asyncio.to_thread(processes.kill, ANALYZER)
            await until(stack.ready, "the analyzer", timeout=SLOW)
            await until(lambda: delivered_all(stack, receiver), "the event of the last episode", timeout=SLOW)
        return load, hit

    with ScrapeChecker(stack) as checker:
        load, hit = asyncio.run(kill_under_load())
        wait_until(lambda: requests_total(stack.metrics()) == load.answered, what="every request to be counted")
    FIGURES.kills += KILLS
    assert load.failures == []
    assert checker.faults == []
    assert hit >= size(1, KILLS // 2)
    said = "".join(child.errors() for child in stack.spawn.started)
    assert not [word for word in ("damaged", "refused", "Traceback", "CRITICAL") if word in said], said[-4000:]
    assert_one_event_per_episode(receiver)
    FIGURES.record(
        f"{hit} SIGKILLs of the analyzer process at a write, fsync, rename or unlink of its state",
        f"{load.answered:,} requests, 0 failed; {len(receiver.ids)} episodes and events; no counter decreased",
    )
