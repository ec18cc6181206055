"""Reads a target and all that decides whether its replicas may be changed: autoscalers, budgets, pods without a node.

The lists of a namespace are read once for all monitors in it, and at most LIST_SECONDS old. A list that cannot be read
is a problem of that fact alone. KEDA and the VerticalPodAutoscaler are often not installed, which is normal.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from ...errors import quote_value
from ...kube.client import Kube
from ...kube.errors import KubeError, NotFoundError
from ...kube.objects import (
    DISRUPTION_BUDGETS,
    HORIZONTAL_AUTOSCALERS,
    PODS,
    SCALED_OBJECTS,
    VERTICAL_AUTOSCALERS,
    Resource,
)
from ...kube.read import get, list_all, list_some
from ...settings.document import TargetRef
from ..reasons import Reason
from ..scale.target import FactProblem, TargetFacts, TargetSurroundings, target_facts
from ..workload.kinds import at_path, kserve_kind, needs_scale, resource_of
from .scale_refusal import read_refusal
from .selectors import Selector, SelectorError, from_object, from_text
from .shared_reads import SharedReads
from .trouble import TroubleError, of_kube
from .world import Item

LIST_SECONDS = 10.0  # until the lists of a namespace are read again; less than the interval of scaling
MAX_PENDING = 500  # pods without a node that are counted
NO_LABELS = Selector(())  # of a budget that selects every pod

# by the name of the fact, alphabetically
LISTS = {
    "autoscalers": HORIZONTAL_AUTOSCALERS,
    "budgets": DISRUPTION_BUDGETS,
    "scaledObjects": SCALED_OBJECTS,
    "verticalAutoscalers": VERTICAL_AUTOSCALERS,
}


@dataclass(frozen=True, slots=True)
class NamespaceList:
    """All objects of one kind in a namespace, requested at the epoch second `at`.

    `problem` is why they are unknown. A kind that the cluster does not serve has no objects.
    """

    items: tuple[Item, ...]
    at: float
    problem: FactProblem | None = None


@dataclass
class ScaleTargetReader:
    """Reads targets for all monitors of a process; `clock` returns epoch seconds."""

    kube: Kube
    clock: Callable[[], float]

    def __post_init__(self) -> None:
        self._reads = SharedReads(self.clock)

    async def read(self, namespace: str, target: TargetRef, *, scaled: bool = True) -> TargetFacts:
        """Return the facts about `target`; raise TroubleError if it cannot be read, or its replicas if it is `scaled`.

        A target that is only resized, such as a DaemonSet, needs no replicas that can be set.
        """
        at = self.clock()
        found, scale, problems = await (self._target if scaled else self._object)(namespace, target)
        names = [*LISTS]
        lists = dict(zip(names, await asyncio.gather(*(self._list(namespace, name) for name in names)), strict=True))
        pods, problem = await self._pending(namespace, found, scale)
        refusal = await read_refusal(self.kube, namespace, found, scale)
        problems += tuple(filter(None, (*(one.problem for one in lists.values()), problem)))
        surroundings = TargetSurroundings(
            autoscalers=lists["autoscalers"].items,
            scaled_objects=lists["scaledObjects"].items,
            vertical_autoscalers=lists["verticalAutoscalers"].items,
            budgets=tuple(_selecting(lists["budgets"].items, found, scale)),
            pods=pods,
            refusal=refusal,
            problems=problems,
        )
        return target_facts(found, scale, surroundings, min(at, *(one.at for one in lists.values())))

    async def _target(self, namespace: str, target: TargetRef) -> tuple[Item, Item | None, tuple[FactProblem, ...]]:
        """Return the object and its scale, where that is needed; an object that cannot be read beside it is unknown."""
        resource, what = resource_of(target.api_version, target.kind), f"{target.kind} {quote_value(target.name)}"
        scale: Item | None = None
        try:
            if needs_scale(target.api_version, target.kind):
                scale = await get(self.kube, resource, target.name, namespace, subresource="scale")
            found = await get(self.kube, resource, target.name, namespace)
        except NotFoundError as error:
            if scale is None and needs_scale(target.api_version, target.kind):
                text = f"{what} of {target.api_version}: {error}; {Reason.NOT_SCALABLE.remedy}"
                raise TroubleError(Reason.NOT_SCALABLE, text) from error
            raise of_kube(what, error, Reason.TARGET_NOT_FOUND) from error
        except KubeError as error:
            if scale is None:
                raise of_kube(what, error, Reason.TARGET_NOT_FOUND) from error
            known = {"apiVersion": target.api_version, "kind": target.kind, "metadata": scale.get("metadata") or {}}
            return known, scale, (_problem("object", what, error),)
        kind = kserve_kind(target.api_version, target.kind)
        if kind is not None and (problem := kind.problem(found)):
            raise TroubleError(Reason.NOT_SCALABLE, f"{what}: {problem}")
        return found, scale, ()

    async def _object(self, namespace: str, target: TargetRef) -> tuple[Item, Item | None, tuple[FactProblem, ...]]:
        resource, what = resource_of(target.api_version, target.kind), f"{target.kind} {quote_value(target.name)}"
        try:
            return await get(self.kube, resource, target.name, namespace), None, ()
        except KubeError as error:
            raise of_kube(what, error, Reason.TARGET_NOT_FOUND) from error

    async def _list(self, namespace: str, name: str) -> NamespaceList:
        async def read() -> NamespaceList:
            resource, at = LISTS[name], self.clock()
            try:
                found, _ = await list_all(self.kube, resource, namespace, trim=_trim)
            except NotFoundError:
                found = []
            except KubeError as error:
                return NamespaceList((), at, _problem(name, _named(resource), error))
            return NamespaceList(tuple(found), at)

        return await self._reads.once((namespace, name), LIST_SECONDS, read)

    async def _pending(
        self, namespace: str, found: Item, scale: Item | None
    ) -> tuple[tuple[Item, ...], FactProblem | None]:
        selector = _selector(found, scale)
        if selector is None:
            return (), None
        try:
            pods = await list_some(
                self.kube,
                PODS,
                namespace,
                label_selector=str(selector),
                field_selector="status.phase=Pending",
                most=MAX_PENDING,
            )
        except KubeError as error:
            return (), _problem("pods", "the pods without a node", error)
        return tuple(pods), None


def _selector(found: Item, scale: Item | None) -> Selector | None:
    """Return the selector of the pods of a target; None without one."""
    kind = kserve_kind(str(found.get("apiVersion") or ""), str(found.get("kind") or ""))
    try:
        if kind is not None:
            return from_object(kind.pod_labels(str(at_path(found, ("metadata", "name")))))
        text = at_path(scale, ("status", "selector"))
        return from_text(str(text)) if text else from_object(at_path(found, ("spec", "selector")))
    except SelectorError:
        return None


def _selecting(budgets: Iterable[Item], found: Item, scale: Item | None) -> list[Item]:
    """Return the budgets that select the pods of a target, by the labels of its template or of its selector."""
    labels = _pod_labels(found, scale)
    return [budget for budget in budgets if _selects(at_path(budget, ("spec", "selector")), labels)]


def _selects(selector: object, labels: dict[str, str]) -> bool:
    """Return whether the selector of a budget matches; an empty one matches every pod, a missing one none."""
    if not isinstance(selector, dict):
        return False
    try:
        return from_object(selector).matches(labels)
    except SelectorError:
        return not any(selector.values())


def _pod_labels(found: Item, scale: Item | None) -> dict[str, str]:
    paths = (("spec", "template"), ("spec", "leaderWorkerTemplate", "leaderTemplate"))
    labels = dict[str, str]()
    for path in (*paths, ("spec", "leaderWorkerTemplate", "workerTemplate")):
        given = at_path(found, (*path, "metadata", "labels"))
        labels |= given if isinstance(given, dict) else {}
    selector = _selector(found, scale)
    for requirement in selector.requirements if selector is not None else ():
        if requirement.operator == "In" and len(requirement.values) == 1:
            labels |= {requirement.key: next(iter(requirement.values))}
    return labels


def _trim(item: dict[str, Any]) -> dict[str, Any]:
    """Return the part of an object that the facts need: no managedFields, and only the types of KEDA's triggers."""
    metadata, spec = item.get("metadata") or {}, item.get("spec") or {}
    return {
        "metadata": {key: metadata[key] for key in _KEPT_METADATA if key in metadata},
        "spec": {**{key: spec[key] for key in _KEPT if key in spec}, **_triggers(spec.get("triggers"))},
        "status": {key: value for key, value in (item.get("status") or {}).items() if isinstance(value, int)},
    }


def _triggers(triggers: object) -> dict[str, Any]:
    found = [one for one in triggers if isinstance(one, dict)] if isinstance(triggers, list) else []
    kept = [
        {"type": one.get("type"), "metadata": {key: given[key] for key in _TRIGGER if key in given}}
        for one in found
        if isinstance(given := one.get("metadata") or {}, dict)
    ]
    return {"triggers": kept} if kept else {}


_KEPT_METADATA = ("generation", "labels", "name", "ownerReferences")
_KEPT = (
    "maxReplicaCount",
    "maxReplicas",
    "maxUnavailable",
    "metrics",
    "minAvailable",
    "scaleTargetRef",
    "selector",
    "targetRef",
    "updatePolicy",
)
_TRIGGER = ("containerName",)  # of the metadata of a trigger of KEDA, which may have secrets


def _problem(fact: str, what: str, error: KubeError) -> FactProblem:
    trouble = of_kube(what, error, Reason.API_SERVER_UNREACHABLE).trouble
    return FactProblem(fact, trouble.reason, trouble.text)


def _named(resource: Resource) -> str:
    return f"the {resource.plural}.{resource.group} of the namespace"
