"""The model of these tests as objects of Kubernetes, without a word about Pilotfish."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from tests.cluster.model import NAME, VOLUME, serve

Manifest = dict[str, Any]
RESOURCES = {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}}
RESTRICTED = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "readOnlyRootFilesystem": True}


def deployment(**changes: Any) -> Manifest:
    """Return a Deployment with two pods. The model listens on port 8000, named `http`; `changes` go to it."""
    model: Manifest = {
        "name": "model",
        "ports": [{"name": "http", "containerPort": 8000}],
        "readinessProbe": {"httpGet": {"path": "/openapi.json", "port": "http"}, "periodSeconds": 1},
        "livenessProbe": {"httpGet": {"path": "/openapi.json", "port": "http"}, "timeoutSeconds": 5},
        "lifecycle": {"preStop": {"sleep": {"seconds": 5}}},  # clients arrive until the node has removed the endpoint
        "resources": RESOURCES,
        "securityContext": RESTRICTED,
    }
    serve(model)
    labels = {"app": NAME}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": NAME},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": labels},
            "strategy": {"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
            "template": {
                "metadata": {"labels": labels, "annotations": {}},
                "spec": {
                    "automountServiceAccountToken": False,
                    "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
                    "containers": [model | deepcopy(changes)],
                    "volumes": [VOLUME],
                },
            },
        },
    }


def service(target: str | int) -> Manifest:
    """Return a Service that reaches the model by the name or the number of its port."""
    port = {"name": "http", "port": 80, "targetPort": target}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": NAME},
        "spec": {"selector": {"app": NAME}, "ports": [port]},
    }
