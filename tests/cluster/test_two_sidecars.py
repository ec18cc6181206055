"""The pod of docs/examples/kubernetes/two-sidecars.yaml on a node, and what happens to its analyzer."""

from __future__ import annotations

import json
import os
import signal
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.load import Load, load
from tests.cluster.model import EXAMPLE, NAME, VOLUME, install, serve
from tests.e2e.manifests import documents
from tests.support.node.images import PILOTFISH
from tests.support.node.node import Node
from tests.support.node.pods import children_of, first_process, memory_limit, pods, statuses, watch
from tests.support.processes import is_running, stop
from tests.support.waiting import patient, wait_until

pytestmark = pytest.mark.node

MANIFEST = EXAMPLE.parent / "kubernetes" / "two-sidecars.yaml"
REPLICAS = 2
KILLS = 20
MIB = 1024 * 1024


@pytest.fixture
def loans(cluster: Node, namespace: str, tmp_path: Path) -> str:
    """The two pods of the example, ready; the value is their namespace."""
    install(cluster, namespace, tmp_path)
    service, deployment = documents(MANIFEST)
    spec = deployment["spec"]["template"]["spec"]
    for container in spec["initContainers"]:
        container["image"] = PILOTFISH.name
    serve(spec["containers"][0])
    spec["volumes"].append(VOLUME)
    for item in (service, deployment):
        item["metadata"]["namespace"] = namespace
    cluster.plane.apply(service, deployment)
    cluster.plane.kubectl("rollout", "status", "--namespace", namespace, f"deployment/{NAME}", "--timeout=55s")
    return namespace


@contextmanager
def undisturbed(cluster: Node, namespace: str) -> Iterator[Load]:
    """Assert that in the block no request fails, both endpoints stay ready, and the model does not restart."""
    endpoints = watch(cluster.plane, namespace, NAME)
    wait_until(lambda: list(endpoints.ready()), timeout=30, what="the endpoints")
    with load(cluster, namespace, NAME) as clients:
        yield clients
        clients.more()
    assert clients.result.failed == 0, clients.result
    assert set(endpoints.ready()) == {REPLICAS}
    assert not any(restarts(cluster, namespace, name) for name in ("model", "proxy"))


def restarts(cluster: Node, namespace: str, container: str) -> int:
    """Return how often a container was started again, in all pods."""
    return sum(statuses(pod)[container]["restartCount"] for pod in pods(cluster.plane, namespace, NAME))


def supervisors(cluster: Node, namespace: str) -> list[int]:
    """Return the first process of each analyzer container; its child is the analyzer process."""
    return [first_process(pod, "analyzer") for pod in pods(cluster.plane, namespace, NAME)]


def analyzer(supervisor: int) -> int:
    """Wait for the analyzer process of a supervisor, and return its pid."""
    (pid,) = wait_until(lambda: children_of(supervisor), timeout=60, what="an analyzer process")
    return pid


def test_analyzers_that_are_killed_twenty_times(cluster: Node, loans: str) -> None:
    parents = supervisors(cluster, loans)
    with undisturbed(cluster, loans):
        for number in range(KILLS):
            pid = analyzer(parents[number % REPLICAS])
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda pid=pid: not is_running(pid), what="the process to end")  # type: ignore[misc]
        for parent in parents:
            analyzer(parent)
    assert restarts(cluster, loans, "analyzer") == 0


def test_analyzers_that_are_stopped(cluster: Node, loans: str) -> None:
    stopped = [pid for parent in supervisors(cluster, loans) for pid in (parent, analyzer(parent))]
    with undisturbed(cluster, loans) as clients:
        for pid in stopped:
            stop(pid)
        clients.more(500)
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)


def test_analyzers_that_run_out_of_memory(cluster: Node, loans: str) -> None:
    """The kernel ends the analyzer process, and the supervisor starts another one: the container goes on."""
    with undisturbed(cluster, loans):
        for pod in pods(cluster.plane, loans, NAME):
            parent = first_process(pod, "analyzer")
            old = analyzer(parent)
            limit, used = memory_limit(parent)
            before = limit.read_text()
            limit.write_text(str(used + MIB))
            wait_until(
                lambda old=old, pod=pod: not is_running(old) or not send_many_rows(pod),  # type: ignore[misc]
                timeout=30,
                what="the kernel to end a process",
            )
            limit.write_text(before)
            analyzer(parent)
    assert restarts(cluster, loans, "analyzer") == 0


def send_many_rows(pod: dict[str, Any]) -> bool:
    """Send one request that the analyzer needs some megabytes for, and return whether it was answered."""
    rows = [{"age": 40, "income": 5000 + number, "city": "Zug"} for number in range(15_000)]
    body = json.dumps({"rows": rows}).encode()
    url, headers = f"http://{pod['status']['podIP']}:8080/score", {"Content-Type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=patient(30)) as response:
        return bool(response.status == 200)


def test_a_profile_that_cannot_be_read(cluster: Node, loans: str) -> None:
    patch = json.dumps({"data": {"profile.json": "{"}})
    with undisturbed(cluster, loans) as clients:
        cluster.plane.kubectl("patch", "--namespace", loans, "configmap", f"{NAME}-pilotfish", "--patch", patch)
        for pod in pods(cluster.plane, loans, NAME):
            log = ("logs", "--namespace", loans, pod["metadata"]["name"], "--container", "analyzer")
            wait_until(
                lambda log=log: "profile.json" in cluster.plane.kubectl(*log),  # type: ignore[misc]
                timeout=150,  # the kubelet takes a minute or two
                what="the analyzer to refuse the profile",
            )
        clients.more(500)
    assert restarts(cluster, loans, "analyzer") == 0
