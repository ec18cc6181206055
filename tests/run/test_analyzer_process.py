"""The end of the analyzer process: a running delivery delays it for a moment only and is not lost."""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import cast

import pytest

from pilotfish.sidecar.analyzer.app import App
from pilotfish.sidecar.control.executor import Done, Outcome
from pilotfish.sidecar.control.file_outbox import FileOutbox
from pilotfish.sidecar.control.intent import Intent
from pilotfish.sidecar.control.ledger import PENDING, IntentLedger
from pilotfish.sidecar.control.loop import ControlLoop
from pilotfish.sidecar.control.outbox_file import OutboxFile
from pilotfish.sidecar.control.retrain.policy import KIND, POLICY
from pilotfish.sidecar.control.situation import Situation
from pilotfish.sidecar.errors import PilotfishError, UsageError
from pilotfish.sidecar.run import analyzer_process, child
from pilotfish.sidecar.run.restart_policy import RECYCLE, USAGE
from tests.control.situations import NOON, episode, situation
from tests.support.waiting import patient


class Analyzer:
    """Ends with `status` as soon as the control loop has started to send."""

    def __init__(self, status: int) -> None:
        self.status = status
        self.sending = asyncio.Event()

    async def serve(self, _stop: asyncio.Event) -> int:
        await self.sending.wait()
        return self.status


@pytest.mark.parametrize("status", [0, 75])
def test_a_receiver_without_an_answer_does_not_delay_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setattr(analyzer_process, "FINAL_DELIVERY_SECONDS", 0.05)
    path = tmp_path / "outbox.jsonl"

    def observe(ledger: IntentLedger, now: float) -> Situation:
        return replace(situation(episode(), now=now), ledger=ledger)

    async def run() -> int:
        analyzer = Analyzer(status)

        class Silent:
            async def apply(self, intent: Intent, now: float) -> Outcome:
                analyzer.sending.set()
                await asyncio.sleep(3600)
                return Done(intent.why)

        loop = ControlLoop(
            observe=observe,
            policies=(POLICY,),
            executors={KIND: Silent()},
            outbox=FileOutbox(OutboxFile(path)),
            publish=lambda _status: None,
            clock=lambda: NOON,
            random=Random(1),
        )
        return await analyzer_process.serve_with(loop, cast("App", analyzer), asyncio.Event())

    begun = time.monotonic()
    assert asyncio.run(run()) == status
    assert time.monotonic() - begun < patient(5)
    again = OutboxFile(path)
    again.open()
    assert [entry.state for entry in again.ledger.entries.values()] == [PENDING]
    again.close()


def test_a_callback_without_memory_ends_the_process_for_a_recycle() -> None:
    def fail() -> None:
        raise MemoryError

    async def run() -> bool:
        stop = asyncio.Event()
        found = analyzer_process.stop_without_memory(stop)
        asyncio.get_running_loop().call_soon(fail)
        await asyncio.wait_for(stop.wait(), patient(5))
        return found.is_set()

    assert asyncio.run(run())


def test_a_thread_without_memory_ends_the_process_for_a_recycle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading, "excepthook", lambda _: None)

    def fail() -> None:
        raise MemoryError

    async def run() -> bool:
        stop = asyncio.Event()
        found = analyzer_process.stop_without_memory(stop)
        threading.Thread(target=fail).start()
        await asyncio.wait_for(stop.wait(), patient(5))
        return found.is_set()

    assert asyncio.run(run())


@pytest.mark.parametrize(
    ("outcome", "status"),
    [(0, 0), (RECYCLE, RECYCLE), (MemoryError(), RECYCLE), (UsageError("x"), USAGE), (PilotfishError("x"), 1)],
)
def test_the_exit_status_follows_from_how_the_analyzer_ended(
    monkeypatch: pytest.MonkeyPatch, outcome: int | Exception, status: int
) -> None:
    def serve(_: object) -> int:
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    monkeypatch.setattr(analyzer_process, "serve", serve)
    monkeypatch.setattr(child, "set_up", lambda *_: None)
    monkeypatch.setattr(child, "lower_priority", lambda **_: None)
    assert child.main(["run", "--shared", "x", "--admin", "127.0.0.1:1"]) == status
