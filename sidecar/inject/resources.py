"""Resources of the sidecars: the class of the pod stays as it is, and LimitRanges and quotas admit the pod.

A sidecar has requests of CPU and memory and a limit of memory. It has a limit of CPU only in a pod of class
Guaranteed, or where a quota or LimitRange asks for one. A pod without any request becomes Burstable.
Source of the classes: ComputePodQOS of Kubernetes 1.36.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

from .context import Context, Json
from .errors import NotInjectedError
from .operations import Operation, replace
from .pod import PodView
from .quantities import format_quantity, quantity
from .reasons import InjectionReason

GUARANTEED = "Guaranteed"
_KINDS = ("cpu", "memory")
_BY_QUOTA = {f"{side}.{kind}": (side, kind) for side in ("requests", "limits") for kind in _KINDS} | {
    kind: ("requests", kind) for kind in _KINDS
}
Amounts = dict[str, dict[str, Fraction]]


def qos_class(spec: Json) -> str:
    """Return the class of a pod: Guaranteed, Burstable or BestEffort."""
    level = spec.get("resources") or {}
    if level.get("requests") or level.get("limits"):
        blocks: Sequence[Json] = [level]
    else:
        containers = [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]
        blocks = [container.get("resources") or {} for container in containers]
    amounts = [_amounts(block) for block in blocks]
    if not any(block["requests"] or block["limits"] for block in amounts):
        return "BestEffort"
    if all(len(block["limits"]) == len(_KINDS) and block["requests"] == block["limits"] for block in amounts):
        return GUARANTEED
    return "Burstable"


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
        side: {kind: format_quantity(amounts[side][kind]) for kind in _KINDS if kind in amounts[side]}
        for side in ("requests", "limits")
    }


def raise_pod_level(pod: PodView, added: Sequence[Json], cpu: Mapping[str, str]) -> list[Operation]:
    """Return the operations that add the resources of the containers `added` to those of the pod itself, if it has any.

    `cpu` is the CPU limit of a container that has none. A pod-level limit is shared with the model, so it must grow.
    """
    level = pod.spec.get("resources") or {}
    is_guaranteed = qos_class(pod.spec) == GUARANTEED
    operations = []
    for side in ("requests", "limits"):
        for kind, value in (level.get(side) or {}).items():
            if kind in _KINDS:
                total = quantity(value) or Fraction(0)
                for container in added:
                    amounts = _amounts(container["resources"])
                    amounts["limits"].setdefault("cpu", quantity(cpu[container["name"]]) or Fraction(1))
                    total += amounts["limits" if is_guaranteed else side].get(kind, Fraction(0))
                operations.append(replace(format_quantity(total), "spec", "resources", side, kind))
    return operations


def refuse_beyond_pod_limits(pod: PodView, context: Context, added: Sequence[Json]) -> None:
    """Raise NotInjectedError if a LimitRange of type Pod does not admit the pod with the containers `added`."""
    for limit in _limits(context, "Pod"):
        for kind, most in (limit.get("max") or {}).items():
            blocks = [_amounts(item.get("resources") or {}) for item in (*pod.containers, *added)]
            total = sum((block["limits"].get(kind, Fraction(0)) for block in blocks), Fraction(0))
            if kind in _KINDS and total > (quantity(most) or total):
                what = f"a LimitRange of namespace {context.namespace} limits {kind} of a pod to {most}"
                raise NotInjectedError(InjectionReason.LIMIT_RANGE, f"{what}, but it would be {format_quantity(total)}")


def refuse_beyond_quotas(pod: PodView, context: Context, added: Sequence[Json]) -> None:
    """Raise NotInjectedError if a quota has room for the pod, but not for the containers `added` too.

    Otherwise the API server would refuse the pod because of its sidecars. Quotas with scopes are left out: whether they
    hold for the pod depends on more than its resources.
    """
    for quota in context.quotas:
        spec, status = quota.get("spec") or {}, quota.get("status") or {}
        hard = {} if spec.get("scopes") or spec.get("scopeSelector") else status.get("hard") or spec.get("hard") or {}
        for resource, most in hard.items():
            side, kind = _BY_QUOTA.get(resource, ("", ""))
            if kind:
                free = (quantity(most) or Fraction(0)) - (quantity((status.get("used") or {}).get(resource)) or 0)
                own, ours = _own_amount(pod, side, kind), _sum(added, side, kind)
                if own <= free < own + ours:
                    name = (quota.get("metadata") or {}).get("name")
                    what = f"the ResourceQuota {name} leaves {format_quantity(free)} of {resource}"
                    needs = f"the pod needs {format_quantity(own)}, and its sidecars {format_quantity(ours)} more"
                    raise NotInjectedError(InjectionReason.QUOTA, f"{what}; {needs}")


def _own_amount(pod: PodView, side: str, kind: str) -> Fraction:
    """Return how much of a quota the pod takes without the containers that are added."""
    if _has_own_level(pod):
        return _amounts(pod.spec["resources"])[side].get(kind, Fraction(0))
    stays = [item for item in pod.init_containers if item.get("restartPolicy") == "Always"]
    ends = [item for item in pod.init_containers if item.get("restartPolicy") != "Always"]
    largest = max((_sum([item], side, kind) for item in ends), default=Fraction(0))
    return _sum(stays, side, kind) + max(_sum(pod.containers, side, kind), largest)


def _sum(containers: Sequence[Json], side: str, kind: str) -> Fraction:
    amounts = (_amounts(item.get("resources") or {})[side].get(kind, Fraction(0)) for item in containers)
    return sum(amounts, Fraction(0))


def _has_own_level(pod: PodView) -> bool:
    level = pod.spec.get("resources") or {}
    return bool(level.get("requests") or level.get("limits"))


def _amounts(block: Json) -> Amounts:
    """Return requests and limits of CPU and memory. A missing request equals the limit, as in the API server."""
    found: Amounts = {"requests": {}, "limits": {}}
    for side in ("limits", "requests"):
        given = block.get(side) or {}
        for kind in _KINDS:
            number = quantity(given.get(kind))
            if number:
                found[side][kind] = number
    found["requests"] = {**found["limits"], **found["requests"]}
    return found


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


def _fit(amounts: Amounts, limit: Json, name: str) -> None:
    """Change `amounts` so that a LimitRange of containers admits them."""
    requests, limits = amounts["requests"], amounts["limits"]
    for kind in _KINDS:
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
