"""A soak: hours of traffic do not grow the memory of either process."""

from __future__ import annotations

import asyncio
import os
from statistics import median

import pytest

from tests.e2e.load import Load, loaded
from tests.e2e.scrapes import ScrapeChecker
from tests.e2e.soak.sizes import progress, size
from tests.e2e.stack import Stack, requests_total
from tests.integration.process import resident_kib
from tests.support.waiting import wait_until

SECONDS = size(60, int(3600 * float(os.environ.get("SOAK_HOURS", "1"))))
SAMPLES = 60
ALLOWED_KIB = 4096  # growth of the median from the second to the last third; a leak of 10 bytes per request shows more

pytestmark = [pytest.mark.long, pytest.mark.timeout(SECONDS + 120)]


def third(values: list[int], number: int) -> float:
    """Return the median of one third of `values`, numbered from 0."""
    length = len(values) // 3
    return median(values[number * length : (number + 1) * length])


def test_memory_stays_flat(stack: Stack) -> None:
    stack.start()
    wait_until(stack.ready, timeout=30, what="the analyzer")
    pids = {role: stack.pid(role) for role in ("proxy", "analyzer")}
    memory: dict[str, list[int]] = {role: [] for role in pids}

    async def watch() -> Load:
        async with loaded(stack.listen) as load:
            for number in range(SAMPLES):
                load.shift = 3.0 if number % 20 >= 10 else 0.0  # episodes open and close
                await asyncio.sleep(SECONDS / SAMPLES)  # the length of the run is the subject
                for role, pid in pids.items():
                    memory[role].append(resident_kib(pid))
                if number % 10 == 9:
                    now = ", ".join(f"{role} {values[-1]} KiB" for role, values in memory.items())
                    progress(f"sample {number + 1} of {SAMPLES}: {load.answered} requests; {now}")
        return load

    with ScrapeChecker(stack, pause=SECONDS / 600) as checker:
        load = asyncio.run(watch())
        wait_until(lambda: requests_total(stack.metrics()) == load.answered, what="every request to be counted")
    assert load.failures == []
    assert checker.faults == []
    assert {role: stack.pid(role) for role in pids} == pids, stack.run.errors()
    growth = {role: third(values, 2) - third(values, 1) for role, values in memory.items()}
    progress(f"growth from the second to the last third: {growth}")
    assert all(kib <= ALLOWED_KIB for kib in growth.values()), memory
    assert stack.stop() == 0
