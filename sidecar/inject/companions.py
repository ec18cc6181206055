"""Containers beside the model server: forwarders, which send requests on to it, and others that serve no model."""

from __future__ import annotations

from .meshes import MESH_CONTAINERS
from .pod import PodView

# They take the requests of the pod's Services and send them to a port of the model server, on the loopback interface.
_FORWARDERS = {
    "kube-rbac-proxy": "OpenShift AI",
    "oauth-proxy": "OpenShift AI",
    "queue-proxy": "Knative Serving",
    "seldon-container-engine": "Seldon Core 1",
}
_AGENT = "agent"  # of KServe and Seldon Core 2; the name alone is too common
_AGENT_LABELS = ("seldon", "serving.kserve.io")
_OTHERS = frozenset({"cloud-sql-proxy", "daprd", "rclone", "vault-agent"})


def forwarders(pod: PodView) -> tuple[str, ...]:
    """Return the names of the containers that forward requests to the model server."""
    return tuple(pod.name_of(position) for position in range(len(pod.containers)) if _is_forwarder(pod, position))


def is_companion(pod: PodView, position: int) -> bool:
    """Return whether a container certainly is no model server."""
    name = pod.name_of(position)
    return name in MESH_CONTAINERS or name in _OTHERS or _is_forwarder(pod, position)


def _is_forwarder(pod: PodView, position: int) -> bool:
    name = pod.name_of(position)
    if name == _AGENT:
        return any(label.startswith(_AGENT_LABELS) for label in pod.labels)
    return name in _FORWARDERS
