"""Pods that name no monitor, and pods without a sidecar: a real API server, and the rights that the chart renders."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from pilotfish.sidecar.control.manager.bypass import detours, find_pod, list_services
from pilotfish.sidecar.kube.client import Kube
from tests.e2e.control.installed import install_kind, install_rights, monitor, start_replicas, team
from tests.e2e.control.syncing import SyncingFleet, SyncingPod, reference
from tests.support.cluster import ControlPlane
from tests.support.processes import Children
from tests.support.waiting import wait_until

TICK = 1.0
pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]
REFUSED = {"mode": "none", "reason": "host_network", "message": "the pod has hostNetwork: true"}
PORTS = {"mode": "port", "ports": [{"listen": 9800, "upstream": 8080, "names": ["http"]}]}


def condition(plane: ControlPlane, namespace: str, kind: str) -> tuple[str, str]:
    found = json.loads(plane.kubectl("get", "modelmonitor", "delays", "-n", namespace, "-o", "json"))
    items = found.get("status", {}).get("conditions", [])
    return next(
        ((f"{item['status']}/{item['reason']}", item["message"]) for item in items if item["type"] == kind), ("", "")
    )


def annotate(plane: ControlPlane, namespace: str, pod: str, note: dict[str, Any]) -> None:
    plane.kubectl("annotate", "pod", pod, "-n", namespace, f"pilotfish.dev/injection={json.dumps(note)}")


def test_a_monitor_may_come_change_and_go_and_the_status_names_pods_without_a_sidecar(
    control_plane: ControlPlane, spawn: Children, tmp_path: Path
) -> None:
    install_kind(control_plane)
    system, namespace = control_plane.namespace(), control_plane.namespace()
    kubeconfig = control_plane.account(system, "pilotfish-control")
    install_rights(control_plane, system, [namespace])
    installation = start_replicas(control_plane, system, kubeconfig, spawn, tmp_path)
    items = team(control_plane, namespace, reference(), tmp_path)
    fleet = SyncingFleet([replica.url for replica in installation.replicas], installation.certificate)
    pods = fleet.add(control_plane, items, "", TICK)
    fleet.start()

    def follows(name: str) -> bool:
        return all(pod.answers and pod.answer.monitor == name for pod in pods)

    def wait_for(kind: str, wanted: str) -> str:
        wait_until(lambda: condition(control_plane, namespace, kind)[0] == wanted, timeout=90, what=f"{kind} {wanted}")
        return condition(control_plane, namespace, kind)[1]

    try:
        wait_until(lambda: follows(""), timeout=60, what="answers without a monitor")
        control_plane.apply(monitor(namespace, "delays", TICK))
        wait_until(lambda: follows("delays"), timeout=60, what="the monitor")
        wait_for("Ready", "True/Monitoring")
        wait_for("Injected", "True/Injected")
        first = items[0]["metadata"]["name"]
        control_plane.kubectl("label", "pod", first, "-n", namespace, "pilotfish.dev/injected-")
        annotate(control_plane, namespace, first, REFUSED)
        text = wait_for("Injected", "False/NotInjected")
        assert text == "1 of 2 pods of the target have no sidecar: HostNetwork: the pod has hostNetwork: true"
        wait_until(lambda: "have no sidecar" in condition(control_plane, namespace, "Ready")[1], timeout=30)
        control_plane.kubectl("label", "pod", first, "-n", namespace, "pilotfish.dev/injected=true")
        wait_for("Injected", "True/Injected")
        elsewhere = {"targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "other"}}
        control_plane.apply(monitor(namespace, "delays", TICK, **elsewhere))
        wait_until(lambda: follows(""), timeout=60, what="pods without a monitor")
        control_plane.apply(monitor(namespace, "delays", TICK))
        wait_until(lambda: follows("delays"), timeout=60, what="the monitor")
        control_plane.kubectl("delete", "modelmonitor", "delays", "-n", namespace)
        wait_until(lambda: follows(""), timeout=60, what="pods without a monitor")
        annotate(control_plane, namespace, items[1]["metadata"]["name"], PORTS)
        assert asyncio.run(bypasses(control_plane, kubeconfig, namespace, pods[1])) == ["by-number"]
    finally:
        fleet.stop()


async def bypasses(plane: ControlPlane, kubeconfig: Path, namespace: str, pod: SyncingPod) -> list[str]:
    """Create a Service that leads to the proxy and one that does not, and return those that the controller finds."""
    for name, target in (("by-name", "http"), ("by-number", 8080)):
        spec = {"selector": {"app": "delays"}, "ports": [{"port": 80, "targetPort": target}]}
        meta = {"name": name, "namespace": namespace}
        await asyncio.to_thread(plane.apply, {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec})
    kube = await Kube.connect(kubeconfig)
    try:
        whole = await find_pod(kube, namespace, pod.pod.name)
        assert whole is not None
        return [found.service for found in detours(await list_services(kube, namespace), whole)]
    finally:
        await kube.close()
