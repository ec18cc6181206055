"""How far the node is with the resize of a container, from the status of its pod. Pure.

The kubelet takes over a change of the spec in two steps: it allocates the requests (`allocatedResources`), then changes
the cgroups (`resources`). A change that it cannot allocate has the condition `PodResizePending`. One that it cannot
carry out has `PodResizeInProgress` with the reason `Error`. Both are conditions of the whole pod, so the container's
own amounts decide first. A resize without trouble takes less than a second, and leaves no condition.

Source: https://kubernetes.io/docs/tasks/configure-pod-container/resize-container-resources/, and Kubernetes 1.36.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Any, Literal

from ...podspec.amounts import Amounts, ContainerResources
from ..workload.managed_fields import epoch_seconds

Item = Mapping[str, Any]
State = Literal["none", "proposed", "deferred", "infeasible", "in_progress", "error", "done"]

PENDING, IN_PROGRESS = "PodResizePending", "PodResizeInProgress"  # types of conditions
INFEASIBLE, ERROR = "Infeasible", "Error"  # reasons of the conditions
STATUSES = ("containerStatuses", "initContainerStatuses")


@dataclass(frozen=True, slots=True, kw_only=True)
class ResizeProgress:
    """What the node made of the resize of a container.

    Attributes:
        state: `none` if the spec of the pod does not have the amounts, or the node has not reported on the container;
            `proposed` before the kubelet has decided; `deferred` while the node has no room, and the kubelet tries
            again; `infeasible` if this node can never do it; `in_progress` while the cgroups change; `error` if they
            cannot be changed, such as a memory limit below the use; `done` when they have changed.
        text: the message of the kubelet.
        since: when the state began, in epoch seconds; infinity where the pod does not show it.
        allocated: the requests that the kubelet has reserved, empty if it reports none.
        actual: the amounts of the container's cgroup; None if the kubelet reports none.
    """

    state: State
    text: str = ""
    since: float = inf
    allocated: Amounts
    actual: ContainerResources | None = None


NONE = ResizeProgress(state="none", allocated={})


def resize_progress(pod: Item, container: str, desired: Mapping[str, Mapping[str, str]]) -> ResizeProgress:
    """Return how far the node is with resizing `container` of `pod` to `desired`.

    `desired` are `requests` and `limits` as quantities, as in the desired value of an intent.
    """
    wanted, found = ContainerResources.of(desired), _status_of(pod, container)
    if found is None or _spec_of(pod, container) != wanted:
        return NONE
    blocks = found.get("allocatedResources"), found.get("resources")
    actual = ContainerResources.of(blocks[1]) if isinstance(blocks[1], dict) else None
    allocated = ContainerResources.of({"requests": blocks[0]}).requests
    if not isinstance(blocks[0], dict) and actual is not None:  # not every kubelet reports it
        allocated = actual.requests
    state, condition = _state(pod, wanted, allocated, actual)
    text = str(condition.get("message") or "")
    return ResizeProgress(state=state, text=text, since=_since(condition), allocated=allocated, actual=actual)


def is_running(pod: Item, container: str) -> bool:
    """Return whether the container runs now, by the status of its pod."""
    state = (_status_of(pod, container) or {}).get("state")
    return isinstance(state, dict) and isinstance(state.get("running"), dict)


def _state(
    pod: Item, wanted: ContainerResources, allocated: Amounts, actual: ContainerResources | None
) -> tuple[State, Item]:
    """Return the state, and the condition that proves it; an empty one without."""
    if allocated == wanted.requests and actual in (wanted, None):
        return "done", {}
    pending = _condition(pod, PENDING)
    if pending and _is_current(pending, pod):
        return ("infeasible" if pending.get("reason") == INFEASIBLE else "deferred"), pending
    if allocated != wanted.requests:
        return "proposed", {}
    running = _condition(pod, IN_PROGRESS)
    return ("error" if running.get("reason") == ERROR else "in_progress"), running


def _is_current(condition: Item, pod: Item) -> bool:
    """Return whether a condition is about the present spec; the kubelet of 1.33 does not say which it is about."""
    seen, present = condition.get("observedGeneration"), (pod.get("metadata") or {}).get("generation")
    return not isinstance(seen, int) or not isinstance(present, int) or seen >= present


def _condition(pod: Item, kind: str) -> Item:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return next((row for row in conditions if row.get("type") == kind and row.get("status") == "True"), {})


def _since(condition: Item) -> float:
    at = epoch_seconds(condition.get("lastTransitionTime"))
    return inf if at is None else at


def _status_of(pod: Item, container: str) -> Item | None:
    rows = (row for place in STATUSES for row in (pod.get("status") or {}).get(place) or ())
    return next((row for row in rows if row.get("name") == container), None)


def _spec_of(pod: Item, container: str) -> ContainerResources | None:
    spec = pod.get("spec") or {}
    rows = (row for place in ("containers", "initContainers") for row in spec.get(place) or ())
    found = next((row for row in rows if row.get("name") == container), None)
    return None if found is None else ContainerResources.of(found.get("resources"))
