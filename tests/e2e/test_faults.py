"""Whatever happens to the analyzer process: no request fails, counters stay true, and no evidence is lost."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from tests.control.receiver import Receiver
from tests.e2e.load import loaded, until
from tests.e2e.stack import Samples, Stack, seen, settled, total
from tests.support.waiting import wait_until

MONOTONE = ("pilotfish_requests_total", "pilotfish_exchanges_total", "pilotfish_exchanges_seen_total", "pilotfish_rows")


class Watcher:
    """Scrapes again and again from a thread of its own; holds each scrape against the identity and the one before."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.scrapes = 0
        self.faults: list[str] = []

    def _watch(self) -> None:
        before: Samples = {}
        while not self._stop.wait(0.05):
            samples = self._stack.metrics()
            if samples:
                self.scrapes += 1
                self._hold(samples, before)
                before = samples

    def _hold(self, samples: Samples, before: Samples) -> None:
        whole = total(samples, "pilotfish_exchanges_seen_total")
        if whole != settled(samples):
            self.faults.append(f"seen {whole}, settled and queued {settled(samples)}")
        if total(samples, "pilotfish_exchanges_queued") < 0:
            self.faults.append("queued is negative")
        for key, value in before.items():
            if key.startswith(MONOTONE) and samples.get(key, 0.0) < value:
                self.faults.append(f"{key} went from {value} to {samples.get(key)}")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


def at_rest(stack: Stack, answered: int) -> bool:
    """Tell whether everything that was answered has been counted, and nothing is on its way."""
    samples = stack.metrics()
    counted = seen(samples) == answered == total(samples, "pilotfish_exchanges_seen_total")
    return counted and total(samples, "pilotfish_exchanges_queued") == 0 and settled(samples) == answered


def expendable(pid: int) -> int:
    """Return how gladly the kernel ends the process `pid` when memory is short."""
    return int(Path(f"/proc/{pid}/oom_score_adj").read_text())


def test_killed_and_stopped_members_cost_no_request_and_no_count(stack: Stack) -> None:
    stack.start()
    proxy = stack.pid("proxy")
    wait_until(lambda: expendable(stack.pid("analyzer")) == 500, what="the kernel to be told whom to end first")
    assert expendable(proxy) == expendable(os.getpid())

    async def chaos(watcher: Watcher) -> int:
        async with loaded(stack.listen) as load:

            async def strike(number: int) -> None:
                looks, begun = watcher.scrapes, load.answered
                await until(lambda: watcher.scrapes > looks + 3, "some scrapes of an analyzer process that counts")
                pid = stack.kill_member(number)
                await until(lambda: load.answered > begun + 200, "traffic without the analyzer process")
                if number == signal.SIGSTOP:
                    os.kill(pid, signal.SIGCONT)

            for number in (signal.SIGKILL, signal.SIGSTOP, signal.SIGKILL):
                await strike(number)
            await until(stack.ready, "the last member")
        assert load.failures == []
        return load.answered

    with Watcher(stack) as watcher:
        answered = asyncio.run(chaos(watcher))
        wait_until(lambda: at_rest(stack, answered), what="every exchange to be accounted for")
    assert watcher.faults == []
    assert stack.pid("proxy") == proxy
    assert stack.stop() == 0


def test_evidence_and_outbox_outlive_the_member(stack: Stack, receiver: Receiver) -> None:
    receiver.script[:] = ["500", "die", "200"]
    stack.start()

    async def drift() -> None:
        async with loaded(stack.listen) as load:
            load.shift = 3.0
            await until(stack.episodes, "an alarm")
            (before,) = stack.episodes()
            stack.kill_member()
            await until(lambda: receiver.arrivals[2:], "the third attempt")
            await until(stack.ready, "the analyzer process")
            after = stack.episodes()
            assert [episode["id"] for episode in after] == [before["id"]]
            assert after[0]["opened_tick"] == before["opened_tick"]
        assert load.failures == []

    asyncio.run(drift())
    stack.kill_member()
    wait_until(
        lambda: total(stack.metrics(), "pilotfish_intents_total", outcome="executed") == 1, what="the delivery shown"
    )
    assert len(receiver.ids) == 1
    assert all(arrival.signed for arrival in receiver.arrivals)
    assert [arrival.answer for arrival in receiver.arrivals].count("200") == 1
    assert stack.stop() == 0


@contextmanager
def full_disk(pid: int) -> Iterator[None]:
    """Let no file of the process `pid` grow beyond 10 bytes while the block runs."""
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE, (10, resource.RLIM_INFINITY))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_shown_and_changes_nothing_else(stack: Stack, receiver: Receiver) -> None:
    stack.start()
    wait_until(stack.ready)

    async def drift() -> int:
        async with loaded(stack.listen) as load:
            load.shift = 3.0
            await until(lambda: receiver.arrivals, "the webhook")
            await until(
                lambda: total(stack.metrics(), "pilotfish_outbox_unsaved") > 0, "the unsaved outbox to be shown"
            )
        assert load.failures == []
        return load.answered

    with full_disk(stack.pid("analyzer")):
        answered = asyncio.run(drift())
        wait_until(lambda: at_rest(stack, answered))
        assert total(stack.metrics(), "pilotfish_checkpoint_failures_total") > 0
    wait_until(lambda: total(stack.metrics(), "pilotfish_outbox_unsaved") == 0, what="the outbox on disk")
    stack.kill_member()
    wait_until(lambda: total(stack.metrics(), "pilotfish_intents_total", outcome="executed") == 1)
    assert len(receiver.arrivals) == 1
    assert stack.stop() == 0
