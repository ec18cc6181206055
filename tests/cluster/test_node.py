"""The node's Pilotfish beside a real kubelet and container runtime: real tokens, cgroups, throttling and kills.

The last tests install its DaemonSet, and look at it from the pod of a model.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from pilotfish.sidecar.analyzer.node_client import NodeClient, node_peer
from pilotfish.sidecar.kube.client import Kube
from pilotfish.sidecar.node.app import NodeOptions, serve
from pilotfish.sidecar.node.kubelet import KubeletSource
from pilotfish.sidecar.report.blocks.resources import SourceReason
from pilotfish.sidecar.resources.pod.figures import AUDIENCE, PodFigures
from pilotfish.sidecar.serving.tls import TlsFiles
from tests.cluster.injected import Models
from tests.cluster.load import load
from tests.cluster.model import EXAMPLE, NAME, install
from tests.cluster.release import SYSTEM, Release
from tests.cluster.resized import MODEL, Manifest, Resized, actual, cpu_seconds, deployment, end, millicores, monitor
from tests.cluster.resized import start as start_model
from tests.support.metrics_server import start_metrics_server
from tests.support.node.images import PILOTFISH
from tests.support.node.machine import CGROUPS
from tests.support.node.node import NODE, Node
from tests.support.ports import accepts, free_port
from tests.support.tls import ONE
from tests.support.waiting import eventually, patient, wait_until

pytestmark = pytest.mark.node

RIGHTS = ({"apiGroups": ["authentication.k8s.io"], "resources": ["tokenreviews"], "verbs": ["create"]},)
IDLE = "import time; time.sleep(3600)"
BUSY = "while True: pass"
# version 1 counts kills in the cgroup of the container only, which must live on: a child is killed
HUNGRY = """import subprocess, sys, time
time.sleep(5)
subprocess.run([sys.executable, "-c", "x = b'x' * (1 << 30)"])
time.sleep(3600)
"""
LIMIT = 300  # millicores of the model
TIGHT = {"requests": {"cpu": f"{LIMIT}m", "memory": "96Mi"}, "limits": {"cpu": f"{LIMIT}m", "memory": "256Mi"}}
# Requests come in bursts: each needs 75 ms of CPU, and then waits. The limit stops a burst after 30 ms, and the mean
# use stays below the limit.
BURSTS = """
import asyncio, time

@app.middleware("http")
async def burst(request, call_next):
    if request.method == "POST":
        until = time.process_time() + 0.075
        while time.process_time() < until:
            pass
        await asyncio.sleep(1)
    return await call_next(request)
"""


def container(name: str, program: str) -> dict[str, Any]:
    """Return a container with limits that runs a program of Python."""
    return {
        "name": name,
        "image": PILOTFISH.name,
        "imagePullPolicy": "Never",
        "command": ["python3", "-c", program],
        "resources": {"limits": {"cpu": "100m", "memory": "64Mi"}},
    }


def start(cluster: Node, namespace: str, name: str, *containers: dict[str, Any]) -> str:
    """Start a pod, and return its UID when it runs."""
    spec = {"containers": list(containers), "terminationGracePeriodSeconds": 0}
    metadata = {"name": name, "namespace": namespace}
    cluster.plane.apply({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
    read = ("get", "pod", name, "--namespace", namespace, "--output", "json")

    def running() -> str:
        pod = json.loads(cluster.plane.kubectl(*read))
        return str(pod["metadata"]["uid"]) if pod["status"].get("phase") == "Running" else ""

    return wait_until(running, timeout=60, what=f"{namespace}/{name} to run")


def token(cluster: Node, folder: Path, namespace: str, name: str, uid: str) -> Path:
    """Return the file of a real token that is bound to a pod."""
    bound = ("--bound-object-kind=Pod", f"--bound-object-name={name}", f"--bound-object-uid={uid}")
    made = cluster.plane.kubectl(
        "create", "token", "default", "--namespace", namespace, f"--audience={AUDIENCE}", *bound
    )
    path = folder / f"token-{name}"
    path.write_text(made)
    path.chmod(0o600)
    return path


@asynccontextmanager
async def serving(cluster: Node, kubeconfig: Path) -> AsyncIterator[str]:
    """Run the node's Pilotfish, and yield its URL."""
    kube, stop, port = await Kube.connect(kubeconfig), asyncio.Event(), free_port()
    options = NodeOptions(
        name=NODE,
        tls=TlsFiles(*ONE),
        listen=f"127.0.0.1:{port}",
        metrics_listen="",
        pod_resources=cluster.machine.folder / "kubelet/pod-resources/kubelet.sock",
        cgroups=CGROUPS,
    )
    task = asyncio.create_task(serve(kube, options, stop))
    try:
        await eventually(lambda: task.done() or accepts(port), timeout=20)
        yield f"https://127.0.0.1:{port}"
    finally:
        stop.set()
        await task
        await kube.close()


