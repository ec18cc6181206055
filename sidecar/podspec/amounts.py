"""Requests and limits of CPU and memory: of a container, and of a pod as the scheduler and the API server add them up.

Sources: ComputePodQOS, and PodRequests and PodLimits of component-helpers, in Kubernetes 1.36.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any, Literal

from .quantity import format_quantity, quantity

Json = Mapping[str, Any]
Side = Literal["requests", "limits"]
Kind = Literal["cpu", "memory"]
KINDS: tuple[Kind, ...] = ("cpu", "memory")
SIDES: tuple[Side, ...] = ("requests", "limits")
BEST_EFFORT, BURSTABLE, GUARANTEED = "BestEffort", "Burstable", "Guaranteed"
Amounts = Mapping[str, Fraction]


@dataclass(frozen=True)
class ContainerResources:
    """Requests and limits of one container, by `cpu` (cores) and `memory` (bytes). Others, such as GPUs, are left out.

    Only what is written is present. `amount` completes a missing request as the API server does.
    """

    requests: Amounts = field(default_factory=dict)
    limits: Amounts = field(default_factory=dict)

    @classmethod
    def of(cls, block: Json | None) -> ContainerResources:
        """Return the resources in `resources` of a container. Invalid and negative quantities count as missing."""
        block = block or {}
        return cls(amounts_of(block.get("requests")), amounts_of(block.get("limits")))

    def as_object(self) -> dict[str, dict[str, str]]:
        """Return `requests` and `limits` as canonical quantities."""
        return {
            side: {kind: format_quantity(amounts[kind]) for kind in KINDS if kind in amounts}
            for side, amounts in (("requests", self.requests), ("limits", self.limits))
        }

    def amount(self, side: Side, kind: Kind) -> Fraction | None:
        """Return a request or limit, or None. A missing request equals the limit, as in the API server."""
        return self.limits.get(kind) if side == "limits" else self.requests.get(kind, self.limits.get(kind))

    def with_amounts(self, kind: Kind, request: Fraction, limit: Fraction | None) -> ContainerResources:
        """Return the resources with other amounts of `kind`. Nothing is added that was missing."""
        requests = {**self.requests, kind: request} if kind in self.requests else self.requests
        limits = {**self.limits, kind: limit} if kind in self.limits and limit is not None else self.limits
        return ContainerResources(requests, limits)


def amounts_of(block: object) -> dict[str, Fraction]:
    """Return the valid amounts of CPU and memory in a map of quantities, rounded up to thousandths as the API does."""
    given = block if isinstance(block, Mapping) else {}
    numbers = {kind: quantity(given.get(kind)) for kind in KINDS}
    return {
        kind: Fraction(-(-number * 1000 // 1), 1000)
        for kind, number in numbers.items()
        if number is not None and number >= 0
    }


def containers_of(spec: Json) -> Iterator[tuple[str, int, Json]]:
    """Yield (`initContainers` or `containers`, position, container) of a pod spec."""
    for place in ("initContainers", "containers"):
        for position, container in enumerate(spec.get(place) or ()):
            yield place, position, container


def is_sidecar(container: Json) -> bool:
    """Return whether an init container restarts always, and so runs beside the containers."""
    return container.get("restartPolicy") == "Always"


@dataclass(frozen=True)
class PodAmounts:
    """The amounts of a pod.

    `groups` are the sets of containers that run at the same time: the containers with all sidecars, and each init
    container with the sidecars before it. `level` is the block of the pod itself, None without one. `resizable` are
    the containers and sidecars. `overhead` is that of a RuntimeClass.
    """

    containers: Mapping[str, ContainerResources]
    groups: tuple[frozenset[str], ...]
    regular: frozenset[str]
    resizable: frozenset[str]
    level: ContainerResources | None = None
    overhead: Amounts = field(default_factory=dict)

    @classmethod
    def of(cls, spec: Json) -> PodAmounts:
        """Return the amounts in a pod spec."""
        amounts: dict[str, ContainerResources] = {}
        groups: list[frozenset[str]] = []
        sidecars: list[str] = []
        for place, _, container in containers_of(spec):
            name = str(container.get("name"))
            amounts[name] = ContainerResources.of(container.get("resources"))
            if place == "initContainers":
                groups.append(frozenset([*sidecars, name]))
                sidecars += [name] if is_sidecar(container) else []
        regular = frozenset(str(item.get("name")) for item in spec.get("containers") or ())
        steady = regular | frozenset(sidecars)
        level = spec.get("resources")
        return cls(
            amounts,
            (steady, *(group for group in groups if not group <= steady)),
            regular,
            steady,
            None if level is None else ContainerResources.of(level),
            amounts_of(spec.get("overhead")),
        )

    def changed(self, name: str, resources: ContainerResources) -> PodAmounts:
        """Return the amounts with other ones of the container `name`."""
        return replace(self, containers={**self.containers, name: resources})

    def others(self, name: str, side: Side, kind: Kind) -> Fraction:
        """Return the largest sum of the containers that run at the same time as `name`."""
        return max(
            (self._sum(group - {name}, side, kind) for group in self.groups if name in group), default=Fraction(0)
        )

    def total(self, side: Side, kind: Kind) -> Fraction | None:
        """Return the request or limit of the pod without overhead; None if neither it nor a container has one."""
        level = self.level or ContainerResources()
        own = level.limits.get(kind) if side == "limits" else level.requests.get(kind)
        if own is not None:
            return own
        if all(item.amount(side, kind) is None for item in self.containers.values()):
            return level.limits.get(kind)
        return self.group_total(side, kind)

    def group_total(self, side: Side, kind: Kind) -> Fraction:
        """Return the largest sum of containers that run at the same time, whatever the pod itself has."""
        return max(self._sum(group, side, kind) for group in self.groups)

    @property
    def qos_class(self) -> str:
        """The class of the pod: Guaranteed, Burstable or BestEffort."""
        blocks = [self.level] if self.level is not None else [*self.containers.values()]
        if not any(block.amount(side, kind) for block in blocks for side in SIDES for kind in KINDS):
            return BEST_EFFORT
        equal = all(
            block.limits.get(kind) and block.amount("requests", kind) == block.limits[kind]
            for block in blocks
            for kind in KINDS
        )
        return GUARANTEED if equal else BURSTABLE

    def _sum(self, names: frozenset[str], side: Side, kind: Kind) -> Fraction:
        found = (self.containers[name].amount(side, kind) or Fraction(0) for name in names)
        return sum(found, Fraction(0))


def qos_class(spec: Json) -> str:
    """Return the class of a pod: Guaranteed, Burstable or BestEffort."""
    return PodAmounts.of(spec).qos_class
