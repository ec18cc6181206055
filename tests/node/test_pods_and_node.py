"""The whole way: driver, kubelet and cgroups of a node, over TLS with a pod's token, to the report of its analyzer."""

from __future__ import annotations

import shutil
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from pilotfish.sidecar.channel import PAGE_FILE
from pilotfish.sidecar.channel import layout as at
from pilotfish.sidecar.channel.page import CounterPage
from pilotfish.sidecar.report.blocks.resources import SourceReason
from pilotfish.sidecar.report.schema import Report, TickStatus
from pilotfish.sidecar.resources.accounts import CPU, GPU, IDLE, MEASURED, SHARED, CostRules
from pilotfish.sidecar.resources.pod.figures import PATH, PodFigures
from pilotfish.sidecar.resources.reporting import resource_report
from pilotfish.sidecar.resources.source import SourceOptions
from pilotfish.sidecar.resources.watch import ResourceWatch
from pilotfish.sidecar.settings.document import Model
from tests.node.kubelets import FakeKubelet, pod
from tests.node.machines import OTHER, SANDBOX, UID, FakeNode, container_id
from tests.node.running import RunningNode, parsed, running, script
from tests.support.nvml.driver import ScriptedDriver
from tests.support.ports import free_port
from tests.support.tls import ONE, trusting
from tests.support.waiting import patient

pytestmark = [pytest.mark.asyncio, pytest.mark.long]

ROUTE = at.AT_SLOTS + at.FIRST_ROUTE * at.SLOT_WORDS
ELSEWHERE = "77777777-0000-4000-8000-777777777777"
INFER = "POST /v2/models/m/infer"


@pytest.fixture(params=[(2, True), (2, False), (1, True)], ids=["v2-systemd", "v2-cgroupfs", "v1-systemd"])
def machine(request: pytest.FixtureRequest, tmp_path: Path) -> FakeNode:
    version, systemd = request.param
    found = FakeNode(tmp_path / "node", version, systemd)
    found.add(UID, "", SANDBOX, (40,))
    found.add(UID, "model", container_id(1), (41,))
    found.add(UID, "pilotfish-analyzer", container_id(2), (43,))
    found.add(OTHER, "model", container_id(3), (42,))
    return found


