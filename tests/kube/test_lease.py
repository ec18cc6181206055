"""The elector against both API servers, and against one that fails."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from pilotfish.sidecar.kube import errors
from pilotfish.sidecar.kube.client import Kube
from pilotfish.sidecar.kube.create import create
from pilotfish.sidecar.kube.delete import delete
from pilotfish.sidecar.kube.election import LeaseTiming
from pilotfish.sidecar.kube.lease import Elector
from pilotfish.sidecar.kube.objects import CONFIG_MAPS, LEASES
from pilotfish.sidecar.kube.read import get
from pilotfish.sidecar.kube.watch import LISTED, watch
from tests.kube.conftest import Cluster
from tests.support.apiserver.faults import Call, Fault
from tests.support.apiserver.server import ApiServer
from tests.support.waiting import eventually, patient

pytestmark = pytest.mark.asyncio

NAME = "pilotfish"
QUICK = LeaseTiming(duration=1.0, renew_deadline=0.4, retry=0.05, request=0.1)
STEADY = LeaseTiming(duration=30.0, renew_deadline=20.0, retry=0.05, request=5.0)


class Clock:
    """The time of an elector, which a test can move."""

    def __init__(self) -> None:
        self.offset = 0.0

    def __call__(self) -> float:
        return asyncio.get_running_loop().time() + self.offset


@dataclass
class Process:
    """One elector, and what it reported."""

    elector: Elector
    clock: Clock
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    log: list[str] = field(default_factory=list)
    task: asyncio.Task | None = None

    async def started(self) -> None:
        self.log.append("started")
        try:
            await asyncio.Event().wait()
        finally:
            self.log.append("cancelled")

    async def stopped(self) -> None:
        self.log.append("stopped")

    async def end(self) -> None:
        self.stop.set()
        if self.task:
            await asyncio.wait_for(self.task, patient(20))


@asynccontextmanager
async def competing(
    kube: Kube, namespace: str, *names: str, timing: LeaseTiming = STEADY
) -> AsyncIterator[list[Process]]:
    processes = []
    for name in names:
        clock = Clock()
        processes.append(Process(Elector(kube, namespace, NAME, name, timing=timing, clock=clock), clock))
    for process in processes:
        process.task = asyncio.create_task(process.elector.run(process.stop, process.started, process.stopped))
    try:
        yield processes
    finally:
        for process in processes:
            process.stop.set()
            if process.task:
                with contextlib.suppress(asyncio.CancelledError):
                    await process.task


async def leader_of(processes: list[Process]) -> Process:
    await eventually(lambda: any(process.elector.leading for process in processes))
    return next(process for process in processes if process.elector.leading)


async def leases(cluster: Cluster) -> AsyncGenerator[dict[str, Any], None]:
    """Yield each state of the Lease."""
    async with aclosing(watch(cluster.kube, LEASES, cluster.namespace)) as events:
        async for event in events:
            for found in event.object["items"] if event.type == LISTED else [event.object]:
                if found["metadata"].get("name") == NAME:
                    yield found


def renewals(call: Call) -> bool:
    return call.method == "PUT"


async def test_one_process_leads_and_its_successor_after_it_stops(cluster: Cluster) -> None:
    async with competing(cluster.kube, cluster.namespace, "a", "b") as processes:
        first = await leader_of(processes)
        other = next(process for process in processes if process is not first)
        lease = await get(cluster.kube, LEASES, NAME, cluster.namespace)
        assert lease["spec"]["holderIdentity"] == first.elector.identity
        assert lease["spec"]["leaseDurationSeconds"] == 30
        await first.end()  # a released Lease is taken at once, long before it would expire
        await eventually(lambda: other.elector.leading)
        assert first.log == ["started", "cancelled", "stopped"]
        lease = await get(cluster.kube, LEASES, NAME, cluster.namespace)
        assert lease["spec"]["holderIdentity"] == other.elector.identity
        assert lease["spec"]["leaseTransitions"] >= 1


async def test_the_last_process_releases_the_lease(cluster: Cluster) -> None:
    async with competing(cluster.kube, cluster.namespace, "a") as [process]:
        await eventually(lambda: process.elector.leading)
        before = await get(cluster.kube, LEASES, NAME, cluster.namespace)
        await process.end()
    after = await get(cluster.kube, LEASES, NAME, cluster.namespace)
    assert (after["spec"]["holderIdentity"], after["spec"]["leaseDurationSeconds"]) == ("", 1)
    assert after["spec"]["renewTime"] > before["spec"]["renewTime"]


async def test_a_lease_whose_holder_died_is_taken_when_it_expires(cluster: Cluster) -> None:
    spec = {"holderIdentity": "dead", "leaseDurationSeconds": 1, "leaseTransitions": 3}
    body = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": NAME}, "spec": spec}
    await create(cluster.kube, LEASES, body, cluster.namespace)
    async with competing(cluster.kube, cluster.namespace, "a") as [process]:
        await eventually(lambda: process.elector.holder == "dead")
        process.clock.offset += 1
        await eventually(lambda: process.elector.leading)
    lease = await get(cluster.kube, LEASES, NAME, cluster.namespace)
    assert lease["spec"]["leaseTransitions"] == 4


async def test_a_deleted_lease_is_created_again_by_its_holder(cluster: Cluster) -> None:
    async with competing(cluster.kube, cluster.namespace, "a", "b") as processes:
        first = await leader_of(processes)
        await eventually(lambda: all(process.elector.holder for process in processes))  # each one saw the Lease
        before = await get(cluster.kube, LEASES, NAME, cluster.namespace)
        await delete(cluster.kube, LEASES, NAME, cluster.namespace)

        async with asyncio.timeout(patient(20)), aclosing(leases(cluster)) as found:
            async for lease in found:
                if lease["metadata"]["uid"] != before["metadata"]["uid"]:
                    break
        assert lease["spec"]["holderIdentity"] == first.elector.identity
        assert first.log == ["started"]


async def test_a_leader_whose_renewals_hang_stops_before_its_lease_expires(api: ApiServer, kube: Kube) -> None:
    async with competing(kube, "default", "a", timing=QUICK) as [process]:
        await eventually(lambda: process.elector.leading)
        api.faults.add(Fault(when=renewals, hang="before"))
        await eventually(lambda: process.log[-2:] == ["cancelled", "stopped"])
        with pytest.raises(errors.NotLeaderError):
            process.elector.check()
        api.faults.end()
        await eventually(lambda: process.log[-1] == "started")


async def test_a_lost_answer_to_a_renewal_does_not_cost_the_lead(api: ApiServer, kube: Kube) -> None:
    async with competing(kube, "default", "a") as [process]:
        await eventually(lambda: process.elector.leading)
        fault = api.faults.add(Fault(when=renewals, drop="after", times=3))
        await eventually(lambda: fault.hits == 3)
        api.calls.clear()
        await eventually(lambda: sum(map(renewals, api.calls)) > 2)
        assert process.log == ["started"]


async def test_a_paused_process_does_not_write_when_it_wakes(api: ApiServer, kube: Kube) -> None:
    async with competing(kube, "default", "a") as [process]:
        await eventually(lambda: process.elector.leading)
        kube.guard = process.elector.check
        process.clock.offset += 3600
        api.calls.clear()
        with pytest.raises(errors.NotLeaderError, match="'a' does not lead"):
            await create(kube, CONFIG_MAPS, {"metadata": {"name": "x"}}, "default")
        assert not [call for call in api.calls if call.path == CONFIG_MAPS.path("default")]


async def test_errors_of_the_api_server_are_survived(api: ApiServer, kube: Kube) -> None:
    faults = [
        Fault(status=500, retry_after=0, times=2),
        Fault(status=429, retry_after=0, times=2),
        Fault(raw=b"<html>", times=2),
        Fault(status=403, times=1),
        Fault(drop="before", times=2),
    ]
    for fault in faults:
        api.faults.add(fault)
    async with competing(kube, "default", "a") as [process]:
        await eventually(lambda: process.elector.leading)
        assert [fault.hits for fault in faults] == [fault.times for fault in faults]


async def test_an_error_of_the_work_ends_the_run_and_releases_the_lease(api: ApiServer, kube: Kube) -> None:
    async def fail() -> None:
        raise ValueError("the work failed")

    async def stopped() -> None:
        pass

    elector = Elector(kube, "default", NAME, "a", timing=QUICK)
    with pytest.raises(ValueError, match="the work failed"):
        await elector.run(asyncio.Event(), fail, stopped)
    assert (await get(kube, LEASES, NAME, "default"))["spec"]["holderIdentity"] == ""


async def test_work_that_returns_early_leaves_the_lead(api: ApiServer, kube: Kube) -> None:
    elector, stop, log = Elector(kube, "default", NAME, "a", timing=STEADY), asyncio.Event(), []

    async def note(text: str) -> None:
        log.append(text)

    task = asyncio.create_task(elector.run(stop, lambda: note("started"), lambda: note("stopped")))
    await eventually(lambda: sum(map(renewals, api.calls)) > 3)
    assert (elector.leading, log) == (True, ["started"])
    stop.set()
    await asyncio.wait_for(task, patient(20))
    assert log == ["started", "stopped"]