async def asked(client: NodeClient, wanted: Callable[[PodFigures], object], seconds: float = 60.0) -> PodFigures:
    """Ask until the figures are as wanted."""
    deadline = time.monotonic() + patient(seconds)
    while True:
        reading = await client.ask()
        if reading.figures is not None and reading.fresh and wanted(reading.figures):
            return reading.figures
        assert time.monotonic() < deadline, reading
        await asyncio.sleep(0.2)


def test_a_kubelet_answers_which_devices_its_pods_have(cluster: Node) -> None:
    source = KubeletSource(cluster.machine.folder / "kubelet/pod-resources/kubelet.sock")
    asyncio.run(source.refresh())
    assert source.problem is None
    assert source.counts == {("List", "answered"): 1, ("GetAllocatableResources", "answered"): 1}


def test_a_pod_gets_cpu_throttling_and_kills_of_its_own_containers(
    cluster: Node, namespace: str, tmp_path: Path
) -> None:
    uid = start(cluster, namespace, "busy", container("model", BUSY), container("pilotfish-analyzer", IDLE))
    other = start(cluster, namespace, "other", container("model", HUNGRY))
    kubeconfig = cluster.plane.account(namespace, "node", RIGHTS, cluster=True)
    tokens = {name: token(cluster, tmp_path, namespace, name, one) for name, one in (("busy", uid), ("other", other))}

    async def run() -> None:
        async with serving(cluster, kubeconfig) as url:
            client, hungry = (NodeClient(node_peer(url, ONE[0], path)) for path in tokens.values())
            first = await asked(client, lambda found: found.containers)
            began = time.monotonic()
            (model,) = (one for one in first.containers if one.name == "model")
            last = await asked(client, lambda found: any((one.throttled_ns or 0) > 10**9 for one in found.containers))
            elapsed = time.monotonic() - began
            (later,) = (one for one in last.containers if one.id == model.id)
            cores = (later.cpu_ns - model.cpu_ns) / 1e9 / elapsed
            assert 0.02 < cores < 0.15  # the limit is 0.1; the machine may have less
            assert (later.memory_limit, later.processes) == (64 << 20, 1)
            assert 1 << 20 < (later.memory or 0) < 64 << 20
            assert last.received is not None
            killed = await asked(hungry, lambda found: sum(one.oom_kills or 0 for one in found.containers) > 0)
            assert killed.node == NODE
            for one in (client, hungry):
                await one.close()

    asyncio.run(run())


def test_a_token_without_the_audience_is_refused(cluster: Node, namespace: str, tmp_path: Path) -> None:
    start(cluster, namespace, "busy", container("model", IDLE), container("model-2", BUSY))
    kubeconfig = cluster.plane.account(namespace, "node", RIGHTS, cluster=True)
    path = tmp_path / "token"
    path.write_text(cluster.plane.kubectl("create", "token", "default", "--namespace", namespace))
    path.chmod(0o600)

    async def run() -> None:
        async with serving(cluster, kubeconfig) as url:
            client = NodeClient(node_peer(url, ONE[0], path))
            reading = await client.ask()
            assert (reading.figures, reading.reason) == (None, SourceReason.NODE_REFUSED)
            await client.close()

    asyncio.run(run())


@pytest.fixture(scope="module")
def models(cluster: Node, release: Release, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Models]:
    """A namespace whose pods ask the DaemonSet, and in which the controller may resize them."""
    start_metrics_server(cluster)
    found = Models(cluster, cluster.plane.namespace())
    release.install(
        "node.enabled=true",
        f"node.kubeletRootDir={cluster.machine.folder / 'kubelet'}",
        *(f"actNamespaces[0].name={found.namespace}", "actNamespaces[0].resize=true"),
    )
    found.opt(into=True)
    install(cluster, found.namespace, tmp_path_factory.mktemp("model"))
    yield found
    cluster.plane.kubectl("delete", "namespace", found.namespace, "--wait=false")
    release.install()


