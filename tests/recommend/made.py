"""Pods, workloads and monitors of a namespace, as the API server has them."""

from __future__ import annotations

from typing import Any

import msgspec

from pilotfish.sidecar.recommend.gather import status_by_container
from pilotfish.sidecar.recommend.workload import MeasuredWorkload
from pilotfish.sidecar.settings.document import TargetRef
from pilotfish.sidecar.settings.load import parse_resource
from tests.support.apiserver.server import ApiServer
from tests.support.apiserver.storage import Kind

MONITORS, PODS = Kind("pilotfish.dev", "v1alpha1", "modelmonitors"), Kind("", "v1", "pods")
DEPLOYMENTS, POD_METRICS = Kind("apps", "v1", "deployments"), Kind("metrics.k8s.io", "v1beta1", "pods")
LIMIT_RANGES, QUOTAS = Kind("", "v1", "limitranges"), Kind("", "v1", "resourcequotas")
TARGET = TargetRef(api_version="apps/v1", kind="Deployment", name="delays")
MODEL = {"requests": {"cpu": "2", "memory": "4Gi"}, "limits": {"cpu": "4", "memory": "4Gi"}}
PROXY = {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "64Mi"}}
LABELS = {"app": "delays"}
STATUS = {
    "container": "model",
    "target": {"cpu": "350m", "memory": "1288490189"},
    "lowerBound": {"cpu": "280m", "memory": "1Gi"},
    "upperBound": {"cpu": "410m", "memory": "1.5Gi"},
    "uncapped": {"cpu": "350m", "memory": "1288490189"},
    "samples": 11520,
    "confidence": 8.0,
    "reason": "Resizing",
}


def pod(number: int, model: dict[str, Any] | None = None, **status: Any) -> dict[str, Any]:
    """Return a running pod of the Deployment `delays`."""
    name = f"delays-7d9f8-abc{number:02d}"
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "namespace": "shop", "name": name, "uid": f"uid-{name}", "labels": LABELS,
            "creationTimestamp": f"2026-01-0{number + 1}T00:00:00Z",
        },
        "spec": {
            "containers": [{"name": "model", "image": "m", "resources": MODEL if model is None else model}],
            "initContainers": [
                {"name": "pilotfish-proxy", "image": "p", "restartPolicy": "Always", "resources": PROXY},
                {"name": "migrate", "image": "p"},
            ],
        },
        "status": {"phase": "Running", **status},
    }  # fmt: skip


def monitor(*resources: dict[str, Any], name: str = "delays", **spec: Any) -> dict[str, Any]:
    """Return a ModelMonitor with `status.resources`."""
    return {
        "apiVersion": "pilotfish.dev/v1alpha1",
        "kind": "ModelMonitor",
        "metadata": {"namespace": "shop", "name": name},
        "spec": {
            "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "delays"},
            "resources": {
                "container": "model",
                "cpu": {"min": "50m", "max": 4},
                "memory": {"min": "64Mi", "max": "8Gi"},
            },
            "prices": {"cpuHour": 0.04, "memoryGiBHour": 0.005, "currency": "EUR"},
            **spec,
        },
        "status": {"resources": list(resources)},
    }


def workload(
    *resources: dict[str, Any],
    pods: int = 3,
    model: dict[str, Any] | None = None,
    monitored: bool = True,
    namespace: str = "shop",
    **spec: Any,
) -> MeasuredWorkload:
    """Return a workload, with its monitor if it is `monitored`; `model` are the resources of the model's container."""
    item = monitor(*resources, **spec)
    found = [pod(number, model) for number in range(pods)]
    if not monitored:
        return MeasuredWorkload(namespace, TARGET, found)
    document = {name: value for name, value in item.items() if name != "status"}
    parsed = parse_resource(msgspec.json.encode(document), "made")
    return MeasuredWorkload(namespace, TARGET, found, parsed, status_by_container(item))


def filled(api: ApiServer, *resources: dict[str, Any], pods: int = 3, **spec: Any) -> ApiServer:
    """Fill an API server with the namespace `shop`: a Deployment, its pods, and a monitor."""
    deployment = {
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"namespace": "shop", "name": "delays"},
        "spec": {"replicas": pods, "selector": {"matchLabels": LABELS}, "template": {}},
        "status": {"replicas": pods},
    }  # fmt: skip
    api.storage.objects[DEPLOYMENTS, "shop", "delays"] = deployment
    api.storage.objects[MONITORS, "shop", "delays"] = monitor(*resources, **spec)
    for number in range(pods):
        item = pod(number)
        api.storage.objects[PODS, "shop", item["metadata"]["name"]] = item
    other = pod(9)
    other["metadata"] |= {"name": "other", "uid": "other", "labels": {"app": "other"}}
    api.storage.objects[PODS, "shop", "other"] = other
    return api


def measured(number: int, cpu: str = "300m", memory: str = "1Gi", at: str = "2026-01-05T10:00:00Z") -> dict[str, Any]:
    """Return the metrics of a pod by metrics.k8s.io."""
    name = pod(number)["metadata"]["name"]
    containers = [
        {"name": "model", "usage": {"cpu": cpu, "memory": memory}},
        {"name": "pilotfish-proxy", "usage": {"cpu": "1500000n", "memory": "20Mi"}},
    ]
    return {
        "metadata": {"namespace": "shop", "name": name, "labels": LABELS},
        "timestamp": at,
        "window": "15s",
        "containers": containers,
    }
