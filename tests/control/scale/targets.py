"""Objects of the API server for the tests of scaling: Deployments that real clients wrote, and what surrounds them.

`data/deployments.json` has the metadata of Deployments in a Kubernetes 1.36, each named after the client that wrote it
last: kubectl 1.36, Helm 3.22 and 4.3, and kubectl under the field managers of Argo CD and Flux, which call its code.
"""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

from pilotfish.sidecar.control.scale.target import TargetFacts
from pilotfish.sidecar.control.workload.managed_fields import FieldWriter
from tests.control.situations import NOON

DEPLOYMENTS: dict[str, Any] = json.loads(Path(__file__).with_name("data").joinpath("deployments.json").read_text())


def written_by(client: str) -> dict[str, Any]:
    """Return the Deployment that `client` wrote."""
    found: dict[str, Any] = deepcopy(DEPLOYMENTS[client])
    return found


def deployment(name: str = "delays", replicas: int = 3, **metadata: Any) -> dict[str, Any]:
    """Return a Deployment that nobody else owns, fully rolled out."""
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "default", "uid": "u1", "generation": 1, **metadata},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "model", "image": "model"}]}},
        },
        "status": {"observedGeneration": 1, "replicas": replicas, "updatedReplicas": replicas},
    }


def reference(kind: str = "Deployment", name: str = "delays", api_version: str = "apps/v1") -> dict[str, Any]:
    """Return a reference to an object."""
    return {"apiVersion": api_version, "kind": kind, "name": name}


def autoscaler(target: dict[str, Any], name: str = "delays-hpa", **labels: str) -> dict[str, Any]:
    """Return a HorizontalPodAutoscaler."""
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": name, "labels": labels},
        "spec": {"scaleTargetRef": target, "minReplicas": 1, "maxReplicas": 3},
    }


def scaled_object(target: dict[str, Any], name: str = "delays-so") -> dict[str, Any]:
    """Return a ScaledObject of KEDA."""
    return {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "metadata": {"name": name},
        "spec": {"scaleTargetRef": target, "triggers": []},
    }


def budget(name: str = "delays", *, expected: int, healthy: int, desired: int, **spec: Any) -> dict[str, Any]:
    """Return a PodDisruptionBudget for the pods of `deployment` whose status is current."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": name, "generation": 1},
        "spec": {"selector": {"matchLabels": {"app": "delays"}}, **spec},
        "status": {
            "observedGeneration": 1,
            "expectedPods": expected,
            "currentHealthy": healthy,
            "desiredHealthy": desired,
            "disruptionsAllowed": max(0, healthy - desired),
        },
    }


def facts(
    replicas: int, *managers: str, at: float = NOON, written_at: float | None = None, **given: Any
) -> TargetFacts:
    """Return facts about a target whose replicas `managers` wrote, the latest one first."""
    return TargetFacts(
        kind="Deployment",
        name="delays",
        uid="u1",
        resource_version="7",
        spec_replicas=replicas,
        status_replicas=replicas,
        at=at,
        writers=tuple(FieldWriter(manager, at=written_at) for manager in managers),
        **given,
    )
