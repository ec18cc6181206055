"""What surrounds a workload: Services, pools, monitors and namespaces, from the given files and from a cluster.

An object of a file wins over one of the cluster with the same name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ..context import (
    Context,
    MonitorTraffic,
    PodOwner,
    monitor_from_object,
    pool_from_object,
    service_from_object,
)
from ..names import LABEL
from .errors import ManifestError
from .shapes import INFERENCE_POOL, MONITOR, NAMESPACE, SERVICE, problems, without_nulls
from .workloads import ManifestObject

Item = TypeVar("Item")
Place = tuple[str, str]  # namespace and name

POOL_GROUPS = ("inference.networking.k8s.io", "inference.networking.x-k8s.io")
_SHAPES: dict[tuple[str, str], tuple[str, Any]] = {
    ("", "LimitRange"): ("limit_ranges", NAMESPACE),
    ("", "Namespace"): ("namespaces", NAMESPACE),
    ("", "ResourceQuota"): ("quotas", NAMESPACE),
    ("", "Service"): ("services", SERVICE),
    **{(group, "InferencePool"): ("pools", INFERENCE_POOL) for group in POOL_GROUPS},
    ("pilotfish.dev", "ModelMonitor"): ("monitors", MONITOR),
}


@dataclass(frozen=True)
class Surroundings:
    """Objects by namespace and name. A Namespace has the namespace ""."""

    limit_ranges: dict[Place, Mapping[str, Any]] = field(default_factory=dict)
    monitors: dict[Place, Mapping[str, Any]] = field(default_factory=dict)
    namespaces: dict[Place, Mapping[str, Any]] = field(default_factory=dict)
    pools: dict[Place, Mapping[str, Any]] = field(default_factory=dict)
    quotas: dict[Place, Mapping[str, Any]] = field(default_factory=dict)
    services: dict[Place, Mapping[str, Any]] = field(default_factory=dict)

    def add(self, found: ManifestObject, where: str) -> None:
        """Add an object of a file if its kind matters here; raise ManifestError for a malformed one."""
        name, shape = _SHAPES.get((found.group, found.kind), ("", None))
        if not name:
            return
        for path, what in problems(found.value, shape):
            number, line = found.document.number, found.document.line(found.value)
            raise ManifestError(where, f"{found}: {path} {what}", "correct it", document=number, line=line)
        self.put(name, without_nulls(found.value), found.namespace)

    def put(self, name: str, item: Mapping[str, Any], namespace: str) -> None:
        """Add an object to the field `name`, in the place of one with the same name."""
        own = "" if name == "namespaces" else namespace
        getattr(self, name)[own, str((item.get("metadata") or {}).get("name") or "")] = item

    def context(self, found: ManifestObject, release: str) -> Context:
        """Return the context of the pods of a workload, as if its namespace asked for injection."""
        here = found.namespace
        metadata = self.namespaces.get(("", here), {}).get("metadata") or {}
        return Context(
            namespace=here,
            labels={**(metadata.get("labels") or {}), LABEL: "all"},
            annotations=metadata.get("annotations") or {},
            services=_read(self.services, here, service_from_object),
            pools=_read(self.pools, here, pool_from_object),
            monitor=self._monitor(found),
            limit_ranges=[item for (namespace, _), item in self.limit_ranges.items() if namespace == here],
            quotas=[item for (namespace, _), item in self.quotas.items() if namespace == here],
            owner=PodOwner(str(found.value["apiVersion"]), found.kind, found.name) if found.kind != "Pod" else None,
            release_namespace=release,
        )

    def _monitor(self, found: ManifestObject) -> MonitorTraffic | None:
        """Return the monitor whose target is the workload, the first by name."""
        for (namespace, _), item in sorted(self.monitors.items()):
            target = (item.get("spec") or {}).get("targetRef") or {}
            group = str(target.get("apiVersion", "")).rpartition("/")[0]
            same = (group, target.get("kind"), target.get("name")) == (found.group, found.kind, found.name)
            if same and namespace == found.namespace:
                return monitor_from_object(item)
        return None


def _read(
    items: Mapping[Place, Mapping[str, Any]], namespace: str, read: Callable[[Mapping[str, Any]], Item]
) -> list[Item]:
    return [read(item) for (own, _), item in items.items() if own == namespace]
