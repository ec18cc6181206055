"""Namespaces that opt in, and what the injector did to their pods."""

from __future__ import annotations

import json
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cluster import loans
from tests.cluster.model import NAME, install
from tests.support.node.node import Node
from tests.support.node.pods import get, pods
from tests.support.waiting import patient, wait_until

LABEL = "pilotfish.dev/inject"


@dataclass(frozen=True)
class Models:
    """The models of a namespace."""

    cluster: Node
    namespace: str

    def kubectl(self, *arguments: str | Path) -> str:
        """Run kubectl in the namespace."""
        return self.cluster.plane.kubectl("--namespace", self.namespace, *arguments)

    def opt(self, *, into: bool) -> None:
        """Label the namespace, or remove the label."""
        self.cluster.plane.kubectl("label", "namespace", self.namespace, f"{LABEL}=all" if into else f"{LABEL}-")

    def deploy(self, folder: Path, deployment: dict[str, Any], target: str | int) -> None:
        """Create the model with a Service that names this target port, and wait until it is ready."""
        install(self.cluster, self.namespace, folder)
        for item in (deployment, service := loans.service(target)):
            item["metadata"]["namespace"] = self.namespace
        self.cluster.plane.apply(service, deployment)
        self.rolled_out()

    def roll(self) -> None:
        """Replace all pods, and wait until the new ones are ready and the old ones are gone."""
        self.kubectl("rollout", "restart", f"deployment/{NAME}")
        self.rolled_out()
        gone = ("get", "pods", "--selector", f"app={NAME}", "--output", "name")
        wait_until(lambda: len(self.kubectl(*gone).split()) == len(self.pods()), timeout=60, what="old pods to end")

    def rolled_out(self) -> None:
        """Wait until the pods of the last change are ready."""
        self.kubectl("rollout", "status", f"deployment/{NAME}", f"--timeout={patient(55):.0f}s")

    def pods(self) -> list[dict[str, Any]]:
        """Return the pods of the model that are not being deleted."""
        return pods(self.cluster.plane, self.namespace, NAME)

    def get(self, *what: str) -> Any:
        """Return what `kubectl get` finds in the namespace."""
        return get(self.cluster.plane, self.namespace, *what)


def injection(pod: dict[str, Any]) -> dict[str, Any]:
    """Return the annotation of the injector."""
    found: dict[str, Any] = json.loads(pod["metadata"]["annotations"].get("pilotfish.dev/injection", "{}"))
    return found


def metric(pod: dict[str, Any], name: str) -> float:
    """Return the sum of a metric's samples, as Prometheus would scrape them from the sidecar."""
    with urllib.request.urlopen(f"http://{pod['status']['podIP']}:9797/metrics", timeout=patient(10)) as response:
        lines = response.read().decode().splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith((f"{name}{{", f"{name} ")))
