"""Reads workloads from the API server, with `get` and `list` only.

Rights: `list` on pods, and `get` on the kinds of the workloads; with monitors also `list` on modelmonitors. The
ClusterRole `view` has them all, once Pilotfish is installed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ..control.manager.accepted import document_bytes
from ..control.manager.target import find_target
from ..control.manager.trouble import TroubleError
from ..errors import UsageError, quote_value
from ..kube.client import Kube
from ..kube.errors import ForbiddenError, NotFoundError
from ..kube.objects import LIMIT_RANGES, MODEL_MONITORS, PODS, RESOURCE_QUOTAS, Resource
from ..kube.read import list_all
from ..settings.document import ModelMonitor, TargetRef
from ..settings.errors import SettingsError
from ..settings.load import parse_resource
from .workload import Json, MeasuredWorkload

NO_KIND = "the cluster has no ModelMonitors; install Pilotfish, or give --workload KIND/NAME"


@dataclass(frozen=True)
class Gathered:
    """What was read. `problems` are sentences about what could not be read."""

    workloads: Sequence[MeasuredWorkload]
    limit_ranges: Sequence[Json] = ()
    quotas: Sequence[Json] = ()
    problems: Sequence[str] = field(default_factory=tuple)


async def gather(kube: Kube, namespace: str, monitor: str = "", target: TargetRef | None = None) -> Gathered:
    """Read the workloads of a namespace: those of all monitors, that of one `monitor`, or one `target`.

    Raises KubeError and UsageError where there is nothing to look at.
    """
    problems: list[str] = []
    items = await _monitors(kube, namespace, problems, needed=target is None)
    if target is not None:
        items = [item for item in items if _refers_to(item, target)][:1]
        wanted: list[tuple[Json | None, TargetRef | None]] = [(item, target) for item in items] or [(None, target)]
    else:
        wanted = [(item, None) for item in items if not monitor or item["metadata"]["name"] == monitor]
        _require(wanted, namespace, monitor)
    found = [await _workload(kube, namespace, item, target, problems) for item, target in wanted]
    workloads = [one for one in found if one is not None]
    if not workloads:
        raise UsageError("; ".join(problems))
    return Gathered(
        workloads,
        await _optional(kube, LIMIT_RANGES, namespace, problems),
        await _optional(kube, RESOURCE_QUOTAS, namespace, problems),
        problems,
    )


async def _monitors(kube: Kube, namespace: str, problems: list[str], *, needed: bool) -> list[dict[str, Any]]:
    try:
        items, _ = await list_all(kube, MODEL_MONITORS, namespace)
    except NotFoundError as error:
        if needed:
            raise UsageError(NO_KIND) from error
    except ForbiddenError as error:
        if needed:
            raise
        problems.append(f"monitors cannot be read, so prices and bounds are not known: {error}")
    else:
        return items
    return []


def _require(wanted: Sequence[object], namespace: str, monitor: str) -> None:
    if not wanted and monitor:
        raise UsageError(f"there is no ModelMonitor {quote_value(monitor)} in namespace {namespace}; check both names")
    if not wanted:
        raise UsageError(
            f"there is no ModelMonitor in namespace {namespace}; check its name, or give --workload KIND/NAME"
        )


def _refers_to(item: Json, target: TargetRef) -> bool:
    reference = (item.get("spec") or {}).get("targetRef") or {}
    return (reference.get("kind"), reference.get("name")) == (target.kind, target.name)


async def _workload(
    kube: Kube, namespace: str, item: Json | None, target: TargetRef | None, problems: list[str]
) -> MeasuredWorkload | None:
    """Return one workload, or None after a line in `problems`. Raises KubeError for pods that must not be listed."""
    document, status = None, {}
    if item is not None:
        try:
            document, status = _document(item), status_by_container(item)
        except SettingsError as error:
            problems.append(f"monitor {item['metadata']['name']} is not valid: {error}")
    target = document.spec.target_ref if document and document.spec.target_ref else target
    if target is None:
        return None
    try:
        selector = (await find_target(kube, namespace, target)).selector
    except TroubleError as error:
        problems.append(str(error).removeprefix("spec.targetRef: "))
        return None
    pods, _ = await list_all(kube, PODS, namespace, label_selector=str(selector), trim=_pod)
    running = [pod for pod in pods if pod]
    if not running:
        problems.append(f"{target.kind} {quote_value(target.name)} has no running pod; its requests are not known")
        return None
    return MeasuredWorkload(namespace, target, running, document, status)


def _document(item: Json) -> ModelMonitor:
    return parse_resource(document_bytes(item), f"ModelMonitor {item['metadata']['name']}")


def status_by_container(item: Json) -> dict[str, Json]:
    """Return `status.resources` of a ModelMonitor by container; entries of another form are left out."""
    listed = (item.get("status") or {}).get("resources")
    entries = listed if isinstance(listed, list) else []
    return {str(one["container"]): one for one in entries if isinstance(one, dict) and one.get("container")}


def _pod(item: dict[str, Any]) -> dict[str, Any]:
    """Return what is used of a running pod; nothing of others."""
    metadata, status = item.get("metadata") or {}, item.get("status") or {}
    if status.get("phase") != "Running" or metadata.get("deletionTimestamp"):
        return {}
    kept = {name: metadata[name] for name in ("name", "namespace", "uid", "creationTimestamp") if name in metadata}
    return {"metadata": kept, "spec": item.get("spec") or {}, "status": status}


async def _optional(kube: Kube, kind: Resource, namespace: str, problems: list[str]) -> Sequence[Json]:
    """Return the objects of a kind; without the right to list them, none, and a line in `problems`."""
    try:
        items, _ = await list_all(kube, kind, namespace)
    except ForbiddenError:
        problems.append(f"no right to list {kind.plural}: the recommendation does not take them into account")
        return ()
    return items
