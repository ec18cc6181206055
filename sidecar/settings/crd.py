"""The CustomResourceDefinition of ModelMonitor, committed as helm/files/modelmonitors.yaml.

It is generated from the structs of document.py and status.py. structural.py explains how, rules.py has the rules.
"""

from __future__ import annotations

from typing import Any

import yaml

from .document import ModelMonitor, Spec
from .rules import TABLES
from .status import ModelMonitorStatus
from .structural import struct_schema

GROUP, VERSION, PLURAL = "pilotfish.dev", "v1alpha1", "modelmonitors"
HEADER = "# Written by `make generate` from sidecar/settings. `pilotfish schema {}` prints it.\n"

# name, type, JSONPath, description, whether only `-o wide` shows it
_COLUMNS = (
    ("Model", "string", ".spec.model.name", "Monitored model.", False),
    ("Mode", "string", ".spec.mode", "Mode: observe, recommend or act.", False),
    ("Ready", "string", _condition := '.status.conditions[?(@.type=="Ready")].status', "Condition Ready.", False),
    ("Drifted", "string", _condition.replace("Ready", "Drifted"), "Whether an episode is open.", False),
    ("Replicas", "integer", ".status.replicas.current", "Replicas of the target, with scaling.", False),
    ("Desired", "integer", ".status.replicas.desired", "Replicas that scaling wants.", False),
    ("Heard", "integer", ".status.pods.heard", "Pods that have sent counts lately.", False),
    ("Expected", "integer", ".status.pods.expected", "Running pods that have a sidecar.", False),
    ("Retraining", "string", _condition.replace("Ready", "Retraining"), "Whether a retraining is in progress.", True),
    ("ScalingMode", "string", ".spec.scaling.mode", "Mode of scaling, if it differs from the common one.", True),
    ("Scaling", "string", ".status.replicas.reason", "Why the replicas are as they are.", True),
    ("CPU", "string", ".status.resources[0].target.cpu", "Recommended CPU request of a container.", True),
    ("Memory", "string", ".status.resources[0].target.memory", "Recommended memory request of a container.", True),
    ("Resizing", "string", ".status.resources[0].reason", "Why the resources are as they are.", True),
    ("Reason", "string", _condition.replace("].status", "].reason"), "Reason of the condition Ready.", True),
    ("Age", "date", ".metadata.creationTimestamp", "Time since the creation.", False),
)


def crd() -> dict[str, Any]:
    """Return the CustomResourceDefinition."""
    schema = {
        "type": "object",
        "description": (ModelMonitor.__doc__ or "").strip(),
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": {"description": "The settings.", **struct_schema(Spec, TABLES)},
            "status": {"description": "What the controller found.", **struct_schema(ModelMonitorStatus, TABLES)},
        },
    }
    version = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": [_column(*column) for column in _COLUMNS],
        "schema": {"openAPIV3Schema": schema},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{PLURAL}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": "ModelMonitor",
                "listKind": "ModelMonitorList",
                "plural": PLURAL,
                "singular": "modelmonitor",
                "shortNames": ["mm"],
                "categories": ["pilotfish"],
            },
            "versions": [version],
        },
    }


def crd_text() -> str:
    """Return the CustomResourceDefinition as YAML."""
    return HEADER.format("--crd") + to_yaml(crd())


def to_yaml(value: object) -> str:
    """Return `value` as YAML in the order of its keys."""
    return str(yaml.safe_dump(value, sort_keys=False, width=120, allow_unicode=True))


def _column(name: str, kind: str, path: str, description: str, wide: bool) -> dict[str, Any]:
    column = {"name": name, "type": kind, "jsonPath": path, "description": description}
    return {**column, "priority": 1} if wide else column
