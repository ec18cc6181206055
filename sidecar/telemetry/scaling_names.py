"""The metrics of the controller about replicas; they continue the table of `cluster_names.py`.

Label sets are bounded: namespace and monitor are those of existing ModelMonitors, signals those of their documents.
"""

from __future__ import annotations

from .metric import Metric

SCALING = "Scaling"
_MONITOR = ("namespace", "monitor")

DESIRED_REPLICAS = Metric(
    "pilotfish_desired_replicas",
    "gauge",
    "Replicas that the signals ask for, within the bounds. No sample while that is not known.",
    SCALING,
    _MONITOR,
)
REPLICAS = Metric("pilotfish_replicas", "gauge", "Replicas that the target asks for.", SCALING, _MONITOR)
SIGNAL_RATIO = Metric(
    "pilotfish_scaling_signal_ratio",
    "gauge",
    "Value of a scaling signal relative to its target: above 1 asks for more replicas. No sample without a value.",
    SCALING,
    (*_MONITOR, "signal"),
)
SCALING_HELD = Metric(
    "pilotfish_scaling_held",
    "gauge",
    "1 while the replicas are not changed to what is wanted, with the reason (docs/reasons.md).",
    SCALING,
    (*_MONITOR, "reason"),
)
LAST_SCALED = Metric(
    "pilotfish_last_scaled_timestamp_seconds",
    "gauge",
    "When the controller last changed the replicas, in epoch seconds. No sample before the first time.",
    SCALING,
    _MONITOR,
    "seconds",
)

METRICS = tuple(value for value in globals().values() if isinstance(value, Metric))
