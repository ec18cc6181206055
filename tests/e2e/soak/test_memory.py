"""A soak: an hour of traffic of many kinds; memory, descriptors and threads of all processes stay flat."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from pilotfish.detectors.reference.build import build_profile
from tests.control.receiver import Receiver
from tests.e2e import stack as stacks
from tests.e2e.load import Load, loaded
from tests.e2e.scrapes import ScrapeChecker
from tests.e2e.soak.figures import FIGURES
from tests.e2e.soak.processes import Usage, pids_of
from tests.e2e.soak.sizes import progress
from tests.e2e.soak.strangers import Strangers, strangers
from tests.e2e.soak.trend import Sample, growth
from tests.e2e.stack import DOCUMENT, Stack, total
from tests.e2e.test_feedback import PREDICTED
from tests.support.processes import Children
from tests.support.sizes import size
from tests.support.waiting import wait_until

SECONDS = size(45, int(3600 * float(os.environ.get("SOAK_HOURS", "1"))))
SAMPLES = size(45, 240)
LINES = max(1, int(SECONDS / 60))  # of progress
WARM_UP = 1 / 3  # of the samples: tables and caches fill up to their limits
MIB_PER_HOUR = 4.0  # allowed growth after the warm-up; 5 bytes per request grow faster
STEP_MIB = size(4, 2)  # allowed in any case: steps of an allocator, and in a short run tables that still fill up
MORE_DESCRIPTORS, MORE_THREADS = 16, 2  # allowed growth of the median; strangers are connected in some samples

pytestmark = [pytest.mark.long, pytest.mark.timeout(SECONDS + 300)]
Samples = dict[str, list[tuple[float, Usage]]]


@pytest.fixture
def busy(tmp_path: Path, spawn: Children, receiver: Receiver) -> Stack:
    """Return a stack with a profile that has predictions and labels, and with events that follow each other."""
    random = np.random.default_rng(3)
    truth = random.choice(PREDICTED, 10_000)
    columns = {"a": random.normal(size=10_000), "b": random.normal(size=10_000), "y": truth + 0.1, "truth": truth}
    profile = build_profile(
        columns,
        sides={"y": "prediction", "truth": "label"},
        model="m",
        version="1",
        exchangeable=True,
        tick_seconds=0.2,
    )
    made = stacks.create_stack(tmp_path, spawn, profile.to_bytes(), receiver.url)
    document = (DOCUMENT % receiver.url).replace("cooldown: 1h", "cooldown: 1s")
    made.write("monitor.yaml", f"{document.rstrip()}\n  feedback: {{maxRows: 2000}}\n")
    receiver.script[:] = [*["500", "200", "die", "retry-after", "200"] * 3, "200"]
    return made


async def watch(stack: Stack, pids: dict[str, int], samples: Samples, checker: ScrapeChecker) -> tuple[Load, Strangers]:
    """Run load and strangers for `SECONDS`; add a sample of each process every `SECONDS / SAMPLES`."""
    started = time.monotonic()
    async with loaded(stack.listen, clients=2) as load, strangers(stack.listen, stack.admin) as group:
        for number in range(SAMPLES):
            load.shift = 3.0 if number % 20 >= 10 else 0.0  # episodes open and close
            await asyncio.sleep(max(0.0, started + (number + 1) * SECONDS / SAMPLES - time.monotonic()))
            for role, pid in pids.items():
                samples[role].append((time.monotonic() - started, Usage.of(pid)))
            if (number + 1) * LINES // SAMPLES > number * LINES // SAMPLES:
                used = "; ".join(f"{role} {values[-1][1]}" for role, values in samples.items())
                failed = [*load.failures, *group.failures, *checker.faults]
                requests = load.answered + sum(group.sent.values())
                progress(f"{requests} requests, {len(failed)} failed; {used}; {FIGURES.kills} kills so far")
                for failure in failed[-3:]:
                    progress(f"    {failure[:300]}")
    return load, group


@contextmanager
def processes_that_stay(stack: Stack) -> Iterator[dict[str, int]]:
    """Yield the pids; no process may have been restarted at the end of the block."""
    pids = pids_of(stack)
    yield pids
    assert pids_of(stack) == pids, stack.run.errors()


def median_of(values: list[tuple[float, Usage]], name: str) -> tuple[float, float]:
    """Return the medians of an attribute in the first and the last third of the samples after the warm-up."""
    found = [getattr(usage, name) for _, usage in values[int(len(values) * WARM_UP) :]]
    third = max(1, len(found) // 3)
    return float(np.median(found[:third])), float(np.median(found[-third:]))


def test_an_hour_of_traffic_of_many_kinds_leaves_memory_flat(busy: Stack) -> None:
    stack = busy
    stack.start()
    wait_until(stack.ready, timeout=30, what="the analyzer")
    with processes_that_stay(stack) as pids, ScrapeChecker(stack, pause=max(0.05, SECONDS / 3600)) as checker:
        samples: Samples = {role: [] for role in pids}
        load, group = asyncio.run(watch(stack, pids, samples, checker))
        wait_until(lambda: total(stack.metrics(), "pilotfish_exchanges_queued") == 0, what="an empty channel")
    assert load.failures == []
    assert group.failures == []
    assert checker.faults == []
    assert set(group.sent) == set(group.kinds())
    answered = load.answered + group.inferences
    counted = total(stack.metrics(), "pilotfish_requests_total", route="POST /v2/models/m/infer")
    assert answered <= counted <= answered + group.cut

    hours = SECONDS / 3600 * (1 - WARM_UP)
    allowed = max(STEP_MIB, MIB_PER_HOUR * hours)
    grown: dict[str, float] = {}
    for role, values in samples.items():
        memory: list[Sample] = [(seconds, usage.mib) for seconds, usage in values[int(SAMPLES * WARM_UP) :]]
        grown[role] = growth(memory)
        FIGURES.record(
            f"memory of the {role} in {SECONDS / 60:.0f} minutes of load",
            f"{memory[-1][1]:.0f} MiB at the end; by slope {grown[role]:+.2f} MiB in the last {hours * 60:.0f} minutes",
        )
        for name, more in (("descriptors", MORE_DESCRIPTORS), ("threads", MORE_THREADS)):
            before, after = median_of(values, name)
            assert after <= before + more, f"the {name} of the {role} grow: from {before} to {after}"
    requests = f"{load.answered:,} regular requests, 0 failed; {sum(group.sent.values()):,} of strangers"
    FIGURES.record("the traffic in that time", f"{requests}; {checker.scrapes} scrapes, no counter decreased")
    progress(f"growth after the warm-up: {grown} MiB, allowed {allowed:.1f} MiB; {dict(group.sent)}")
    assert all(mib <= allowed for mib in grown.values()), samples
    assert stack.stop() == 0
    assert not stack.run.crashed()
