"""Faults of the analyzer process: no request fails, counters stay exact, and no evidence is lost."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.control.receiver import Receiver
from tests.e2e.load import loaded, until
from tests.e2e.scrapes import ScrapeChecker
from tests.e2e.stack import Stack, accounted, requests_total, total
from tests.support.waiting import wait_until


def all_accounted(stack: Stack, answered: int) -> bool:
    """Return whether all answered requests are counted and none is queued."""
    samples = stack.metrics()
    counted = requests_total(samples) == answered == total(samples, "pilotfish_exchanges_seen_total")
    return counted and total(samples, "pilotfish_exchanges_queued") == 0 and accounted(samples) == answered


def oom_score(pid: int) -> int:
    """Return the oom_score_adj of the process `pid`: the kernel kills higher ones first."""
    return int(Path(f"/proc/{pid}/oom_score_adj").read_text())


@pytest.mark.long
def test_a_killed_or_stopped_analyzer_loses_no_request_and_no_count(stack: Stack) -> None:
    stack.start()
    proxy = stack.pid("proxy")
    own = oom_score(os.getpid())
    wait_until(lambda: oom_score(stack.pid("analyzer")) == own + 500, what="the oom_score_adj of the analyzer process")
    assert oom_score(proxy) == own

    async def inject_faults(checker: ScrapeChecker) -> int:
        async with loaded(stack.listen) as load:

            async def inject(number: int) -> None:
                scrapes, answered = checker.scrapes, load.answered
                await until(lambda: checker.scrapes > scrapes + 3, "some scrapes of an analyzer process that counts")
                pid = stack.kill_analyzer(number)
                await until(lambda: load.answered > answered + 200, "traffic without the analyzer process")
                if number == signal.SIGSTOP:
                    os.kill(pid, signal.SIGCONT)

            for number in (signal.SIGKILL, signal.SIGSTOP, signal.SIGKILL):
                await inject(number)
            await until(stack.ready, "the last analyzer process")
        assert load.failures == []
        return load.answered

    with ScrapeChecker(stack) as checker:
        answered = asyncio.run(inject_faults(checker))
        wait_until(lambda: all_accounted(stack, answered), what="every exchange to be accounted for")
    assert checker.faults == []
    assert stack.pid("proxy") == proxy
    assert stack.stop() == 0


@pytest.mark.long
def test_evidence_and_outbox_survive_a_killed_analyzer(stack: Stack, receiver: Receiver) -> None:
    receiver.script[:] = ["500", "die", "200"]
    stack.start()

    async def drift() -> None:
        async with loaded(stack.listen) as load:
            load.shift = 3.0
            await until(stack.episodes, "an alarm")
            (before,) = stack.episodes()
            stack.kill_analyzer()
            await until(lambda: receiver.arrivals[2:], "the third attempt")
            await until(stack.ready, "the analyzer process")
            after = stack.episodes()
            assert [episode["id"] for episode in after] == [before["id"]]
            assert after[0]["opened_tick"] == before["opened_tick"]
        assert load.failures == []

    asyncio.run(drift())
    for _ in "before", "after":
        wait_until(
            lambda: total(stack.metrics(), "pilotfish_intents_total", outcome="executed") == 1,
            what="the delivery shown",
        )
        stack.kill_analyzer()
    assert len(receiver.ids) == 1
    assert all(arrival.signed for arrival in receiver.arrivals)
    assert [arrival.answer for arrival in receiver.arrivals].count("200") == 1
    assert stack.stop() == 0


@contextmanager
def full_disk(pid: int) -> Iterator[None]:
    """Limit the files of the process `pid` to 10 bytes within the block, like a full disk."""
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE, (10, resource.RLIM_INFINITY))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


@pytest.mark.long
def test_a_full_disk_is_reported_and_has_no_other_effect(stack: Stack, receiver: Receiver) -> None:
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
        wait_until(lambda: all_accounted(stack, answered))
        assert total(stack.metrics(), "pilotfish_checkpoint_failures_total") > 0
    wait_until(lambda: total(stack.metrics(), "pilotfish_outbox_unsaved") == 0, what="the outbox on disk")
    stack.kill_analyzer()
    wait_until(lambda: total(stack.metrics(), "pilotfish_intents_total", outcome="executed") == 1)
    assert len(receiver.arrivals) == 1
    assert stack.stop() == 0
