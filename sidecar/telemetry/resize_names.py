"""The metrics of the controller about resources; they continue the table of `cluster_names.py`.

Label sets are bounded: namespace, monitor and container are those of existing ModelMonitors.
"""

from __future__ import annotations

from .metric import Metric

RESIZING = "Resizing"
_CONTAINER = ("namespace", "monitor", "container")

RECOMMENDATION = Metric(
    "pilotfish_resource_recommendation",
    "gauge",
    "Recommended request of a container, in cores (cpu) or bytes (memory). The bound is target, lower, upper or "
    "uncapped: the target without the bounds of the document. No sample while it is not known.",
    RESIZING,
    (*_CONTAINER, "resource", "bound"),
)
REQUEST = Metric(
    "pilotfish_resource_request",
    "gauge",
    "Present request of a container, in cores (cpu) or bytes (memory): the median over the pods of the target.",
    RESIZING,
    (*_CONTAINER, "resource"),
)
HELD = Metric(
    "pilotfish_resize_held",
    "gauge",
    "1 while the resources are not changed to what is recommended, with the reason (docs/reasons.md).",
    RESIZING,
    (*_CONTAINER, "reason"),
)
STATE = Metric(
    "pilotfish_resize_state",
    "gauge",
    "Pods of the target by the state of their container: steady, wanted, held, or the state of a resize in progress: "
    "proposed, deferred, infeasible, in_progress, error.",
    RESIZING,
    (*_CONTAINER, "state"),
)
LAST_RESIZED = Metric(
    "pilotfish_last_resized_timestamp_seconds",
    "gauge",
    "When the controller last resized a container, in epoch seconds. No sample before the first time.",
    RESIZING,
    _CONTAINER,
    "seconds",
)

METRICS = tuple(value for value in globals().values() if isinstance(value, Metric))
