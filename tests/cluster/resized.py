"""Models on the node whose CPU and memory Pilotfish resizes, and what a test sees of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.cluster import loans
from tests.cluster.injected import Models
from tests.cluster.model import EXAMPLE, NAME
from tests.support.node.machine import CGROUPS
from tests.support.node.node import Node
from tests.support.node.pods import get, pods, statuses
from tests.support.waiting import wait_until

Manifest = dict[str, Any]
MODEL = "model"  # the container
MEBIBYTE = 1024 * 1024
SHARED = 1000  # millicores of the pool `shared`
SMALL: Manifest = {"requests": {"cpu": "100m", "memory": "96Mi"}, "limits": {"cpu": "300m", "memory": "192Mi"}}
# The request of CPU is below the minimum, so a resize follows as soon as the use was observed for long enough.
CPU: Manifest = {"min": "200m", "max": "600m"}
RESIZING: Manifest = {
    "container": MODEL,
    "mode": "act",
    "cpu": CPU,
    "interval": "5s",
    "cooldown": "5s",
    "minHistory": "30s",
}
# Each request burns 10 ms of CPU.
BUSY = """
import time

@app.middleware("http")
async def burn(request, call_next):
    until = time.process_time() + (0.01 if request.method == "POST" else 0)
    while time.process_time() < until:
        pass
    return await call_next(request)