@pytest_asyncio.fixture
async def node(
    tmp_path: Path, machine: FakeNode, driver: ScriptedDriver, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[RunningNode]:
    kubelet = FakeKubelet([pod("m", {"nvidia.com/gpu": ["GPU-0::0"]}), pod("n", {"nvidia.com/gpu": ["GPU-0::1"]})])
    driver.change({"processes.1": "", "tasks.1": ""})
    async with running(tmp_path, machine, driver, kubelet, monkeypatch) as found:
        yield found


async def figures_of(node: RunningNode, uid: str, name: str) -> PodFigures:
    """Ask until the GPU of the pod has counters."""
    client = node.client(uid, name)
    deadline = time.monotonic() + patient(20)
    try:
        while True:
            reading = await client.ask()
            if reading.figures is not None and reading.figures.gpu is not None and reading.figures.gpu.busy_ns:
                return reading.figures
            assert time.monotonic() < deadline, reading
            await client.close()
            client = node.client(uid, name)
    finally:
        await client.close()


async def get(node: RunningNode, path: str, token: str = "", *, plain: bool = False) -> tuple[int, dict]:
    url = f"http://127.0.0.1:{node.metrics_port}" if plain else node.url
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with (
        aiohttp.ClientSession() as session,
        session.get(url + path, headers=headers, ssl=trusting(ONE[0])) as response,
    ):
        raw = await response.read()
        return response.status, parsed(raw) if "json" in response.content_type else {"text": raw.decode()}


async def test_a_pod_gets_the_figures_of_its_own_containers_and_gpus(node: RunningNode) -> None:
    node.machine.use(container_id(1), cpu=2.0, throttled=0.5, memory=3 << 20, kills=1)
    found = await figures_of(node, UID, "m")
    assert {one.name for one in found.containers} == {"model", "pilotfish-analyzer"}
    model = next(one for one in found.containers if one.name == "model")
    assert (model.cpu_ns, model.throttled_ns, model.memory) == (2 * 10**9, 5 * 10**8, 3 << 20)
    assert (model.oom_kills, model.memory_limit, model.processes) == (1, 1 << 30, 1)
    assert (found.received, found.sent, found.problems) == (100, 50, ())
    assert found.gpu is not None
    assert [one.uuid for one in found.gpu.sample.devices] == ["GPU-0"]
    assert [one.pid for one in found.gpu.sample.processes] == [41, 0]


async def test_two_pods_on_one_gpu_get_the_parts_of_their_processes(node: RunningNode, driver: ScriptedDriver) -> None:
    script(driver, tasks="41:30:5 42:10:2")
    one, other = await figures_of(node, UID, "m"), await figures_of(node, OTHER, "n")
    assert one.gpu is not None
    assert other.gpu is not None
    assert {found.pid for found in one.gpu.processes} == {41}
    assert {found.pid for found in other.gpu.processes} == {42}


@pytest.mark.parametrize(("uid", "audience", "status"), [(UID, "pilotfish", 401), (ELSEWHERE, "pilotfish-node", 404)])
async def test_a_token_for_another_service_or_of_another_node_gets_nothing(
    node: RunningNode, uid: str, audience: str, status: int
) -> None:
    token = node.token(uid, "m", audience).read_text()
    found, body = await get(node, PATH, token)
    assert found == status
    assert set(body) == {"error"}


async def test_the_token_of_a_deleted_pod_gets_nothing_of_a_new_one_with_its_name(node: RunningNode) -> None:
    token = node.token(UID, "m").read_text()
    assert (await get(node, PATH, token))[0] == 200
    for top in node.machine.tops:
        shutil.rmtree(top / node.machine.pod_path(UID))
    node.machine.add(ELSEWHERE, "model", container_id(9), (49,))
    found, body = await get(node, PATH, token)
    assert (found, set(body)) == (404, {"error"})
    assert (await get(node, PATH, node.token(ELSEWHERE, "m").read_text()))[0] == 200


async def test_without_a_token_only_health_and_metrics_are_served(node: RunningNode) -> None:
    assert (await get(node, PATH))[0] == 401
    assert (await get(node, PATH, plain=True))[0] == 403
    assert await get(node, "/healthz", plain=True) == (200, {"alive": True})
    await figures_of(node, UID, "m")
    text = (await get(node, "/metrics", plain=True))[1]["text"]
    for line in (
        'pilotfish_node_devices{resource="nvidia.com/gpu",state="allocated"} 2.0',
        "pilotfish_node_gpus 2.0",
        "pilotfish_node_pods 2.0",
        "pilotfish_node_callers 1.0",
    ):
        assert line in text


async def test_the_analyzer_shares_the_nodes_figures_out_to_routes(node: RunningNode, tmp_path: Path) -> None:
    page = CounterPage.open(tmp_path / PAGE_FILE, now_ns=1)
    page.replace_route(ROUTE, INFER)
    client = node.client(UID)
    state = tmp_path / "state"
    state.mkdir()
    options = SourceOptions(cluster=True)
    watch = ResourceWatch(options, tmp_path, state, lambda: CostRules(model=Model(name="m", version="1")), node=client)
    page.words[at.AT_LOCK] += 1
    page.change_in_flight(ROUTE, 1, time.monotonic_ns())
    page.words[at.AT_LOCK] += 1
    deadline, cpu = time.monotonic() + patient(30), 0.0
    while watch.view.totals.get(SHARED, GPU, "m", "1", INFER) == 0:
        cpu += 0.1
        node.machine.use(container_id(1), cpu=cpu)
        await watch.step()
        assert time.monotonic() < deadline, watch.view
    totals = watch.view.totals
    for resource in (CPU, GPU):
        parts = totals.get(SHARED, resource, "m", "1", INFER) + totals.get(IDLE, resource)
        assert parts == totals.get(MEASURED, resource) > 0
    made = Report(made_at=1.0, started_at=1.0, state="unprofiled", ticks=TickStatus(tick_seconds=60.0))
    report = resource_report(watch.view, made, None)
    assert (report.source.kind, report.source.reason) == ("node", "node")
    assert {one.name for one in report.containers} == {"model", "pilotfish-analyzer"}
    assert [one.uuid for one in report.sharing] == ["GPU-0"]
    await client.close()
    page.close()


async def test_a_node_that_ends_leaves_the_rules_and_the_reason(node: RunningNode, tmp_path: Path) -> None:
    client = node.client(UID)
    now = [0.0]
    client = type(client)(client.peer, clock=lambda: now[0])
    watch = ResourceWatch(SourceOptions(cluster=True), tmp_path, tmp_path, CostRules, node=client)
    await watch.step()
    assert watch.view.source.kind == "node"
    before = watch.view.totals.get(MEASURED, CPU)
    await node.end()
    now[0] = 5.0
    await watch.step()
    assert watch.view.source.kind == "node"  # one failure is not yet the end
    now[0] = 20.0
    await watch.step()
    assert (watch.view.source.kind, watch.view.source.reason) == ("rules", SourceReason.NODE_UNREACHABLE.value)
    assert "--node" in watch.view.source.text
    assert watch.view.model is None
    assert watch.view.totals.get(MEASURED, CPU) == before
    await client.close()


async def test_a_port_without_a_node_is_named(tmp_path: Path, node: RunningNode) -> None:
    node.port = free_port()
    client = node.client(UID)
    reading = await client.ask()
    assert (reading.figures, reading.reason) == (None, SourceReason.NODE_UNREACHABLE)
    await client.close()
