"""`pilotfish control` scales a real Deployment, beside a person and an autoscaler, and across a killed leader."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.control.installed import Installation, install_kind, install_rights, monitor, start_replicas, workload
from tests.e2e.control.signalling import SignallingFleet
from tests.support.cluster import ControlPlane
from tests.support.processes import Children
from tests.support.waiting import wait_until

APP = "delays"  # the chart's example grants the scale of this Deployment
SCALING = {
    "maxReplicas": 6,
    "interval": "5s",
    "manualHold": "15s",
    "signals": [{"type": "concurrency", "target": 10}],
    "smoothing": "0s",
    "behavior": {"scaleDown": {"stabilizationWindowSeconds": 3}},
}
pytestmark = [pytest.mark.real, pytest.mark.timeout(400)]


@dataclass
class Scaled:
    """A namespace with a Deployment that is scaled."""

    plane: ControlPlane
    namespace: str
    installation: Installation
    fleet: SignallingFleet

    def get(self, kind: str, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.plane.kubectl("get", kind, name, "-n", self.namespace, "-o", "json"))
        return found

    @property
    def replicas(self) -> int:
        return int(self.get("deployment", APP)["spec"]["replicas"])

    @property
    def condition(self) -> str:
        conditions = self.get("modelmonitor", APP).get("status", {}).get("conditions", [])
        return next((f"{one['status']}/{one['reason']}" for one in conditions if one["type"] == "Scaling"), "")

    @property
    def shown(self) -> dict[str, Any]:
        found: dict[str, Any] = self.get("modelmonitor", APP)["status"]["replicas"]
        return found

    def wait(self, what: str, condition: Callable[[], object]) -> None:
        try:
            wait_until(condition, timeout=90, what=what)
        except TimeoutError as error:
            state = f"{self.replicas} replicas, {self.condition}, {self.shown}, {self.fleet.problems[-3:]}"
            raise AssertionError(f"{error}: {state}") from error

    def wait_for(self, replicas: int) -> None:
        self.wait(f"{replicas} replicas", lambda: self.replicas == replicas)

    def changes(self) -> list[tuple[int, int]]:
        """The replicas before and after each change that the controllers made."""
        lines = [line for line in self.installation.audit() if line["action"] == "intent" and line["kind"] == "scale"]
        lines.sort(key=lambda line: line["time"])  # of two replicas
        return [(line["observed"], line["desired"]) for line in lines if line["state"] == "delivered"]


@pytest.fixture
def scaled(control_plane: ControlPlane, spawn: Children, tmp_path: Path) -> Iterator[Scaled]:
    install_kind(control_plane)
    system, namespace = control_plane.namespace(), control_plane.namespace()
    kubeconfig = control_plane.account(system, "pilotfish-control")  # with an empty Role, which the next line replaces
    install_rights(control_plane, system, [namespace])
    installation = start_replicas(control_plane, system, kubeconfig, spawn, tmp_path)
    workload(control_plane, namespace, APP)
    urls = [replica.url for replica in installation.replicas]
    found = Scaled(
        control_plane,
        namespace,
        installation,
        SignallingFleet(control_plane, namespace, APP, urls, installation.certificate),
    )
    found.fleet.load = 20.0
    document = monitor(namespace, APP, 60.0, scaling=SCALING, profiles=[])
    del document["spec"]["retrain"]
    control_plane.apply(document)
    found.fleet.start()
    found.wait("the condition Scaling", lambda: found.condition == "True/Scaling")
    yield found
    found.fleet.stop()


def test_a_deployment_follows_its_load_beside_a_person_and_an_autoscaler_and_across_a_killed_leader(
    scaled: Scaled, spawn: Children
) -> None:
    scaled.fleet.load = 50.0
    scaled.wait_for(5)
    scaled.wait("the status", lambda: scaled.shown.get("desired") == scaled.shown["current"] == 5)
    scaled.fleet.load = 18.0
    scaled.wait_for(2)

    # a person
    scaled.plane.kubectl("scale", f"deployment/{APP}", "-n", scaled.namespace, "--replicas=4")
    scaled.wait("the hold", lambda: scaled.condition == "False/ManualChange")
    assert scaled.replicas == 4
    scaled.wait_for(2)

    # the leader is killed, and the other replica continues
    leader = scaled.installation.leader()
    assert leader is not None
    scaled.fleet.load = 40.0
    leader.kill()
    scaled.wait_for(4)
    leader.start(spawn)

    # an autoscaler
    before = scaled.changes()
    scaled.plane.kubectl(
        "autoscale", f"deployment/{APP}", "-n", scaled.namespace, "--min=1", "--max=6", "--cpu=50%", "--name=other"
    )
    scaled.wait("the owner", lambda: scaled.condition == "False/Autoscaler")
    assert scaled.shown["owner"] == "HorizontalPodAutoscaler other"
    scaled.fleet.load = 60.0
    time.sleep(6.0)  # an interval without an effect
    assert scaled.replicas == 4
    assert scaled.changes() == before
    directions = [key for key, _ in groupby(after > old for old, after in before)]
    assert directions == [True, False, True]  # up, down twice with a person in between, up by the next leader
    events = json.loads(scaled.plane.kubectl("get", "events.events.k8s.io", "-n", scaled.namespace, "-o", "json"))
    assert {"AboveTarget", "BelowTarget", "Autoscaler"} <= {event["reason"] for event in events["items"]}
    columns = scaled.plane.kubectl("get", "mm", "-n", scaled.namespace)
    assert "REPLICAS" in columns
