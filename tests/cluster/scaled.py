"""A model on the node that Pilotfish scales, and what a test sees of it and does to it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.injected import Models
from tests.cluster.model import EXAMPLE, NAME
from tests.cluster.release import SYSTEM
from tests.support.cluster import ControlPlane
from tests.support.node.node import Node
from tests.support.node.pods import get, processes
from tests.support.processes import Child, stop
from tests.support.waiting import wait_until

Manifest = dict[str, Any]
LEADER = "pilotfish.dev/leader=true"
MOST = 3
INTERVAL = 5  # seconds, the shortest of a document
SCALING: Manifest = {
    "mode": "act",
    "maxReplicas": MOST,
    "signals": [{"type": "concurrency", "target": "1.5"}],  # the four workers of the client need three replicas
    "behavior": {"scaleDown": {"stabilizationWindowSeconds": 0}},
    "coldStart": {"assumed": "10s"},
    "interval": f"{INTERVAL}s",
    "manualHold": "20s",
    "smoothing": "0s",
}
# On any machine, almost all of the four workers wait for a response.
SLOW = """
import asyncio

@app.middleware("http")
async def wait(request, call_next):
    await asyncio.sleep(0.5 if request.method == "POST" else 0)
    return await call_next(request)
"""
ONE_AT_A_TIME = SCALING["behavior"] | {
    "scaleUp": {"policies": [{"type": "Pods", "value": 1, "periodSeconds": INTERVAL}]}
}


def monitor(**changes: Any) -> Manifest:
    """Return a ModelMonitor that scales the Deployment; `changes` go to `spec.scaling`."""
    example = yaml.safe_load((EXAMPLE / "monitor.yaml").read_text())
    return {
        "apiVersion": "pilotfish.dev/v1alpha1",
        "kind": "ModelMonitor",
        "metadata": {"name": NAME},
        "spec": {
            "mode": "recommend",
            "model": {"name": NAME},
            "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": NAME},
            "traffic": example["spec"]["traffic"],
            "profiles": [{"learn": {"rows": 1_000_000}}],
            "scaling": SCALING | changes,
        },
    }


@dataclass(frozen=True)
class Changes:
    """The changes of a Deployment, from the start of the watch."""

    child: Child

    def replicas(self) -> list[int]:
        """Return the desired replicas: of the beginning, and after each write that changed them."""
        lines = [tuple(map(int, line.split())) for line in self.child.output().splitlines()]
        seen = sorted({line for line in lines if len(line) == 2})  # an error of the watch has neither
        return [number for number, _ in groupby(number for _, number in seen)]


@dataclass(frozen=True)
class Scaled:
    """The Deployment and the ModelMonitor with the name NAME."""

    models: Models

    @property
    def plane(self) -> ControlPlane:
        """The control plane of the node."""
        return self.models.cluster.plane

    def replicas(self) -> int:
        """Return `spec.replicas` of the Deployment."""
        return int(self.models.get("deployment", NAME)["spec"]["replicas"])

    def status(self) -> Manifest:
        """Return `status.replicas` of the monitor."""
        found: Manifest = self.models.get("modelmonitor", NAME).get("status", {}).get("replicas", {})
        return found

    def reason(self) -> str:
        """Return the reason of the condition `Scaling`."""
        conditions = self.models.get("modelmonitor", NAME).get("status", {}).get("conditions", ())
        return next((str(row["reason"]) for row in conditions if row["type"] == "Scaling"), "")

    def reach(self, replicas: int) -> None:
        """Wait until the Deployment has these replicas."""
        wait_until(lambda: self.replicas() == replicas, timeout=120, what=f"{replicas} replicas")

    def say(self, *reasons: str) -> None:
        """Wait until the condition `Scaling` has one of these reasons."""
        wait_until(lambda: self.reason() in reasons, timeout=120, what=f"{reasons}, not {self.reason()}")

    def watch(self) -> Changes:
        """Watch the replicas, and wait until the watch has begun."""
        changes = Changes(
            self.plane.children(
                *(self.plane.programs / "kubectl", "--kubeconfig", self.plane.kubeconfig),
                *("--namespace", self.models.namespace, "get", "deployment", NAME, "--watch"),
                *("--output", 'jsonpath={.metadata.generation} {.spec.replicas}{"\\n"}'),
            )
        )
        wait_until(changes.replicas, timeout=30, what="the watch")
        return changes

    @contextlib.contextmanager
    def applied_again_and_again(self, manifest: Manifest, *options: str) -> Iterator[Child]:
        """Apply the manifest each second within the block, as a GitOps loop does."""
        path = self.plane.folder / f"applied-{self.models.namespace}.json"
        path.write_text(json.dumps(manifest))
        kubectl: tuple[str | Path, ...] = (self.plane.programs / "kubectl", "--kubeconfig", self.plane.kubeconfig)
        loop = self.plane.children(
            *("sh", "-c", 'while "$@"; do sleep 1; done', "loop"),
            *(*kubectl, "--namespace", self.models.namespace, "apply", "-f", path, *options),
        )
        try:
            applied(loop, 1)
            yield loop
            assert loop.running(), loop.errors()
        finally:
            loop.process.kill()

    @contextlib.contextmanager
    def silenced(self) -> Iterator[None]:
        """Stop the analyzers of all pods within the block."""
        pids = [pid for pod in self.models.pods() for pid in processes(pod, "pilotfish-analyzer")]
        for pid in pids:
            stop(pid)
        try:
            yield
        finally:
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)


def applied(loop: Child, times: int) -> None:
    """Wait until the loop has applied its manifest `times` times more."""
    before = loop.output().count("\n")
    wait_until(lambda: loop.output().count("\n") >= before + times, timeout=60, what=f"the loop: {loop.errors()}")


def leader(plane: ControlPlane) -> Manifest:
    """Return the pod of the controller that leads."""

    def found() -> list[Manifest]:
        items: list[Manifest] = get(plane, SYSTEM, "pods", "--selector", LEADER)["items"]
        return [pod for pod in items if "deletionTimestamp" not in pod["metadata"]]

    return wait_until(found, timeout=60, what="a leader")[0]


@contextlib.contextmanager
def without_api_server(cluster: Node) -> Iterator[None]:
    """Stop the process of the API server within the block: connections stay open, and nothing answers."""
    port = f"--secure-port={cluster.plane.url.rpartition(':')[2]}"
    started = {Path(line[0]).name: pid for pid, line in _commands() if port in line}
    stop(started["kube-apiserver"])
    try:
        yield
    finally:
        for pid in started.values():  # nsenter, too: it stops itself with its child
            os.kill(pid, signal.SIGCONT)
        wait_until(lambda: _is_ready(cluster.plane), timeout=60, what="the API server")


def _is_ready(plane: ControlPlane) -> bool:
    try:
        return plane.kubectl("get", "--raw", "/readyz") == "ok"
    except AssertionError:
        return False


def _commands() -> Iterator[tuple[int, list[str]]]:
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            with contextlib.suppress(OSError):  # it has ended
                yield int(path.name), (path / "cmdline").read_bytes().decode(errors="replace").split("\0")
