"""The leader crashes at every step, and the API server fails at every request: there is one Job for one cause."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from random import Random
from typing import Literal

import pytest

from pilotfish.sidecar.control.configmaps import ConfigMapStore
from pilotfish.sidecar.control.executor import Executor
from pilotfish.sidecar.control.ledger import DELIVERED, IntentLedger
from pilotfish.sidecar.control.loop import ControlLoop
from pilotfish.sidecar.control.retrain.job import JobExecutor
from pilotfish.sidecar.control.retrain.policy import KIND, POLICY
from pilotfish.sidecar.control.situation import Situation
from pilotfish.sidecar.control.store_outbox import StoreOutbox
from pilotfish.sidecar.kube.client import Kube
from pilotfish.sidecar.kube.create import create
from pilotfish.sidecar.kube.objects import CRON_JOBS, JOBS
from pilotfish.sidecar.kube.read import list_all
from pilotfish.sidecar.settings.retraining import JobTarget
from tests.control.cycles import Crash, run_cycle
from tests.control.retraining import MEMBER, OWNER, cron_job
from tests.control.situations import NOON, episode, situation
from tests.support.apiserver.faults import Call, Fault
from tests.support.apiserver.server import ApiServer

MOST_CYCLES = 8


class Crasher:
    """Crashes at the `nth` step; `seen` lists all steps."""

    def __init__(self, nth: int = 1 << 30) -> None:
        self.nth, self.seen = nth, list[str]()

    def __call__(self, name: str) -> None:
        self.seen.append(name)
        if len(self.seen) == self.nth:
            raise Crash


class Process:
    """One life of a leader: it forgets everything but the store."""

    def __init__(self, kube: Kube, start: float, step: Crasher) -> None:
        self.now = start
        self.outbox = StoreOutbox(ConfigMapStore(kube, "pilotfish", {}), "uid-ledger", step=step)
        executors: Mapping[str, Executor] = {KIND: JobExecutor(kube, OWNER, JobTarget(cron_job="train-delays"))}
        self.loop = ControlLoop(
            observe=self.observe,
            policies=(POLICY,),
            executors=executors,
            outbox=self.outbox,
            publish=lambda _status: None,
            clock=lambda: self.now,
            random=Random(1),
            step=step,
        )

    def observe(self, ledger: IntentLedger, now: float) -> Situation:
        found = situation(episode("e1"), episode("e2", at=NOON + 1), now=now, subject=MEMBER)
        return replace(found, ledger=ledger, retrainings=())

    async def run(self, cycles: int = MOST_CYCLES) -> bool:
        """Run cycles 700 s apart, longer than any backoff; return whether the process crashed."""
        for _ in range(cycles):
            self.now += 700
            try:
                await run_cycle(self.loop)
            except Crash:
                return True
        return False


async def jobs(kube: Kube) -> list[str]:
    found, _ = await list_all(kube, JOBS, OWNER.namespace)
    return [job["metadata"]["labels"]["pilotfish.dev/intent"] for job in found]


async def trial(nth_step: int, fault: Fault | None = None) -> list[str]:
    """Run a leader that crashes or meets a fault, then another one; return the steps of the first."""
    async with ApiServer() as api:
        kube = await api.connect()
        await create(kube, CRON_JOBS, cron_job(OWNER.namespace), OWNER.namespace)
        if fault is not None:
            api.faults.add(fault)
        step = Crasher(nth_step)
        crashed = await Process(kube, NOON, step).run(4)
        assert crashed == (nth_step <= len(step.seen))
        second = Process(kube, NOON + 9000, Crasher())
        await second.run()
        made = await jobs(kube)
        assert len(made) == len(set(made)) == 1, "one Job: the second cause is within the cooldown"
        states = {entry.id: entry.state for entry in second.outbox.ledger.entries.values()}
        assert states[made[0]] == DELIVERED
        assert sorted(states.values()) == [DELIVERED, "refused"]
        await kube.close()
        return step.seen


@pytest.mark.long
def test_a_leader_that_crashes_at_any_step_leaves_one_job() -> None:
    steps = asyncio.run(trial(1 << 30))
    assert {"outbox.save", "outbox.saved", "executor.apply", "executor.begun", "executor.applied"} <= set(steps)
    for number in range(1, len(steps) + 1):
        asyncio.run(trial(number))


@pytest.mark.long
@pytest.mark.parametrize("drop", ["before", "after"])
def test_an_api_server_that_fails_at_any_request_gets_one_job(drop: Literal["before", "after"]) -> None:
    for number in range(14):
        requests = iter(range(1 << 30))

        def is_next(_call: Call, requests: object = requests, number: int = number) -> bool:
            return next(requests) == number  # type: ignore[call-overload,no-any-return]  # an iterator

        asyncio.run(trial(1 << 30, Fault(when=is_next, drop=drop, times=1)))
