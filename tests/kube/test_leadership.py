"""Real processes compete for one Lease while they are killed, stopped and cut off."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from tests.support.apiserver.faults import Fault
from tests.support.apiserver.server import ApiServer
from tests.support.processes import Child, Children, stop
from tests.support.waiting import eventually

PROCESSES = 3
BLOWS = 30


def reigns(children: list[Child]) -> list[tuple[float, float, str]]:
    """Return first moment, last moment and leader of each time that a process led, in order."""
    spans: dict[str, tuple[float, float]] = {}
    for child in children:
        for line in child.output().splitlines():
            moment, _, leader = line.partition(" ")
            first, _ = spans.get(leader, (float(moment), 0.0))
            spans[leader] = (first, float(moment))
    return sorted((first, last, leader) for leader, (first, last) in spans.items())


def written(child: Child) -> int:
    return child.stdout.stat().st_size


async def leader_of(children: list[Child]) -> Child:
    """Wait until a process writes that it leads, and return it."""
    before = {child.pid: written(child) for child in children}

    def leading() -> list[Child]:
        return [child for child in children if child.running() and written(child) > before[child.pid]]

    return (await eventually(leading, timeout=30, what="a leader"))[0]


async def strike(api: ApiServer, leader: Child, chance: random.Random) -> None:
    """Disturb the leader or the API server for a while."""
    blow = chance.choice(["kill", "terminate", "stop", "drop", "hang", "restart"])
    when = chance.choice(["before", "after"])
    if blow == "kill":
        leader.process.kill()
    elif blow == "terminate":
        leader.process.terminate()
    elif blow == "stop":
        stop(leader.pid)
    elif blow == "restart":
        await api.stop()
    else:
        api.faults.add(Fault(drop=when) if blow == "drop" else Fault(hang=when))  # type: ignore[arg-type]
    await asyncio.sleep(chance.uniform(0.0, 1.5))  # longer or shorter than the Lease
    if blow == "stop":
        os.kill(leader.pid, signal.SIGCONT)
    if blow == "restart":
        await api.start()
    api.faults.end()


@pytest.mark.long
@pytest.mark.timeout(180)
@pytest.mark.asyncio
async def test_at_most_one_process_leads_at_any_moment(api: ApiServer, spawn: Children, tmp_path: Path) -> None:
    kubeconfig, chance = api.kubeconfig(tmp_path), random.Random(20)

    def start() -> Child:
        name = f"process-{len(spawn.started)}"
        return spawn(sys.executable, "-m", "tests.kube.contender", kubeconfig, "default", name)

    running = [start() for _ in range(PROCESSES)]
    for _ in range(BLOWS):
        await strike(api, await leader_of(running), chance)
        running = [child if child.running() else start() for child in running]
    await leader_of(running)
    found = reigns(spawn.started)
    assert not [(one, other) for one, other in pairwise(found) if one[1] >= other[0]], "two processes led at a time"
    assert len(found) > BLOWS / 3, "the lead changed hands"
    assert not any(child.crashed() for child in spawn.started)
