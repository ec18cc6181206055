"""Reads why the API server refuses new pods of a target, where that can be seen.

The right to list Events is needed for a StatefulSet only. Without it, or for a kind that shows nothing, the refusal is
unknown, which is said while pods are missing, and forbids nothing.
"""

from __future__ import annotations

from ...errors import number, quote_value
from ...kube.client import Kube
from ...kube.errors import KubeError, NotFoundError
from ...kube.objects import EVENTS
from ...kube.read import get, list_some
from ..workload.kinds import at_path, kserve_kind, resource_of, spec_replicas, status_replicas
from ..workload.refusals import BY_CONDITION, BY_EVENTS, PodRefusal, refused_by_condition, refused_by_events
from .world import Item

MAX_EVENTS = 200  # of one object; the API server merges those that are repeated


async def read_refusal(kube: Kube, namespace: str, found: Item, scale: Item | None) -> PodRefusal:
    """Return why new pods of the object `found` are refused; `scale` is its scale subresource, where it has one."""
    api_version, kind = str(found.get("apiVersion") or ""), str(found.get("kind") or "")
    name = str(at_path(found, ("metadata", "name")) or "")
    row = kserve_kind(api_version, kind)
    if row is not None:
        made = [one for one in row.workloads(name) if _place(*one[:2]) in BY_CONDITION]
        refusals = [await _of_made(kube, namespace, *one) for one in made]
        return next((one for one in refusals if one.words or one.unseen), PodRefusal())
    missing = max(0, spec_replicas(scale or found) - status_replicas(scale or found))
    place = _place(api_version, kind)
    if place in BY_CONDITION:
        return PodRefusal(refused_by_condition(found), missing)
    if not missing or (scale is None and place not in BY_EVENTS):  # such as a DaemonSet, which has no replicas
        return PodRefusal()
    if place in BY_EVENTS:
        return await _of_events(kube, namespace, found, missing)
    return PodRefusal(
        missing=missing, unseen=_unseen(missing, f"a {kind} does not show it; read the Events of the namespace")
    )


async def _of_made(kube: Kube, namespace: str, api_version: str, kind: str, name: str) -> PodRefusal:
    """Return the refusal of a workload that KServe may have made."""
    try:
        found = await get(kube, resource_of(api_version, kind), name, namespace)
    except NotFoundError:
        return PodRefusal()
    except KubeError as error:
        return PodRefusal(
            unseen=f"whether the API server refuses new pods is not known: {kind} {quote_value(name)}: {error}"
        )
    missing = max(0, spec_replicas(found) - status_replicas(found))
    return PodRefusal(refused_by_condition(found), missing)


async def _of_events(kube: Kube, namespace: str, found: Item, missing: int) -> PodRefusal:
    kind, name = (str(at_path(found, path) or "") for path in (("kind",), ("metadata", "name")))
    uid = str(at_path(found, ("metadata", "uid")) or "")
    selector = f"regarding.kind={kind},regarding.name={name},regarding.uid={uid}"
    try:
        events = await list_some(kube, EVENTS, namespace, field_selector=selector, most=MAX_EVENTS)
    except KubeError as error:
        return PodRefusal(missing=missing, unseen=_unseen(missing, f"its Events cannot be read: {error}"))
    return PodRefusal(refused_by_events(events), missing)


def _unseen(missing: int, why: str) -> str:
    return f"{number(missing, 'replica')} missing, and it is not known whether the API server refuses the pods: {why}"


def _place(api_version: str, kind: str) -> tuple[str, str]:
    return api_version.rpartition("/")[0], kind
