"""Two replicas in one process, against an API server in the process and pods that sync over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from pilotfish.sidecar.callers.reviews import reviewer
from pilotfish.sidecar.control.manager.app import Controller
from pilotfish.sidecar.control.manager.options import ControllerOptions
from pilotfish.sidecar.control.manager.server.app import ControlServer, ServerOptions
from pilotfish.sidecar.kube.client import Kube
from pilotfish.sidecar.kube.create import create
from pilotfish.sidecar.kube.objects import (
    CONFIG_MAPS,
    CRON_JOBS,
    DEPLOYMENTS,
    JOBS,
    MODEL_MONITORS,
    PODS,
    Resource,
)
from pilotfish.sidecar.kube.patch import merge_patch
from pilotfish.sidecar.kube.read import get, list_all
from pilotfish.sidecar.sync.messages import CONTENT_TYPE, SYNC_PATH, Pod, SyncResponse, decode, encode
from tests.control.manager.worlds import KEY, NOON, TICK, monitor_item, pod_item, profile_map, reference, report_of
from tests.support.apiserver.faults import Fault
from tests.support.apiserver.server import ApiServer
from tests.support.apiserver.tokens import pod_user
from tests.support.waiting import eventually, patient

pytestmark = [pytest.mark.asyncio, pytest.mark.long]
NAMES = ("a", "b")
FIRST = int(NOON // TICK)


@dataclass
class Clock:
    """The time of all replicas, which the test sets."""

    now: float = NOON

    def __call__(self) -> float:
        return self.now


def options(index: int) -> ControllerOptions:
    return ControllerOptions(
        namespace="system",
        kubeconfig=None,
        context="",
        watched="",
        lease="pilotfish-control",
        lease_seconds=3.0,
        pod=f"control-{index}",
        listen="127.0.0.1:0",
        metrics_listen="",
        tls=None,
        service="pilotfish-control",
        webhook_hosts=(),
        kill_switch=Path("/nonexistent/stop"),
    )


@dataclass
class RunningReplica:
    """A controller with its server. `end` is its SIGTERM, `kill` its SIGKILL."""

    controller: Controller
    server: ControlServer
    kube: Kube
    stop: asyncio.Event
    task: asyncio.Task[None]
    lines: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.port}"

    async def end(self) -> None:
        self.stop.set()
        await self.task
        await self._close()

    async def kill(self) -> None:
        """Cut every connection first, so that nothing is stored or released."""
        await self.kube.close()
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        await self.server.stop()

    async def _close(self) -> None:
        await self.server.stop()
        await self.kube.close()


async def start(api: ApiServer, index: int, clock: Clock) -> RunningReplica:
    kube, lines = await api.connect(), list[str]()
    controller = Controller(kube, options(index), lines.append, clock=clock)
    server = ControlServer(controller.backend, reviewer(controller.reviews), ServerOptions(listen="127.0.0.1:0"))
    await server.start()
    stop = asyncio.Event()
    task = asyncio.create_task(controller.run(stop))
    return RunningReplica(controller, server, kube, stop, task, lines)


@dataclass
class Pods:
    """The pods of the target, which resend what is not acknowledged, to whichever replica leads."""

    session: aiohttp.ClientSession
    replicas: list[RunningReplica]
    uids: Mapping[str, str]
    waiting: dict[str, set[int]] = field(default_factory=lambda: {name: set() for name in NAMES})
    drifted_from: int = 1 << 60

    async def sync(self) -> int:
        """Sync every pod once; return how many were answered."""
        answered = 0
        for name, ticks in self.waiting.items():
            request = report_of(name, sorted(ticks), drifted_from=self.drifted_from)
            pod = Pod(namespace="team", name=name, uid=self.uids[name])
            body = encode(msgspec.structs.replace(request, pod=pod))
            for replica in self.replicas:
                answer = await self.post(replica.url, name, body)
                if answer is not None:
                    answered += 1
                    ticks -= {item.tick for item in answer.acknowledged}
                    break
        return answered

    async def post(self, url: str, name: str, body: bytes) -> SyncResponse | None:
        headers = {"Content-Type": CONTENT_TYPE, "Authorization": f"Bearer token-{name}"}
        async with self.session.post(url + SYNC_PATH, data=body, headers=headers) as response:
            raw = await response.read()
            return decode(raw, SyncResponse) if response.status == 200 else None


@asynccontextmanager
async def cluster() -> AsyncIterator[tuple[ApiServer, Kube, Clock]]:
    """An API server with a Deployment, its pods, a profile, a CronJob and a ModelMonitor."""
    async with ApiServer(bookmark=0.5) as api:
        kube = await api.connect()
        selector = {"matchLabels": {"app": "delays"}}
        replicas = [{"metadata": {"name": f"control-{index}", "namespace": "system"}} for index in range(2)]
        objects: list[tuple[Resource, Mapping[str, Any], str]] = [
            (DEPLOYMENTS, {"metadata": {"name": "delays"}, "spec": {"selector": selector}}, ""),
            (CONFIG_MAPS, {"metadata": {"name": "delays-profile"}, **profile_map(reference())}, ""),
            (CRON_JOBS, {"metadata": {"name": "train", "uid": "u"}, "spec": {"jobTemplate": job_template()}}, ""),
            (MODEL_MONITORS, monitor_item(retrain={"job": {"cronJob": "train"}}), ""),
            *((PODS, pod_item(name), "") for name in NAMES),
            *((PODS, replica, "system") for replica in replicas),
        ]
        for resource, body, namespace in objects:
            body["metadata"].pop("resourceVersion", None)
            await create(kube, resource, dict(body), namespace or "team")
        for name in NAMES:
            body = {"status": pod_item(name)["status"]}
            found = await merge_patch(kube, PODS, name, body, "team", subresource="status")
            uid = found["metadata"]["uid"]
            api.tokens[f"token-{name}"] = pod_user("team", "default", name, uid, ("pilotfish",))
        yield api, kube, Clock()
        await kube.close()


def uids_of(api: ApiServer) -> dict[str, str]:
    """The UIDs of the pods, by name."""
    return {name: api.tokens[f"token-{name}"].extra["authentication.kubernetes.io/pod-uid"][0] for name in NAMES}


def job_template() -> dict[str, Any]:
    return {"spec": {"template": {"spec": {"containers": [{"name": "train", "image": "train"}]}}}}


async def jobs(kube: Kube) -> list[str]:
    return [item["metadata"]["name"] for item in (await list_all(kube, JOBS, "team"))[0]]


async def pass_ticks(pods: Pods, clock: Clock, first: int, last: int) -> None:
    """Let ticks pass; each one closes before the next begins."""
    for tick in range(first, last):
        clock.now = (tick + 1) * TICK + 5
        for ticks in pods.waiting.values():
            ticks.add(tick)

        async def closed(tick: int = tick) -> bool:
            await pods.sync()
            found = [one.controller.monitors for one in pods.replicas if one.controller.backend.leading]
            runtimes = [runtime for monitors in found if monitors for runtime in monitors.runtimes.values()]
            status = runtimes[0].core.status("7") if runtimes else None
            return status is not None and (status.closed_through or 0) >= tick

        await until(closed, f"tick {tick} to close")


async def until(predicate: Any, what: str) -> None:
    async with asyncio.timeout(patient(30)):
        while not await predicate():  # noqa: ASYNC110  # it asks a server
            await asyncio.sleep(0.05)


async def test_a_leader_that_is_killed_is_followed_by_one_that_creates_no_second_job() -> None:
    async with cluster() as (api, kube, clock), aiohttp.ClientSession() as session:
        replicas = [await start(api, index, clock) for index in range(2)]
        pods = Pods(session, replicas, uids_of(api), drifted_from=FIRST + 4)
        await eventually(lambda: any(one.controller.backend.leading for one in replicas), what="a leader")
        await pass_ticks(pods, clock, FIRST, FIRST + 8)

        async def created() -> bool:
            return bool(await jobs(kube))

        await until(created, "a Job")
        leader = next(one for one in replicas if one.controller.backend.leading)
        standby = next(one for one in replicas if one is not leader)
        assert await pods.post(standby.url, "a", b"") is None
        await leader.kill()
        pods.replicas = [standby]
        await pass_ticks(pods, clock, FIRST + 8, FIRST + 12)
        assert len(await jobs(kube)) == 1
        label = (await get(kube, PODS, standby.controller.options.pod, "system"))["metadata"].get("labels", {})
        assert label.get("pilotfish.dev/leader") == "true"
        assert not (await get(kube, PODS, leader.controller.options.pod, "system"))["metadata"].get("labels")
        await standby.end()


async def test_nothing_is_decided_while_the_api_server_fails_and_one_job_follows() -> None:
    async with cluster() as (api, kube, clock), aiohttp.ClientSession() as session:
        replica = await start(api, 0, clock)
        pods = Pods(session, [replica], uids_of(api))
        await eventually(lambda: replica.controller.backend.leading, what="a leader")
        await pass_ticks(pods, clock, FIRST, FIRST + 3)
        pods.drifted_from = FIRST + 3
        fault = api.faults.add(Fault(when=lambda call: call.method != "GET", status=503))
        await eventually(lambda: not replica.controller.backend.leading, what="the end of the Lease")
        assert await jobs(kube) == []
        assert not [line for line in replica.lines if '"intent"' in line]
        fault.release()
        api.faults.end()
        await eventually(lambda: replica.controller.backend.leading, timeout=30, what="a leader again")
        await pass_ticks(pods, clock, FIRST + 3, FIRST + 9)

        async def created() -> bool:
            return bool(await jobs(kube))

        await until(created, "a Job")
        assert len(await jobs(kube)) == 1
        await replica.end()


async def test_the_status_of_a_monitor_is_written_once_per_change() -> None:
    async with cluster() as (api, kube, clock), aiohttp.ClientSession() as session:
        replica = await start(api, 0, clock)
        pods = Pods(session, [replica], uids_of(api))
        await eventually(lambda: replica.controller.backend.leading, what="a leader")
        await pass_ticks(pods, clock, FIRST, FIRST + 3)

        async def ready() -> bool:
            found = (await get(kube, MODEL_MONITORS, KEY.name, KEY.namespace)).get("status", {}).get("conditions", [])
            return any(item["type"] == "Ready" and item["reason"] == "Monitoring" for item in found)

        await until(ready, "Ready")
        before = len([call for call in api.calls if call.path.endswith("/status")])
        await pass_ticks(pods, clock, FIRST + 3, FIRST + 6)
        assert len([call for call in api.calls if call.path.endswith("/status")]) <= before + 1
        broken = {"metadata": {"generation": 2}, "spec": {"drift": {"tick": "60 parsecs"}}}
        await merge_patch(kube, MODEL_MONITORS, KEY.name, broken, KEY.namespace)

        async def degraded() -> bool:
            found = (await get(kube, MODEL_MONITORS, KEY.name, KEY.namespace))["status"]["conditions"]
            return any(item["type"] == "Degraded" and item["reason"] == "DocumentInvalid" for item in found)

        await until(degraded, "Degraded")
        await replica.end()
