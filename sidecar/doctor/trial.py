"""The trial pod: created as a dry run, so that the webhook answers and nothing starts.

It complies with the Pod Security level `restricted`, has the label that asks for injection, and no Service selects it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..inject.names import LABEL, SYSTEM_NAMESPACES
from .snapshot import Json, labels_of, name_of

NAME = "pilotfish-doctor"


def trial_namespace(namespaces: Iterable[Json], release: str, wanted: str) -> str:
    """Return where to create the trial pod: the wanted namespace, else a labelled one, else `default`, else any."""
    usable = [name for item in namespaces if (name := name_of(item)) not in {release, *SYSTEM_NAMESPACES}]
    labelled = [name_of(item) for item in namespaces if LABEL in labels_of(item) and name_of(item) in usable]
    if wanted:
        return wanted
    return next(iter([*labelled, *(name for name in usable if name == "default"), *usable]), "default")


def trial_pod(namespace: str) -> dict[str, Any]:
    """Return the trial pod."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": NAME, "namespace": namespace, "labels": {"app": NAME, LABEL: "true"}},
        "spec": {
            "automountServiceAccountToken": False,
            "containers": [
                {
                    "image": "pilotfish-doctor.invalid/model",
                    "name": "model",
                    "ports": [{"containerPort": 8080, "name": "http"}],
                    "resources": {
                        "limits": {"cpu": "10m", "memory": "16Mi"},
                        "requests": {"cpu": "10m", "memory": "16Mi"},
                    },
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "capabilities": {"drop": ["ALL"]},
                        "readOnlyRootFilesystem": True,
                    },
                }
            ],
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 65532,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
        },
    }
