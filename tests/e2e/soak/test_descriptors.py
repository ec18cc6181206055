"""With 64 descriptors, idle clients at both addresses: the clients that have a connection lose nothing."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import pytest

from tests.control.receiver import Receiver
from tests.e2e.load import loaded, until
from tests.e2e.scrapes import ScrapeChecker
from tests.e2e.soak.caged import start_behind
from tests.e2e.soak.sizes import SLOW, progress
from tests.e2e.stack import Stack, requests_total, total
from tests.support.sizes import size
from tests.support.waiting import patient, wait_until

pytestmark = [pytest.mark.long, pytest.mark.timeout(size(180, 1800))]

DESCRIPTORS = 64
STRANGERS = 200
ROUNDS = size(2, 30)
STEP = size(150, 300)  # requests while the strangers are there


@contextmanager
def idle_connections(port: int, count: int) -> Iterator[None]:
    """Hold up to `count` connections that send nothing."""
    with ExitStack() as held:
        for _ in range(count):
            stranger = held.enter_context(socket.socket())
            stranger.settimeout(patient(1))
            with suppress(OSError):  # refused, or the backlog is full
                stranger.connect(("127.0.0.1", port))
        yield


def test_strangers_at_both_addresses_take_no_descriptor_from_clients(stack: Stack, receiver: Receiver) -> None:
    limit = f"import os, resource, sys; resource.setrlimit(resource.RLIMIT_NOFILE, ({DESCRIPTORS},) * 2)"
    prefix = (sys.executable, "-c", f"{limit}; os.execv(sys.argv[1], sys.argv[1:])")
    start_behind(stack, prefix, folder=str(stack.folder), state=str(stack.folder / "state"))
    wait_until(stack.ready, timeout=30, what="the analyzer")
    analyzer = stack.pid("analyzer")

    async def crowd() -> int:
        async with loaded(stack.listen) as load:
            for number in range(ROUNDS):
                answered = load.answered
                port = (stack.admin, stack.listen)[number % 2]
                strangers = idle_connections(port, STRANGERS)
                await asyncio.to_thread(strangers.__enter__)
                await until(lambda before=answered: load.answered > before + STEP, "traffic")  # type: ignore[misc]  # mypy cannot infer a lambda with a default
                await until(stack.metrics, "a scrape beside the strangers")
                strangers.__exit__(None, None, None)
                used = total(stack.metrics(), "process_open_fds")
                progress(
                    f"{STRANGERS} strangers at port {port}: {load.answered} requests; {used:.0f} descriptors in use"
                )
            load.shift = 3.0
            await until(lambda: receiver.arrivals, "the event", timeout=SLOW)
        assert load.failures == []
        return load.answered

    with ScrapeChecker(stack) as checker:
        answered = asyncio.run(crowd())
        wait_until(lambda: requests_total(stack.metrics()) >= answered, what="every request to be counted")
    assert checker.faults == []
    assert stack.pid("analyzer") == analyzer, stack.run.errors()
    assert stack.stop() == 0
    assert not stack.run.crashed()
