"""Alerts about requests and limits: containers with too little or too much, and resizes that do not succeed."""

from __future__ import annotations

from .recorded import POD_MODEL
from .rule import Alert, Group
from .usage import THROTTLED

_CONTAINER = "namespace, monitor, container"
_RESOURCE = f"{_CONTAINER}, resource"
_POD = "namespace, pod, container"
_WHO = "container {{ $labels.container }} of {{ $labels.namespace }}/{{ $labels.monitor }}"
_REQUEST = f"max by ({_RESOURCE}) (pilotfish_resource_request)"
_STUCK = ("deferred", "error", "in_progress")


def _bound(name: str) -> str:
    return f'max by ({_RESOURCE}) (pilotfish_resource_recommendation{{bound="{name}"}})'


_KILLED = (
    f'max by ({_POD}) (kube_pod_container_status_last_terminated_reason{{reason="OOMKilled"}}) == 1'
    f" and on ({_POD}) max by ({_POD}) (increase(kube_pod_container_status_restarts_total[30m])) > 0"
    f" and on (namespace, pod) {POD_MODEL}"
)

RESIZING = Group(
    "pilotfish-resizing",
    (
        Alert(
            "PilotfishContainerOomKilled",
            _KILLED,
            "1m",
            "warning",
            "Container {{ $labels.container }} of pod {{ $labels.namespace }}/{{ $labels.pod }} ran out of memory.",
            "The kernel ended it within the last 30 minutes, because it needed more memory than its limit.",
        ),
        Alert(
            "PilotfishCpuThrottled",
            f"{THROTTLED} > 0.25",
            "30m",
            "warning",
            "CPU of model {{ $labels.namespace }}/{{ $labels.model }} {{ $labels.version }} is throttled.",
            "Its containers had used up their CPU limit in {{ $value | humanizePercentage }} of the scheduler's "
            "periods for 30 minutes, so that requests wait.",
        ),
        Alert(
            "PilotfishRequestTooSmall",
            f"{_REQUEST} < on ({_RESOURCE}) {_bound('lower')}",
            "1h",
            "warning",
            f"The {{{{ $labels.resource }}}} request of {_WHO} is too small.",
            "It has been {{ $value | humanize }} for an hour, less than the lower bound of the recommendation.",
            "PilotfishRequestFarOff",
        ),
        Alert(
            "PilotfishRequestTooLarge",
            f"{_REQUEST} > on ({_RESOURCE}) {_bound('upper')} and on ({_RESOURCE})"
            f" {_REQUEST} > on ({_RESOURCE}) 2 * {_bound('target')}",
            "1d",
            "info",
            f"The {{{{ $labels.resource }}}} request of {_WHO} is more than twice the recommendation.",
            "It has been {{ $value | humanize }} for a day: above the upper bound, and more than twice the target.",
            "PilotfishRequestFarOff",
        ),
        Alert(
            "PilotfishResizeInfeasible",
            f'max by ({_CONTAINER}) (pilotfish_resize_held{{reason="resize_infeasible"}}) == 1',
            "15m",
            "warning",
            f"The node cannot resize {_WHO}.",
            "A resize was infeasible. Pilotfish took it back, and tries again after 30 minutes.",
            "PilotfishResizeStuck",
        ),
        Alert(
            "PilotfishResizeDeferred",
            f'sum by ({_CONTAINER}, state) (pilotfish_resize_state{{state=~"{"|".join(_STUCK)}"}}) > 0',
            "30m",
            "warning",
            f"A resize of {_WHO} does not end: {{{{ $labels.state }}}}.",
            "{{ $value }} pods have been in this state for 30 minutes. Meanwhile, no other pod is resized.",
            "PilotfishResizeStuck",
        ),
    ),
)
