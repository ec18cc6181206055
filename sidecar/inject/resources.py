"""Resources of the sidecars: the class of the pod stays as it is, and LimitRanges and quotas admit the pod.

A sidecar has requests of CPU and memory and a limit of memory. It has a limit of CPU only in a pod of class
Guaranteed, or where a quota or LimitRange asks for one. A pod without any request becomes Burstable.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

from ..podspec.amounts import GUARANTEED, KINDS, SIDES, ContainerResources, PodAmounts, Side, qos_class
from ..podspec.limit_ranges import limit_range_items, violations
from ..podspec.quantity import format_quantity, quantity
from ..podspec.quotas import quota_rooms, usage
from .context import Context, Json
from .errors import NotInjectedError
from .operations import Operation, replace
from .pod import PodView
from .reasons import InjectionReason

_Amounts = dict[Side, dict[str, Fraction]]


def sized(container: Json, pod: PodView, context: Context, guaranteed_cpu: str) -> dict[str, Any]:
    """Return the resources of a sidecar in `pod`. Raises NotInjectedError if a LimitRange does not allow them."""
    amounts = _amounts(container.get("resources") or {})
    cpu = quantity(guaranteed_cpu) or Fraction(1)
    if qos_class(pod.spec) == GUARANTEED and not _has_own_level(pod):
        amounts["limits"].setdefault("cpu", cpu)
        amounts["requests"] = dict(amounts["limits"])
    if _limits_cpu(context):
        amounts["limits"].setdefault("cpu", cpu)
    for limit in _limits(context, "Container"):
        _fit(amounts, limit, str(container["name"]))
    return {
        side: {kind: format_quantity(amounts[side][kind]) for kind in KINDS if kind in amounts[side]} for side in SIDES
    }


def raise_pod_level(pod: PodView, added: Sequence[Json], cpu: Mapping[str, str]) -> list[Operation]:
    """Return the operations that add the resources of the containers `added` to those of the pod itself, if it has any.

    `cpu` is the CPU limit of a container that has none. A pod-level limit is shared with the model, so it must grow.
    """
    level = pod.spec.get("resources") or {}
    is_guaranteed = qos_class(pod.spec) == GUARANTEED
    operations = []
    for side in SIDES:
        for kind, value in (level.get(side) or {}).items():
            if kind in KINDS:
                total = quantity(value) or Fraction(0)
                for container in added:
                    amounts = _amounts(container["resources"])
                    amounts["limits"].setdefault("cpu", quantity(cpu[container["name"]]) or Fraction(1))
                    total += amounts["limits" if is_guaranteed else side].get(kind, Fraction(0))
                operations.append(replace(format_quantity(total), "spec", "resources", side, kind))
    return operations


def refuse_beyond_pod_limits(pod: PodView, context: Context, added: Sequence[Json]) -> None:
    """Raise NotInjectedError if a LimitRange of type Pod admits the pod, but not with the containers `added`."""
    items = [*limit_range_items(context.limit_ranges, "Pod")]
    known = violations(PodAmounts.of(pod.spec), items)
    for note in violations(PodAmounts.of(_with(pod, added)), items):
        if note not in known:
            raise NotInjectedError(InjectionReason.LIMIT_RANGE, f"{note.text}, which the sidecars exceed")


def refuse_beyond_quotas(pod: PodView, context: Context, added: Sequence[Json]) -> None:
    """Raise NotInjectedError if a quota has room for the pod, but not for the containers `added` too.

    Otherwise the API server would refuse the pod because of its sidecars.
    """
    present = PodAmounts.of(pod.spec)
    ours = PodAmounts.of({"containers": added})
    for room in quota_rooms({"spec": _with(pod, added)}, context.quotas, None):
        own, more = usage(present, room.side, room.kind), ours.group_total(room.side, room.kind)
        if own <= room.room < own + more:
            what = f"the ResourceQuota {room.quota} leaves {format_quantity(room.room)} of {room.resource}"
            needs = f"the pod needs {format_quantity(own)}, and its sidecars {format_quantity(more)} more"
            raise NotInjectedError(InjectionReason.QUOTA, f"{what}; {needs}")


def _with(pod: PodView, added: Sequence[Json]) -> dict[str, Any]:
    """Return the spec of the pod with the sidecars `added`."""
    return {**pod.spec, "initContainers": [*added, *pod.init_containers]}


def _has_own_level(pod: PodView) -> bool:
    level = pod.spec.get("resources") or {}
    return bool(level.get("requests") or level.get("limits"))


def _amounts(block: Json) -> _Amounts:
    """Return requests and limits of CPU and memory. A missing request equals the limit, as in the API server."""
    own = ContainerResources.of(block)
    return {"requests": {**own.limits, **own.requests}, "limits": {**own.limits}}


def _limits(context: Context, kind: str) -> Iterator[Json]:
    for item in context.limit_ranges:
        for limit in (item.get("spec") or {}).get("limits") or ():
            if limit.get("type") == kind:
                yield limit


def _limits_cpu(context: Context) -> bool:
    """Return whether a quota or LimitRange asks for a limit of CPU."""
    quotas = (quota.get("spec") or {} for quota in context.quotas)
    ranges = (*_limits(context, "Container"), *_limits(context, "Pod"))
    return any("limits.cpu" in (quota.get("hard") or {}) for quota in quotas) or any(
        "cpu" in (limit.get(side) or {}) for limit in ranges for side in ("default", "max", "maxLimitRequestRatio")
    )


def _fit(amounts: _Amounts, limit: Json, name: str) -> None:
    """Change `amounts` so that a LimitRange of containers admits them."""
    requests, limits = amounts["requests"], amounts["limits"]
    for kind in KINDS:
        least, most, ratio = (
            quantity((limit.get(side) or {}).get(kind)) for side in ("min", "max", "maxLimitRequestRatio")
        )
        if least and kind in requests:
            requests[kind] = max(requests[kind], least)
        if kind in limits:
            limits[kind] = max(limits[kind], requests.get(kind, Fraction(0)))
        if most and (requests.get(kind, most) > most or (kind == "memory" and limits.get(kind, most) > most)):
            wanted = format_quantity(limits.get(kind, requests[kind]))
            what = f"a LimitRange limits {kind} of a container to {format_quantity(most)}, but {name} needs {wanted}"
            raise NotInjectedError(InjectionReason.LIMIT_RANGE, what)
        if most and kind in limits:
            limits[kind] = min(limits[kind], most)
        if ratio and kind in limits:
            requests[kind] = max(requests.get(kind, Fraction(0)), limits[kind] / ratio)
