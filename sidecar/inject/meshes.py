"""Service meshes: whether a pod has their containers, and what that means for the sidecars.

A mesh redirects the traffic of the pod to its own proxy by rules in PREROUTING and OUTPUT. That proxy decrypts a
request and connects to the port that the client asked for; there the proxy of Pilotfish listens. Connections to
127.0.0.1 are exempt from the rules of all three meshes. Modes `port` and `move` therefore work, `redirect` does not:
its rules would compete with those of the mesh.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from .context import Context
from .pod import PodView

MESH_CONTAINERS = {
    "istio-init": "Istio",
    "istio-proxy": "Istio",
    "istio-validation": "Istio",
    "kuma-init": "Kuma",
    "kuma-sidecar": "Kuma",
    "kuma-validation": "Kuma",
    "linkerd-init": "Linkerd",
    "linkerd-network-validator": "Linkerd",
    "linkerd-proxy": "Linkerd",
}
_AMBIENT = "istio.io/dataplane-mode"
_DOMAINS = re.compile(r"(traffic\.sidecar\.istio\.io|config\.linkerd\.io|traffic\.kuma\.io)/.*ports?$", re.IGNORECASE)
_NUMBERS = re.compile(r"[0-9]+")


def mesh_of(pod: PodView, context: Context) -> str:
    """Return the name of the mesh that redirects the pod's traffic, or an empty text."""
    for container in pod.all_containers:
        if container.get("name") in MESH_CONTAINERS:
            return MESH_CONTAINERS[container["name"]]
    ambient = pod.labels.get(_AMBIENT) or context.labels.get(_AMBIENT)
    return "Istio ambient" if ambient == "ambient" else ""


def after_mesh(pod: PodView) -> int:
    """Return the position in `initContainers` behind those of a mesh, which provides the network of the later ones."""
    positions = [index for index, item in enumerate(pod.init_containers) if item.get("name") in MESH_CONTAINERS]
    return max(positions, default=-1) + 1


def port_rules(pod: PodView, numbers: tuple[int, ...]) -> Iterator[str]:
    """Yield the annotations of a mesh that treat the ports `numbers` differently from others.

    A list of included ports does so for each port, also if it lists none of them.
    """
    for key, value in pod.annotations.items():
        if _DOMAINS.fullmatch(key) and "outbound" not in key.lower():
            listed = {int(number) for number in _NUMBERS.findall(value)}
            if listed & set(numbers) or ("include" in key.lower() and value.strip() not in {"", "*"}):
                yield key
