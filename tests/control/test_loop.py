"""The loop with a simulated clock: its status, its retries, and its behaviour without a report or an outbox."""

from __future__ import annotations

import asyncio
import errno
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

import pytest

from pilotfish.sidecar.control import loop
from pilotfish.sidecar.control.executor import Done, Outcome
from pilotfish.sidecar.control.file_outbox import FileOutbox
from pilotfish.sidecar.control.intent import Intent
from pilotfish.sidecar.control.ledger import IntentLedger
from pilotfish.sidecar.control.loop import ControlLoop
from pilotfish.sidecar.control.outbox_file import OutboxFile
from pilotfish.sidecar.control.pending import GIVE_UP_SECONDS
from pilotfish.sidecar.control.retrain.policy import KIND, POLICY
from pilotfish.sidecar.control.situation import RECOMMEND, Situation
from pilotfish.sidecar.control.webhook.delivery import DeliveryResult, outcome_of
from pilotfish.sidecar.report.control_status import ControlStatus
from pilotfish.sidecar.system.logfile import LogFile
from tests.control.cycles import run_cycle
from tests.control.situations import HOUR, NOON, OLD_OUTBOX, RULES, episode, situation
from tests.support.waiting import eventually, patient


@dataclass
class World:
    """A control loop whose situation, answers and time are set by a test."""

    folder: Path
    now: float = NOON
    situation: Situation | None = None
    answers: list[DeliveryResult] = field(default_factory=list)
    broken: bool = False
    sent: list[Intent] = field(default_factory=list)
    shown: list[ControlStatus] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.loop = ControlLoop(
            observe=self.observe,
            policies=(POLICY,),
            executors={KIND: self},
            outbox=FileOutbox(OutboxFile(self.folder / "outbox.jsonl")),
            publish=self.shown.append,
            clock=lambda: self.now,
            random=Random(1),
        )

    def observe(self, ledger: IntentLedger, now: float) -> Situation | None:
        if self.broken:
            raise IndexError
        return self.situation and replace(self.situation, ledger=ledger, now=now)

    async def apply(self, intent: Intent, now: float) -> Outcome:
        self.sent.append(intent)
        return outcome_of(self.answers.pop(0), intent.why, now)

    def cycle(self, *, after: float = 1.0) -> ControlStatus:
        self.now += after
        asyncio.run(run_cycle(self.loop))
        return self.shown[-1]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_an_alarm_is_sent_once_and_shown(world: World) -> None:
    world.situation = situation(episode())
    world.answers = [DeliveryResult(200)]
    status = world.cycle()
    world.cycle()
    assert len(world.sent) == 1
    assert [(intent.state, intent.episode, intent.attempts) for intent in status.intents] == [("delivered", "e1", 1)]
    assert status.totals == (("retrain", "executed", "drift", 1),)
    assert (status.pending, status.dead, status.problem) == (0, 0, None)


