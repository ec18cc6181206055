"""The model server is killed, the analyzer process has no memory, and a delivery is cut off by a kill."""

from __future__ import annotations

import asyncio
import json
import resource
import sys
from pathlib import Path
from random import Random

import pytest

from tests.control.receiver import Receiver
from tests.e2e import upstream
from tests.e2e.load import Load, loaded, until
from tests.e2e.scrapes import ScrapeChecker
from tests.e2e.soak.events import assert_one_event_per_episode, delivered_all, open_another_episode, prepare
from tests.e2e.soak.figures import FIGURES
from tests.e2e.soak.processes import pids_of
from tests.e2e.soak.sizes import SLOW, progress
from tests.e2e.stack import Stack, requests_total, total
from tests.support.sizes import size
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.long, pytest.mark.timeout(size(240, 3000))]

OUTAGES = size(2, 50)
SHORTAGES = size(2, 20)
CUTS = size(2, 20)
CLIENTS = 4
VALUES = 70_000  # in a large request: 0.9 MB
SHORT_BYTES = 8 << 20  # the limit is as much below what the process has: no new memory is granted
LARGE = 20  # large requests in one shortage
TRAFFIC = 300  # requests between two faults


def test_a_killed_model_server_is_found_again(stack: Stack) -> None:
    (model,) = stack.spawn.started
    stack.start()
    wait_until(stack.ready, timeout=30, what="the analyzer")
    pids = pids_of(stack)

    async def kill_under_load() -> Load:
        child = model
        async with loaded(stack.listen, CLIENTS, reconnect=True) as load:
            for number in range(OUTAGES):
                answered = load.answered
                await until(lambda before=answered: load.answered > before + TRAFFIC, "traffic", timeout=SLOW)  # type: ignore[misc]  # mypy cannot infer a lambda with a default
                child.process.kill()
                child.process.wait()
                if number % 2:  # else it is back before anything has noticed
                    await until(
                        lambda: total(stack.metrics(), "pilotfish_upstreams_unreachable") == 1, "the outage to be shown"
                    )
                port_file = stack.folder / "again.port"
                child = stack.spawn(sys.executable, upstream.__file__, port_file, str(stack.upstream))
                progress(f"outage {number + 1} of {OUTAGES}: {load.answered} requests, {load.interrupted} broken")
            answered = load.answered
            await until(lambda: load.answered > answered + TRAFFIC, "traffic after the last outage", timeout=SLOW)
        return load

    with ScrapeChecker(stack) as checker:
        load = asyncio.run(kill_under_load())
        wait_until(lambda: total(stack.metrics(), "pilotfish_upstreams_unreachable") == 0, what="the upstream")
        wait_until(lambda: total(stack.metrics(), "pilotfish_exchanges_queued") == 0, what="an empty channel")
    assert load.failures == []
    assert load.refused == 0, "the proxy always accepts"
    assert checker.faults == []
    assert pids_of(stack) == pids, stack.run.errors()
    assert 0 <= requests_total(stack.metrics()) - load.answered <= load.interrupted
    FIGURES.record(
        f"{OUTAGES} SIGKILLs of the model server",
        f"{load.answered:,} requests answered, none refused by the proxy; no counter decreased",
    )
    assert stack.stop() == 0
    assert not stack.run.crashed()


def data_bytes(pid: int) -> int:
    """Return the data of a process that RLIMIT_DATA bounds."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmData:"))


def test_an_analyzer_without_memory_costs_no_request_and_no_count(stack: Stack, receiver: Receiver) -> None:
    """Its limit falls below what it has, as if other programs took all memory, and large requests come.

    The process fails in any way, hangs included, and another one follows it.
    """
    stack.start()
    wait_until(stack.ready, timeout=30, what="the analyzer")
    proxy = stack.pid("proxy")
    body = json.dumps(
        {"inputs": [{"name": "a", "datatype": "FP64", "shape": [VALUES], "data": [0.5123456789] * VALUES}]}
    )
    large = f"POST /v2/models/m/infer HTTP/1.1\r\nHost: m\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
    sent = 0

    async def starve() -> Load:
        nonlocal sent
        async with loaded(stack.listen, CLIENTS) as load:
            load.shift = 3.0
            for number in range(SHORTAGES):
                await until(stack.ready, "the analyzer", timeout=SLOW)
                pid = stack.pid("analyzer")
                resource.prlimit(pid, resource.RLIMIT_DATA, (data_bytes(pid) - SHORT_BYTES, resource.RLIM_INFINITY))
                for _ in range(LARGE):
                    reader, writer = await asyncio.open_connection("127.0.0.1", stack.listen)
                    writer.write(large)
                    assert await reader.readexactly(len(upstream.RESPONSE)) == upstream.RESPONSE
                    writer.close()
                    sent += 1
                await until(lambda pid=pid: stack.pid("analyzer") not in {0, pid}, "another process", timeout=SLOW)  # type: ignore[misc]  # mypy cannot infer a lambda with a default
                progress(f"shortage {number + 1} of {SHORTAGES}: {load.answered} requests")
            await until(stack.ready, "the last analyzer", timeout=SLOW)
            await until(lambda: delivered_all(stack, receiver), "the event", timeout=SLOW)
        return load

    with ScrapeChecker(stack) as checker:
        load = asyncio.run(starve())
        wait_until(lambda: requests_total(stack.metrics()) == load.answered + sent, what="every request to be counted")
    assert load.failures == []
    assert checker.faults == []
    assert stack.pid("proxy") == proxy
    assert_one_event_per_episode(receiver)
    FIGURES.record(
        f"{SHORTAGES} times no memory for the analyzer process", f"{load.answered + sent:,} requests, 0 failed"
    )
    assert stack.stop() == 0


def test_a_kill_during_a_delivery_repeats_the_event_under_its_id(stack: Stack, receiver: Receiver) -> None:
    stack.start()
    prepare(stack, receiver, Random(3), CUTS)
    receiver.script[:] = ["hang"] * CUTS + ["200"]

    async def cut() -> Load:
        async with loaded(stack.listen, CLIENTS) as load:
            load.shift = 3.0
            await open_another_episode(stack, 0)
            for number in range(CUTS):
                await until(lambda number=number: len(receiver.arrivals) > number, "a delivery in flight", timeout=SLOW)  # type: ignore[misc]  # mypy cannot infer a lambda with a default
                stack.kill_analyzer()
                FIGURES.kills += 1
                progress(f"kill {number + 1} of {CUTS} with a delivery in flight: {load.answered} requests")
            await until(lambda: delivered_all(stack, receiver), "the event", timeout=SLOW)
        return load

    with ScrapeChecker(stack) as checker:
        load = asyncio.run(cut())
        wait_until(lambda: requests_total(stack.metrics()) == load.answered, what="every request to be counted")
    assert load.failures == []
    assert checker.faults == []
    assert len(receiver.arrivals) > CUTS
    assert_one_event_per_episode(receiver)
    FIGURES.record(
        f"{CUTS} SIGKILLs with a delivery in flight",
        f"{load.answered:,} requests, 0 failed; {len(receiver.arrivals)} attempts, {len(receiver.ids)} event",
    )
    assert stack.stop() == 0
