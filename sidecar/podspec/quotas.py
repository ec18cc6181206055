"""ResourceQuotas of a namespace: which of them count a pod, and how much room they leave for it.

Source: pkg/quota/v1/evaluator/core and the plug-in resourcequota of Kubernetes 1.36.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from .amounts import BEST_EFFORT, KINDS, SIDES, ContainerResources, Json, Kind, PodAmounts, Side
from .notes import Note, NoteReason
from .quantity import format_quantity, quantity

BY_QUOTA: Mapping[str, tuple[Side, Kind]] = {f"{side}.{kind}": (side, kind) for side in SIDES for kind in KINDS} | {
    kind: ("requests", kind) for kind in KINDS
}


@dataclass(frozen=True)
class QuotaRoom:
    """What a quota leaves of one resource to a pod, with what the pod takes already."""

    quota: str
    resource: str
    side: Side
    kind: Kind
    room: Fraction

    def note(self, text: str) -> Note:
        """Return a note that names the quota."""
        return Note(NoteReason.QUOTA, f"the ResourceQuota {self.quota} {text}", self.kind)


def quota_rooms(pod: Json, quotas: Sequence[Json], taken: PodAmounts | None) -> list[QuotaRoom]:
    """Return the room for `pod`, an object, in each quota that counts it.

    `taken` are the amounts of the pod that the quotas have counted, by `held`; None for a pod that does not exist yet.
    """
    rooms = []
    for quota in quotas:
        status = quota.get("status") or {}
        hard = status.get("hard") or (quota.get("spec") or {}).get("hard") or {}
        for resource, most in hard.items() if counts(quota, pod) else ():
            side, kind = BY_QUOTA.get(resource, (None, None))
            limit = quantity(most)
            if side and kind and limit is not None:
                used = quantity((status.get("used") or {}).get(resource)) or Fraction(0)
                own = usage(taken, side, kind) if taken is not None else Fraction(0)
                name = str((quota.get("metadata") or {}).get("name") or "")
                rooms.append(QuotaRoom(name, resource, side, kind, limit - used + own))
    return rooms


def usage(pod: PodAmounts, side: Side, kind: Kind) -> Fraction:
    """Return how much of a quota the pod takes: its total and the overhead of its RuntimeClass."""
    total = pod.total(side, kind)
    overhead = pod.overhead.get(kind, Fraction(0))
    if side == "limits":
        return total + overhead if total else Fraction(0)
    return (total or Fraction(0)) + overhead


def held(pod: Json, amounts: PodAmounts) -> PodAmounts:
    """Return `amounts` with what the containers have now by the status of the pod, where this is more.

    A container keeps its former resources until a resize has been carried out, so quotas count the larger ones.
    """
    status = pod.get("status") or {}
    infeasible = any(
        item.get("type") == "PodResizePending" and item.get("reason") == "Infeasible"
        for item in status.get("conditions") or ()
    )
    for item in (*(status.get("containerStatuses") or ()), *(status.get("initContainerStatuses") or ())):
        name = str(item.get("name"))
        if item.get("resources") is not None and name in amounts.resizable and name in amounts.containers:
            own, actual = amounts.containers[name], ContainerResources.of(item["resources"])
            allocated = ContainerResources.of({"requests": item.get("allocatedResources")})
            wanted = ContainerResources() if infeasible else own
            larger = {
                "requests": _largest(own.requests, wanted.requests, actual.requests, allocated.requests),
                "limits": _largest(own.limits, wanted.limits, actual.limits),
            }
            amounts = amounts.changed(name, ContainerResources(**larger))
    return amounts


def _largest(own: Mapping[str, Fraction], *maps: Mapping[str, Fraction]) -> dict[str, Fraction]:
    found = {kind: [one[kind] for one in maps if kind in one] for kind in KINDS}
    return {kind: max(values) if values else own[kind] for kind, values in found.items() if values or kind in own}


def missing(amounts: PodAmounts, rooms: Sequence[QuotaRoom]) -> Iterator[Note]:
    """Yield a note for each container without an amount that a quota requires; pod-level amounts replace them."""
    if amounts.level is not None and (amounts.level.requests or amounts.level.limits):
        return
    for room in rooms:
        for name, own in amounts.containers.items():
            if own.amount(room.side, room.kind) is None:
                yield room.note(f"requires {room.resource} of each container, but the container {name} has none")


def excesses(amounts: PodAmounts, before: PodAmounts | None, rooms: Sequence[QuotaRoom]) -> Iterator[Note]:
    """Yield a note for each quota that has no room for the pod. `before` is what the pod takes now, None if nothing."""
    for room in rooms:
        wanted = usage(amounts, room.side, room.kind)
        own = usage(before, room.side, room.kind) if before is not None else Fraction(0)
        if wanted > max(room.room, own):
            has = f"has room for {format_quantity(max(room.room, Fraction(0)))} of {room.resource}"
            yield room.note(f"{has}, but the pod would need {format_quantity(wanted)}")


def counts(quota: Json, pod: Json) -> bool:
    """Return whether the scopes of a quota include the pod."""
    spec = quota.get("spec") or {}
    selectors = [
        *({"scopeName": name, "operator": "Exists"} for name in spec.get("scopes") or ()),
        *((spec.get("scopeSelector") or {}).get("matchExpressions") or ()),
    ]
    return all(_matches(selector, pod) for selector in selectors)


def _matches(selector: Json, pod: Json) -> bool:
    spec = pod.get("spec") or {}
    scope, operator = selector.get("scopeName"), selector.get("operator")
    if scope == "PriorityClass":
        name, values = spec.get("priorityClassName") or "", selector.get("values") or ()
        by_operator = {"In": name in values, "NotIn": name not in values, "DoesNotExist": not name}
        return bool(by_operator.get(operator or "", bool(name)))
    best_effort = PodAmounts.of(spec).qos_class == BEST_EFFORT
    terminating = (spec.get("activeDeadlineSeconds") or -1) >= 0
    by_scope = {
        "BestEffort": best_effort,
        "NotBestEffort": not best_effort,
        "Terminating": terminating,
        "NotTerminating": not terminating,
        "CrossNamespacePodAffinity": _crosses_namespaces(spec),
    }
    return by_scope.get(str(scope), False)


def _crosses_namespaces(spec: Json) -> bool:
    affinity = spec.get("affinity") or {}
    for name in ("podAffinity", "podAntiAffinity"):
        block = affinity.get(name) or {}
        terms = [
            *(block.get("requiredDuringSchedulingIgnoredDuringExecution") or ()),
            *(
                item.get("podAffinityTerm") or {}
                for item in block.get("preferredDuringSchedulingIgnoredDuringExecution") or ()
            ),
        ]
        if any(term.get("namespaces") or term.get("namespaceSelector") is not None for term in terms):
            return True
    return False
