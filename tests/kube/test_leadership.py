"""Real processes compete for one Lease while they are killed, stopped and cut off."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from collections.abc import Awaitable, Callable
from itertools import pairwise
from pathlib import Path

import pytest

from tests.support.apiserver.faults import Fault
from tests.support.apiserver.server import ApiServer
from tests.support.cluster import ControlPlane
from tests.support.processes import Child, Children, stop
from tests.support.waiting import eventually

PROCESSES = 3


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


async def strike_a_real_server(plane: ControlPlane, leader: Child, chance: random.Random) -> None:
    """Disturb the leader, or let the API server hang with its connections open."""
    blow = chance.choice(["kill", "terminate", "stop", "hang"])
    stopped = {"stop": leader.pid, "hang": plane.pid}.get(blow)
    if blow == "kill":
        leader.process.kill()
    elif blow == "terminate":
        leader.process.terminate()
    elif stopped:
        stop(stopped)
    await asyncio.sleep(chance.uniform(0.0, 1.5))
    if stopped:
        os.kill(stopped, signal.SIGCONT)


async def compete(
    spawn: Children, kubeconfig: Path, namespace: str, blows: int, strike_once: Callable[[Child], Awaitable[None]]
) -> None:
    """Let processes compete, strike the leader again and again, and check that no two led at one moment."""

    def start() -> Child:
        name = f"process-{len(spawn.started)}"
        return spawn(sys.executable, "-m", "tests.kube.contender", kubeconfig, namespace, name)

    running = [start() for _ in range(PROCESSES)]
    for _ in range(blows):
        await strike_once(await leader_of(running))
        running = [child if child.running() else start() for child in running]
    await leader_of(running)
    found = reigns(spawn.started)
    assert not [(one, other) for one, other in pairwise(found) if one[1] >= other[0]], "two processes led at a time"
    assert len(found) > blows / 3, "the lead changed hands"
    assert not any(child.crashed() for child in spawn.started)


@pytest.mark.long
@pytest.mark.timeout(180)
@pytest.mark.asyncio
async def test_at_most_one_process_leads_at_any_moment(api: ApiServer, spawn: Children, tmp_path: Path) -> None:
    chance = random.Random(20)
    await compete(spawn, api.kubeconfig(tmp_path), "default", 30, lambda leader: strike(api, leader, chance))


@pytest.mark.real
@pytest.mark.timeout(180)
@pytest.mark.asyncio
async def test_at_most_one_process_leads_with_a_real_api_server(control_plane: ControlPlane, spawn: Children) -> None:
    namespace, chance = control_plane.namespace(), random.Random(21)
    rule = {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["get", "create", "update"]}
    kubeconfig = control_plane.account(namespace, "controller", [rule])
    await compete(spawn, kubeconfig, namespace, 12, lambda leader: strike_a_real_server(control_plane, leader, chance))