def test_what_waits_for_a_full_disk_is_written_as_soon_as_there_is_room(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no space")

    world.cycle()  # opens the outbox
    world.situation = situation(episode())
    world.answers = [DeliveryResult(200)]
    with monkeypatch.context() as patch:
        patch.setattr(LogFile, "extend", fail)
        assert world.cycle().unsaved > 0
    assert world.cycle().unsaved == 0
    assert (world.folder / "outbox.jsonl").read_text().count("delivered") == 1


def test_failures_are_tried_again_later_and_shown_meanwhile(world: World) -> None:
    world.situation = situation(episode())
    world.answers = [DeliveryResult(500), DeliveryResult(200)]
    status = world.cycle()
    assert (status.pending, status.intents[0].error) == (1, "http_500")
    due = status.intents[0].next_at
    assert due is not None
    assert world.cycle(after=(due - world.now) / 2).pending == 1
    assert len(world.sent) == 1
    assert world.cycle(after=HOUR).pending == 0
    assert world.sent[0].desired == world.sent[1].desired


def test_an_undeliverable_request_is_given_up_and_stays_in_the_status(world: World) -> None:
    world.situation = situation(episode())
    world.answers = [DeliveryResult(None, "connect")] * 100
    while world.cycle(after=GIVE_UP_SECONDS / 20).pending:
        pass
    status = world.cycle()
    assert (status.dead, status.intents[0].state, status.intents[0].error) == (1, "dead", "connect")
    assert status.totals == (("retrain", "failed", "connect", 1),)
    assert len(world.sent) == 21


def test_in_mode_recommend_nothing_is_sent(world: World) -> None:
    world.situation = situation(episode(), mode=RECOMMEND)
    world.cycle()
    status = world.cycle()
    assert world.sent == []
    assert status.totals == (("retrain", "recommended", "mode", 1),)
    assert str(world.loop.outbox.ledger.entries[status.intents[0].id].desired).startswith("{")


def test_an_episode_that_ends_before_its_request_was_sent_supersedes_it(world: World) -> None:
    world.situation = situation(episode())
    world.answers = [DeliveryResult(500)]
    world.cycle()
    world.situation = situation(episode(closed_by="person"))
    status = world.cycle(after=HOUR)
    assert (status.pending, status.totals) == (0, (("retrain", "superseded", "person", 1),))
    assert len(world.sent) == 1


def test_the_cooldown_outlives_a_restart_and_then_ends(world: World) -> None:
    world.situation = situation(episode())
    world.answers = [DeliveryResult(200)]
    world.cycle()
    world.loop.outbox.close()
    again = World(world.folder, now=world.now, answers=[DeliveryResult(200)])
    again.situation = situation(episode("e2"))
    assert again.cycle(after=HOUR).totals[-1] == ("retrain", "refused", "cooldown", 1)
    again.cycle(after=22 * HOUR)
    assert again.sent == []
    again.cycle(after=HOUR)
    assert [intent.key for intent in again.sent] == ["e2"]


@pytest.mark.parametrize("step", [HOUR, 365 * 24 * HOUR], ids=["hour", "year"])
def test_the_cooldown_ends_after_its_length_although_the_clock_was_set_back(world: World, step: float) -> None:
    world.answers = [DeliveryResult(200), DeliveryResult(200)]
    world.situation = situation(episode())
    world.cycle()
    world.situation = situation(episode("e2"))
    world.cycle(after=HOUR)
    world.cycle(after=-step)
    world.cycle(after=23 * HOUR)
    assert [intent.key for intent in world.sent] == ["e1"]
    world.cycle(after=HOUR)
    assert [intent.key for intent in world.sent] == ["e1", "e2"]


def test_an_outbox_of_an_earlier_version_is_continued(world: World) -> None:
    shutil.copy(OLD_OUTBOX, world.folder / "outbox.jsonl")
    world.situation = situation(episode("e1"), episode("e3", at=NOON + 120))
    world.answers = [DeliveryResult(200)]
    world.cycle(after=HOUR)
    assert [(intent.key, intent.id) for intent in world.sent] == [("e3", "retrain-e47ba99fbcd66738fac9d6c7f9b81544")]
    assert str(world.sent[0].desired).startswith('{"specversion":"1.0","id":"retrain-e47ba99fbcd66738')
    world.cycle()
    assert len(world.sent) == 1


def test_nothing_is_decided_while_another_process_has_locked_the_outbox(world: World) -> None:
    holder = OutboxFile(world.folder / "outbox.jsonl")
    holder.open()
    world.situation = situation(episode())
    world.answers = [DeliveryResult(200)]
    assert "another process has locked it" in (world.cycle().problem or "")
    assert world.sent == []
    holder.close()
    assert world.cycle().problem is None
    assert len(world.sent) == 1


def test_nothing_is_decided_without_a_situation(world: World) -> None:
    assert world.cycle() == ControlStatus()


def test_a_failing_cycle_is_shown_and_the_next_one_tries_again(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def failed_twice() -> None:
        monkeypatch.setattr(loop, "INTERVAL", 0.0)
        stop = asyncio.Event()
        world.broken = True
        running = asyncio.create_task(world.loop.run(stop))
        await eventually(lambda: len(world.shown) >= 3)
        stop.set()
        await running

    asyncio.run(failed_twice())
    assert all("the control loop failed: IndexError" in (status.problem or "") for status in world.shown)
    assert len(caplog.records) == 1


@pytest.mark.parametrize("error", [asyncio.CancelledError, BaseException, OverflowError])
def test_an_exception_in_one_delivery_backs_off_and_touches_no_other(
    world: World, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    async def apply(intent: Intent, now: float) -> Outcome:
        world.sent.append(intent)
        if intent.key == "e1":
            raise error
        return Done(intent.why)

    monkeypatch.setattr(world, "apply", apply)
    world.situation = situation(episode("e1"), episode("e2", at=NOON + 1), rules=replace(RULES, cooldown=0.0))
    for _ in range(200):
        status = world.cycle(after=10)
    states = {intent.episode: (intent.state, intent.error) for intent in status.intents}
    assert states == {"e1": ("pending", "executor_error"), "e2": ("delivered", None)}
    assert status.problem is None
    keys = [intent.key for intent in world.sent]
    assert (keys.count("e2"), 8 < keys.count("e1") < 40) == (1, True)


def test_it_ends_at_once_and_releases_the_outbox(world: World) -> None:
    async def stopped() -> None:
        stop = asyncio.Event()
        running = asyncio.create_task(world.loop.run(stop))
        await eventually(lambda: world.shown)
        stop.set()
        await asyncio.wait_for(running, patient(5))

    asyncio.run(stopped())
    OutboxFile(world.folder / "outbox.jsonl").open()
