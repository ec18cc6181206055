"""Who owns the replicas of a target: decided purely, from objects of the API server.

Two writers of one field undo each other's changes. So the controller writes the replicas only if nobody else does, or
if `spec.scaling.takeOwnership` says so. An autoscaler on the target is never overridden, because it writes every 15 s.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...errors import quote_value
from ..reasons import Reason
from ..workload.field_owner import METRIC, OWN_SETTING, FieldOwner, described, labels_of, map_at, name_of
from ..workload.kinds import at_path, kserve_kind
from .appliers import applying_owners

Item = Mapping[str, Any]

RESOURCES = ("cpu", "memory")
KEDA_NAME = "scaledobject.keda.sh/name"  # label of the autoscaler that KEDA creates

# by API group and kind, alphabetically: controllers that write the replicas of what they own at each reconciliation
RECONCILED = {("apps", "Deployment"), ("argoproj.io", "Rollout"), ("leaderworkerset.x-k8s.io", "LeaderWorkerSet")}


def find_owner(
    target: Item, *, autoscalers: Sequence[Item] = (), scaled_objects: Sequence[Item] = ()
) -> FieldOwner | None:
    """Return the strongest owner of the replicas of `target`; None if nobody else owns them.

    `autoscalers` and `scaled_objects` are all HorizontalPodAutoscalers and ScaledObjects of the namespace.
    """
    return next(_owners(target, autoscalers, scaled_objects), None)


def _owners(target: Item, autoscalers: Sequence[Item], scaled_objects: Sequence[Item]) -> Iterator[FieldOwner]:
    """Yield all owners, the strongest one first."""
    for found in scaled_objects:
        if _scales(found, target, "Deployment"):
            yield _scaled_object(name_of(found), target)
    for found in autoscalers:
        if _scales(found, target):
            keda = labels_of(found).get(KEDA_NAME)
            yield _scaled_object(keda, target) if keda else _autoscaler(name_of(found), target)
    for reference in _references(target):
        yield _controller(reference, target)
    yield from applying_owners(target)


def find_resources_owner(target: Item, *, vertical_autoscalers: Sequence[Item] = ()) -> FieldOwner | None:
    """Return the VerticalPodAutoscaler that sets the resources of the pods of `target`; None without one.

    `vertical_autoscalers` are all of the namespace. One with the update mode `Off` sets nothing.
    """
    for found in vertical_autoscalers:
        policy = map_at(found, "spec", "updatePolicy")
        named = any(_refers(found, "targetRef", one) for one in (target, *_made(target)))
        if named and policy.get("updateMode") != "Off":
            return FieldOwner(
                kind="VerticalPodAutoscaler",
                name=name_of(found),
                manager="",
                reason=Reason.VERTICAL_AUTOSCALER,
                text=f"the VerticalPodAutoscaler {quote_value(name_of(found))} sets resources of {described(target)}",
                remedy="delete it or set its updateMode to Off, or remove spec.resources",
                yields=False,
            )
    return None


@dataclass(frozen=True, slots=True)
class ReplicaDriver:
    """An autoscaler that sets replicas by the use of `resource`, of one container or, if that is empty, of all."""

    resource: str
    container: str
    text: str


def find_most_replicas(target: Item, *, autoscalers: Sequence[Item] = (), scaled_objects: Sequence[Item] = ()) -> int:
    """Return the most replicas to which an autoscaler may set `target`; 0 without one.

    `autoscalers` and `scaled_objects` are all HorizontalPodAutoscalers and ScaledObjects of the namespace.
    """
    bounds = [at_path(item, ("spec", "maxReplicas")) for item in autoscalers if _scales(item, target)]
    bounds += [
        at_path(item, ("spec", "maxReplicaCount")) for item in scaled_objects if _scales(item, target, "Deployment")
    ]
    return max((bound for bound in bounds if isinstance(bound, int)), default=0)


def find_replica_drivers(
    target: Item, *, autoscalers: Sequence[Item] = (), scaled_objects: Sequence[Item] = ()
) -> tuple[ReplicaDriver, ...]:
    """Return the autoscalers whose number of replicas of `target` follows its use of CPU or memory.

    `autoscalers` and `scaled_objects` are all HorizontalPodAutoscalers and ScaledObjects of the namespace.
    """
    found = []
    for item in autoscalers:
        if _scales(item, target):
            found += [
                ReplicaDriver(
                    resource,
                    container,
                    f"the HorizontalPodAutoscaler {quote_value(name_of(item))} scales by {resource}",
                )
                for resource, container in _resource_metrics(item)
            ]
    for item in scaled_objects:
        if _scales(item, target, "Deployment"):
            found += [
                ReplicaDriver(
                    resource, container, f"the ScaledObject {quote_value(name_of(item))} of KEDA scales by {resource}"
                )
                for resource, container in _resource_triggers(item)
            ]
    return tuple(found)


def _resource_metrics(autoscaler: Item) -> Iterator[tuple[str, str]]:
    """Yield resource and container of the metrics of an autoscaler; without any metric, it follows the CPU."""
    metrics = at_path(autoscaler, ("spec", "metrics"))
    if not metrics:
        yield "cpu", ""
    for metric in metrics if isinstance(metrics, list) else ():
        for key in ("resource", "containerResource"):
            name = at_path(metric, (key, "name"))
            if name in RESOURCES:
                yield str(name), str(at_path(metric, (key, "container")) or "")


def _resource_triggers(scaled_object: Item) -> Iterator[tuple[str, str]]:
    triggers = at_path(scaled_object, ("spec", "triggers"))
    for trigger in triggers if isinstance(triggers, list) else ():
        kind = at_path(trigger, ("type",))
        if kind in RESOURCES:
            yield str(kind), str(at_path(trigger, ("metadata", "containerName")) or "")


def _autoscaler(name: str, target: Item) -> FieldOwner:
    return FieldOwner(
        kind="HorizontalPodAutoscaler",
        name=name,
        manager="kube-controller-manager",
        reason=Reason.AUTOSCALER,
        text=f"the HorizontalPodAutoscaler {quote_value(name)} scales {described(target)}",
        remedy=f"delete it, or {METRIC} and let it follow pilotfish_desired_replicas; takeOwnership cannot override it",
        yields=False,
    )


def _scaled_object(name: str, target: Item) -> FieldOwner:
    return FieldOwner(
        kind="ScaledObject",
        name=name,
        manager="keda",
        reason=Reason.SCALED_OBJECT,
        text=f"the ScaledObject {quote_value(name)} of KEDA scales {described(target)}",
        remedy=f"delete it, or {METRIC} and give it a trigger of type metrics-api; takeOwnership cannot override it",
        yields=False,
    )


def _controller(reference: Item, target: Item) -> FieldOwner:
    kind, name = str(reference.get("kind") or "object"), str(reference.get("name") or "")
    group = str(reference.get("apiVersion") or "").rpartition("/")[0]
    reconciled = (group, kind) in RECONCILED
    remedy = f"name {kind} {quote_value(name)} in spec.targetRef, or {METRIC}"
    if not reconciled:
        remedy += f"; if it leaves the replicas alone, {OWN_SETTING}"
    return FieldOwner(
        kind=kind,
        name=name,
        manager="",
        reason=Reason.CONTROLLED,
        text=f"{kind} {quote_value(name)} controls {described(target)}",
        remedy=remedy,
        yields=not reconciled,
    )


def _scales(found: Item, target: Item, kind: str = "") -> bool:
    """Return whether an autoscaler names `target`, or the Deployment or LeaderWorkerSet that KServe makes of it.

    The autoscaler that KServe itself makes of `target` follows its bounds, and is none.
    """
    if _refers(found, "scaleTargetRef", target, kind):
        return True
    if any(_name_of(target) == _name_of(owner) for owner in _references(found)):
        return False
    return any(_refers(found, "scaleTargetRef", made, kind) for made in _made(target))


def _made(target: Item) -> Iterator[Item]:
    """Yield the workloads that KServe may have made of `target`; none for another kind."""
    row = kserve_kind(str(target.get("apiVersion") or ""), str(target.get("kind") or ""))
    for api_version, kind, name in row.workloads(name_of(target)) if row is not None else ():
        yield {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}}


def _name_of(item: Item) -> tuple[str, str]:
    return str(item.get("kind") or ""), str(item.get("name") or name_of(item))


def _refers(found: Item, key: str, target: Item, kind: str = "") -> bool:
    """Return whether `spec.KEY` of `found` names `target`; `kind` is the default of the reference."""
    reference, api_version = map_at(found, "spec", key), str(target.get("apiVersion") or "")
    group = str(reference.get("apiVersion") or api_version).rpartition("/")[0]
    named = (group, str(reference.get("kind") or kind), str(reference.get("name") or ""))
    return named == (api_version.rpartition("/")[0], str(target.get("kind") or ""), name_of(target))


def _references(target: Item) -> list[Item]:
    references = at_path(target, ("metadata", "ownerReferences"))
    return [
        found
        for found in (references if isinstance(references, list) else ())
        if isinstance(found, dict) and found.get("controller")
    ]
