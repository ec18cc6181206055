"""The input of an injection beside the pod: what the cluster says about its namespace, Services and monitor.

Each type has a function that reads it from an object of the Kubernetes API. The functions accept manifests that the
API server has not completed yet, such as a Service without `targetPort`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Json = Mapping[str, Any]


@dataclass(frozen=True)
class ServicePort:
    """One port of a Service. `target` is the number or name of the container's port."""

    name: str
    port: int
    target: int | str
    protocol: str = "TCP"


@dataclass(frozen=True)
class ClusterService:
    """A Service. An empty `selector` selects no pod. Clients of a `headless` Service may connect to any port."""

    name: str
    selector: Mapping[str, str]
    ports: tuple[ServicePort, ...]
    headless: bool = False


@dataclass(frozen=True)
class InferencePool:
    """An InferencePool of the Gateway API inference extension, which targets ports by number."""

    name: str
    selector: Mapping[str, str]
    ports: tuple[int, ...]


@dataclass(frozen=True)
class MonitorTraffic:
    """What an injection needs of the ModelMonitor whose target selects the pod."""

    name: str
    ports: tuple[str | int, ...] = ()
    interception: str = "auto"


@dataclass(frozen=True)
class PodOwner:
    """The controller of the pod, such as a ReplicaSet or a Job."""

    api_version: str
    kind: str
    name: str


@dataclass(frozen=True)
class Context:
    """What `inject` knows about the surroundings of a pod.

    `services` and `pools` are those of the pod's namespace; the ones that do not select the pod are ignored.
    `limit_ranges` and `quotas` are objects of the Kubernetes API. `release_namespace` is never injected.
    """

    namespace: str
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    services: Sequence[ClusterService] = ()
    pools: Sequence[InferencePool] = ()
    monitor: MonitorTraffic | None = None
    limit_ranges: Sequence[Json] = ()
    quotas: Sequence[Json] = ()
    owner: PodOwner | None = None
    release_namespace: str = "pilotfish-system"


def service_from_object(item: Json) -> ClusterService:
    """Return a Service from its object."""
    spec = item.get("spec") or {}
    return ClusterService(
        name=item["metadata"]["name"],
        selector=dict(spec.get("selector") or {}),
        ports=tuple(map(_service_port, spec.get("ports") or ())),
        headless=spec.get("clusterIP") == "None",
    )


def pool_from_object(item: Json) -> InferencePool:
    """Return an InferencePool from its object, of version v1 or v1alpha2."""
    spec = item.get("spec") or {}
    selector = spec.get("selector") or {}
    labels = selector["matchLabels"] if isinstance(selector.get("matchLabels"), Mapping) else selector
    old = [spec["targetPortNumber"]] if spec.get("targetPortNumber") else []
    return InferencePool(
        name=item["metadata"]["name"],
        selector=dict(labels),
        ports=tuple(int(port) for port in [*(one["number"] for one in spec.get("targetPorts") or ()), *old]),
    )


def monitor_from_object(item: Json) -> MonitorTraffic:
    """Return what an injection needs of a ModelMonitor from its object."""
    traffic = (item.get("spec") or {}).get("traffic") or {}
    ports = tuple(port for port in traffic.get("ports") or () if isinstance(port, str | int))
    return MonitorTraffic(item["metadata"]["name"], ports, str(traffic.get("interception") or "auto"))


def owner_of(pod: Json) -> PodOwner | None:
    """Return the controller of a pod from its metadata, or None."""
    for reference in (pod.get("metadata") or {}).get("ownerReferences") or ():
        if reference.get("controller"):
            return PodOwner(reference.get("apiVersion", ""), reference.get("kind", ""), reference.get("name", ""))
    return None


def _service_port(item: Json) -> ServicePort:
    target = item.get("targetPort") or item["port"]
    if isinstance(target, str) and target.isdecimal():
        target = int(target)
    return ServicePort(str(item.get("name") or ""), int(item["port"]), target, str(item.get("protocol") or "TCP"))