@pytest.fixture
def begin(models: Models) -> Iterator[Callable[..., Resized]]:
    """Start a model whose requests come in bursts; it is deleted after the test."""

    def create(*items: Manifest) -> Resized:
        return start_model(models, *items, text=(EXAMPLE / "service.py").read_text() + BURSTS)

    yield create
    end(models)


def report(model: Resized) -> Manifest:
    """Return the resources in the report of the only pod. Its analyzer may have just started."""
    (pod,) = model.pods()
    command = ("-c", "pilotfish-analyzer", "--", "pilotfish", "report", "--json")

    def found() -> Manifest:
        try:
            said = model.models.kubectl("exec", pod["metadata"]["name"], *command)
        except AssertionError as error:
            if "Connection refused" in str(error):
                return {}
            raise
        return dict(json.loads(said)["report"]["resources"])

    return wait_until(found, timeout=30, what="the analyzer to answer")


def from_node(model: Resized, at_least: float = 0.0) -> Manifest:
    """Return the row of the model's container, when it has the source `node` and this CPU time."""

    def row() -> Manifest:
        found = report(model)
        rows = {one["name"]: one for one in found["containers"]}
        known = found["source"]["kind"] == "node" and rows.get(MODEL, {}).get("cpu_seconds", 0.0) > at_least
        return rows if known else {}

    rows = wait_until(row, timeout=90, what=f"figures of the node, not {report(model)}")
    assert set(rows) == {MODEL, "pilotfish-proxy", "pilotfish-analyzer"}
    return dict(rows[MODEL])


def run_daemon(model: Resized, *, anywhere: bool) -> None:
    """Let the DaemonSet run on each node, or on none."""
    selector = json.dumps({"spec": {"template": {"spec": {"nodeSelector": {"none": None if anywhere else "none"}}}}})
    model.cluster.plane.kubectl("patch", "daemonset/pilotfish-node", "--namespace", SYSTEM, "--patch", selector)


def test_a_model_gets_its_figures_of_the_daemonset_and_a_reason_instead_of_zeros_without_it(
    begin: Callable[..., Resized], models: Models
) -> None:
    model = begin(deployment(replicas=1, resources=TIGHT))
    (pod,) = model.pods()
    with load(models.cluster, models.namespace, NAME):
        before = cpu_seconds(pod)
        row = from_node(model, at_least=before)
        assert before < row["cpu_seconds"] <= cpu_seconds(pod)
        wait_until(lambda: from_node(model)["throttled_seconds"] > 1, timeout=60, what="the model to be throttled")
        assert row["memory_limit_bytes"] == 256 << 20
        (used,) = (one for one in report(model)["use"] if one["of"] == "model")
        route = next(one for one in report(model)["routes"] if one["route"] == "POST /score")
        assert route["used"]["cpu_seconds"] > 0
        run_daemon(model, anywhere=False)
        try:
            wait_until(
                lambda: report(model)["source"]["reason"] == "node_unreachable",
                timeout=90,
                what=f"the reason, not {report(model)['source']}",
            )
            found = report(model)
            assert (found["source"]["kind"], found["containers"]) == ("rules", [])
            assert not [one for one in found["use"] if one["of"] == "model"], "what is not measured is absent"
            kept = next(one for one in found["routes"] if one["route"] == "POST /score")
            assert kept["used"]["cpu_seconds"] >= route["used"]["cpu_seconds"], "no counter falls"
        finally:
            run_daemon(model, anywhere=True)
        from_node(model, at_least=row["cpu_seconds"])
        (again,) = (one for one in report(model)["use"] if one["of"] == "model")
        assert again["cpu_seconds"] >= used["cpu_seconds"]


def test_a_model_that_is_throttled_below_its_limit_gets_more_cpu(begin: Callable[..., Resized], models: Models) -> None:
    cpu = {"min": f"{LIMIT}m", "max": "600m"}
    model = begin(deployment(replicas=1, resources=TIGHT), monitor(cpu=cpu))
    with load(models.cluster, models.namespace, NAME) as clients:
        from_node(model)
        model.wait(cpu=LIMIT * 14 // 10)
        measured = "throttled the container (as measured)"
        wait_until(lambda: measured in model.status()["message"], timeout=30, what=f"the cause, not {model.status()}")
        clients.more(10)
    assert clients.result.failed == 0, clients.result
    (pod,) = model.pods()
    assert millicores(actual(pod), "limits") == millicores(actual(pod), "requests"), "the ratio stays"
