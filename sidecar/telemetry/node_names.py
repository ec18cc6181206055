"""The metrics of `pilotfish node`. It continues `names.py`."""

from __future__ import annotations

from .metric import Metric

NODE = "Node"

PODS = Metric("pilotfish_node_pods", "gauge", "Pods of the node whose cgroups are visible.", NODE)
CALLERS = Metric("pilotfish_node_callers", "gauge", "Pods that asked for their figures in the last two minutes.", NODE)
GPUS = Metric("pilotfish_node_gpus", "gauge", "GPUs in the newest sample.", NODE)
DEVICES = Metric(
    "pilotfish_node_devices",
    "gauge",
    "Devices that the kubelet can give (allocatable) or has given (allocated), by resource or DRA driver.",
    NODE,
    ("resource", "state"),
)
REQUESTS = Metric(
    "pilotfish_node_requests_total",
    "counter",
    "Requests of pods, by status and reason of a refusal.",
    NODE,
    ("status", "reason"),
)
KUBELET_REQUESTS = Metric(
    "pilotfish_node_kubelet_requests_total",
    "counter",
    "Questions to the kubelet, by method and outcome.",
    NODE,
    ("method", "outcome"),
)
PROBLEM = Metric(
    "pilotfish_node_problem",
    "gauge",
    "1 for each source of the node that is not available, by reason (docs/node.md).",
    NODE,
    ("reason",),
)

METRICS: tuple[Metric, ...] = (CALLERS, DEVICES, GPUS, KUBELET_REQUESTS, PODS, PROBLEM, REQUESTS)