"""
WHOLE = (EXAMPLE / "service.py").read_text() + BUSY


def monitor(name: str = NAME, **changes: Any) -> Manifest:
    """Return a ModelMonitor that resizes the pods of a Deployment; `changes` go to `spec.resources`, None removes."""
    example = yaml.safe_load((EXAMPLE / "monitor.yaml").read_text())
    resources = {key: value for key, value in (RESIZING | changes).items() if value is not None}
    return {
        "apiVersion": "pilotfish.dev/v1alpha1",
        "kind": "ModelMonitor",
        "metadata": {"name": name},
        "spec": {
            "mode": "recommend",
            "model": {"name": NAME},
            "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
            "traffic": example["spec"]["traffic"],
            "profiles": [{"learn": {"rows": 1_000_000}}],
            "resources": resources,
        },
    }


def deployment(name: str = NAME, replicas: int = 2, resources: Manifest = SMALL, **changes: Any) -> Manifest:
    """Return the Deployment of a model with these resources; `changes` go to its container."""
    found = loans.deployment(resources=resources, **changes)
    found["metadata"]["name"] = name
    found["spec"]["replicas"] = replicas
    found["spec"]["selector"]["matchLabels"] = found["spec"]["template"]["metadata"]["labels"] = {"app": name}
    return found


def service(name: str = NAME) -> Manifest:
    """Return the Service of a model."""
    found = loans.service("http")
    found["metadata"]["name"] = name
    found["spec"]["selector"] = {"app": name}
    return found


@dataclass(frozen=True)
class Resized:
    """The Deployment and the ModelMonitor with a name."""

    models: Models
    name: str = NAME

    @property
    def cluster(self) -> Node:
        """The node."""
        return self.models.cluster

    def pods(self) -> list[Manifest]:
        """Return the pods that are not being deleted."""
        return pods(self.cluster.plane, self.models.namespace, self.name)

    def status(self) -> Manifest:
        """Return the only row of `status.resources` of the monitor."""
        rows = self.models.get("modelmonitor", self.name).get("status", {}).get("resources", [{}])
        return dict(rows[0]) if rows else {}

    def condition(self) -> Manifest:
        """Return the condition `Resizing`."""
        rows = self.models.get("modelmonitor", self.name).get("status", {}).get("conditions", ())
        return next((row for row in rows if row["type"] == "Resizing"), {})

    def say(self, *reasons: str, seconds: float = 120) -> str:
        """Wait until the condition `Resizing` has one of these reasons, and return its message."""
        wait_until(
            lambda: self.condition().get("reason") in reasons,
            timeout=seconds,
            what=f"{reasons}, not {self.condition()}",
        )
        return str(self.condition()["message"])

    def wait(self, *, cpu: int, seconds: float = 180) -> None:
        """Wait until the container of each pod has at least these millicores requested, in its cgroup."""

        def reached() -> bool:
            found = self.pods()
            return bool(found) and all(millicores(actual(pod), "requests") >= cpu for pod in found)

        wait_until(reached, timeout=seconds, what=f"{cpu}m: {self.status()}")

    def events(self) -> list[Manifest]:
        """Return the Events of the kubelet about resizes in the namespace, the oldest first."""
        found = get(self.cluster.plane, self.models.namespace, "events")["items"]
        rows = [
            row for row in found if row["reason"].startswith("Resize") and row["source"].get("component") == "kubelet"
        ]
        return sorted(rows, key=lambda row: str(row["lastTimestamp"]))


Begin = Callable[..., Resized]


def start(models: Models, *items: Manifest, name: str = NAME, text: str = WHOLE, wait: bool = True) -> Resized:
    """Create a model, whose pods run `text`, with its Service and the other `items`; wait until its pods are ready."""
    metadata = {"name": f"{NAME}-service", "namespace": models.namespace}
    data = {"service.py": text}
    models.cluster.plane.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})
    for item in (*items, service(name)):
        item["metadata"]["namespace"] = models.namespace
        models.cluster.plane.apply(item)
    if wait:
        models.kubectl("rollout", "status", f"deployment/{name}", "--timeout=150s")
    return Resized(models, name)


def end(models: Models) -> None:
    """Delete the models of the namespace, and wait until their pods are gone."""
    models.kubectl("delete", "modelmonitors,deployments,services", "--all")
    wait_until(lambda: not models.get("pods")["items"], timeout=90, what="the pods to end")


def actual(pod: Manifest, container: str = MODEL) -> Manifest:
    """Return the requests and limits that the node has given to a container."""
    found: Manifest = statuses(pod)[container].get("resources", {})
    return found


def millicores(resources: Manifest, side: str) -> int:
    """Return the CPU of a block of resources."""
    text = str(resources.get(side, {}).get("cpu", "0"))
    return int(text.removesuffix("m")) if text.endswith("m") else round(1000 * float(text))


def quota(pod: Manifest, container: str = MODEL) -> float:
    """Return the millicores that the cgroup of a container may use; infinity without a limit."""
    identifier = statuses(pod)[container]["containerID"].rpartition("/")[2]
    for name in ("cpu.cfs_quota_us", "cpu.max"):
        for path in _files(identifier, name):
            amount, _, period = path.read_text().strip().partition(" ")
            period = period or (path.parent / "cpu.cfs_period_us").read_text()
            return float("inf") if amount in {"max", "-1"} else 1000 * int(amount) / int(period)
    raise AssertionError(f"container {identifier} has no cgroup of CPU")


def cpu_seconds(pod: Manifest, container: str = MODEL) -> float:
    """Return the CPU time that a container has used, by its cgroup."""
    identifier = statuses(pod)[container]["containerID"].rpartition("/")[2]
    for path in _files(identifier, "cpuacct.usage"):
        return int(path.read_text()) / 1e9
    for path in _files(identifier, "cpu.stat"):
        amounts = dict(line.split() for line in path.read_text().splitlines())
        return int(amounts["usage_usec"]) / 1e6
    raise AssertionError(f"container {identifier} has no cgroup of CPU")


def _files(identifier: str, name: str) -> Iterator[Path]:
    for top in (CGROUPS, CGROUPS / "cpu", CGROUPS / "cpuacct"):
        for group in top.glob(f"pilotfish-node-*/**/{identifier}"):
            if (group / name).exists():
                yield group / name


def unchanged(before: Manifest, after: Manifest) -> bool:
    """Return whether no container of a pod has been restarted between two looks, and its QoS class is the same."""
    one, other = (
        (pod["status"]["qosClass"], {name: row["containerID"] for name, row in statuses(pod).items()})
        for pod in (before, after)
    )
    return one == other


def annotation(pod: Manifest) -> Manifest:
    """Return what the injector has set the resources of a new pod to."""
    found: Manifest = json.loads(pod["metadata"]["annotations"].get("pilotfish.dev/resources", "{}"))
    return found
