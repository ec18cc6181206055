"""The mirrored kinds, and what is kept of an object of each: only what an injection reads.

A Service takes 1 kB in this form, a ReplicaSet 0.7 kB. `KINDS` is the table.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ...kube.objects import (
    DEPLOYMENTS,
    INFERENCE_POOLS,
    INFERENCE_POOLS_ALPHA,
    LIMIT_RANGES,
    MODEL_MONITORS,
    NAMESPACES,
    REPLICA_SETS,
    RESOURCE_QUOTAS,
    SERVICES,
    STATEFUL_SETS,
    Resource,
)
from ..context import MonitorTraffic, monitor_from_object, pool_from_object, service_from_object
from ..sizing import PodSizing, sizing_of
from .owners import controller_of

_LOG = logging.getLogger("pilotfish.injector")
Item = dict[str, Any]

PARSED = "parsed"  # the key of a mirrored object that has what was read from it; None if it cannot be read
_IDENTITY = ("name", "namespace", "resourceVersion", "uid")
_MALFORMED = (AttributeError, KeyError, TypeError, ValueError)  # the schema of an extension may be weak
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


@dataclass(frozen=True, slots=True)
class NamespaceLabels:
    """Labels and annotations of a namespace, and whether it is being deleted."""

    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    ending: bool = False


@dataclass(frozen=True, slots=True)
class MonitorTarget:
    """A ModelMonitor: `place` is group, kind and name of its target; the least `order` is the oldest one.

    `sizing` is what its new pods get, None if it does not resize pods.
    """

    place: tuple[str, str, str]
    order: tuple[str, str]
    traffic: MonitorTraffic
    sizing: PodSizing | None = None


def _namespace(item: Item) -> NamespaceLabels:
    metadata = item["metadata"]
    annotations = {key: value for key, value in (metadata.get("annotations") or {}).items() if key != _LAST_APPLIED}
    return NamespaceLabels(metadata.get("labels") or {}, annotations, bool(metadata.get("deletionTimestamp")))


def _monitor(item: Item) -> MonitorTarget:
    target, metadata = item["spec"]["targetRef"], item["metadata"]
    place = (str(target["apiVersion"]).rpartition("/")[0], str(target["kind"]), str(target["name"]))
    order = (str(metadata.get("creationTimestamp", "")), str(metadata["name"]))
    return MonitorTarget(place, order, monitor_from_object(item), _sizing(item))


def _sizing(item: Item) -> PodSizing | None:
    """Return the resources of new pods; None too if they cannot be read, since the traffic is intercepted anyway."""
    try:
        return sizing_of(item)
    except _MALFORMED as error:
        metadata = item["metadata"]
        _report("the resources of modelmonitors", metadata["namespace"], metadata["name"], type(error).__name__)
        return None


def _bounds(item: Item) -> Item:
    """Return a LimitRange or ResourceQuota."""
    return {
        "metadata": {"name": item["metadata"]["name"]},
        "spec": item.get("spec") or {},
        "status": item.get("status") or {},
    }


KINDS: Mapping[Resource, Callable[[Item], object]] = {
    DEPLOYMENTS: controller_of,
    INFERENCE_POOLS: pool_from_object,
    INFERENCE_POOLS_ALPHA: pool_from_object,
    LIMIT_RANGES: _bounds,
    MODEL_MONITORS: _monitor,
    NAMESPACES: _namespace,
    REPLICA_SETS: controller_of,
    RESOURCE_QUOTAS: _bounds,
    SERVICES: service_from_object,
    STATEFUL_SETS: controller_of,
}


def trim(resource: Resource) -> Callable[[Item], Item]:
    """Return the function that reduces an object of a kind to its identity and what was read from it."""
    parse = KINDS[resource]

    def reduce(item: Item) -> Item:
        metadata = item["metadata"]
        try:
            parsed = parse(item)
        except _MALFORMED as error:
            parsed = None
            _report(resource.plural, metadata.get("namespace", ""), metadata["name"], type(error).__name__)
        return {"metadata": {name: metadata[name] for name in _IDENTITY if name in metadata}, PARSED: parsed}

    return reduce


@lru_cache(maxsize=1024)
def _report(plural: str, namespace: str, name: str, error: str) -> None:
    """Log once that an object is not taken into account."""
    _LOG.warning("%s %s/%s cannot be read (%s), so new pods are injected without it", plural, namespace, name, error)


def trim_definition(item: Item) -> Item:
    """Reduce a CustomResourceDefinition to the versions that it serves."""
    metadata, versions = item["metadata"], (item.get("spec") or {}).get("versions") or ()
    served = frozenset(version["name"] for version in versions if version.get("served"))
    return {"metadata": {name: metadata[name] for name in _IDENTITY if name in metadata}, PARSED: served}
