"""Replicas: what the signals ask for, what there is, and what keeps the two apart."""

from __future__ import annotations

from ..model import Panel, Section, Steps, Target
from ..queries import largest, series
from .changes import OF_MONITOR, ChangeKind, change_panels

_HPA = 'namespace=~"$namespace"'
_WHO = "{{namespace}} {{monitor}}"
_BY = ("namespace", "monitor")
NO_SCALING = "no ModelMonitor has spec.scaling"
NO_HPA = "no HorizontalPodAutoscaler, or no kube-state-metrics"
_RATIO: Steps = ((None, "green"), (1, "yellow"), (1.5, "red"))

_SCALINGS = ChangeKind(
    kind="scale",
    one="scaling",
    many="Scalings",
    done="changed the replicas of each target",
    none="nothing was scaled",
    held=(
        "Why replicas stay as they are",
        "When replicas were not changed to what is wanted, by reason; docs/reasons.md has the remedies.",
    ),
    intent="change replicas",
    held_metric="pilotfish_scaling_held",
    done_metric="pilotfish_last_scaled_timestamp_seconds",
    by=_BY,
    who=_WHO,
)

REPLICAS = Section(
    "Replicas",
    (
        Panel(
            "lines",
            "Desired and present replicas",
            "Replicas that the signals ask for, within the bounds, and those that the target asks for.",
            (
                Target(largest(series("pilotfish_desired_replicas", scope=OF_MONITOR), *_BY), f"{_WHO} desired"),
                Target(largest(series("pilotfish_replicas", scope=OF_MONITOR), *_BY), f"{_WHO} present"),
            ),
            empty=NO_SCALING,
            width=12,
        ),
        Panel(
            "lines",
            "Signals against their targets",
            "Value of each scaling signal, divided by its target; above 1, it asks for more replicas.",
            (
                Target(
                    largest(series("pilotfish_scaling_signal_ratio", scope=OF_MONITOR), *_BY, "signal"),
                    f"{_WHO} {{{{signal}}}}",
                ),
            ),
            unit="percentunit",
            empty=NO_SCALING,
            width=12,
            steps=_RATIO,
        ),
        *change_panels(_SCALINGS),
        Panel(
            "lines",
            "Replicas of HorizontalPodAutoscalers",
            "Desired and present replicas of each HorizontalPodAutoscaler, and its maximum.",
            tuple(
                Target(
                    f"max by (namespace, horizontalpodautoscaler)"
                    f" ({series(f'kube_horizontalpodautoscaler_{name}_replicas', scope=_HPA)})",
                    f"{{{{horizontalpodautoscaler}}}} {shown}",
                )
                for name, shown in (
                    ("status_desired", "desired"),
                    ("status_current", "present"),
                    ("spec_max", "maximum"),
                )
            ),
            empty=NO_HPA,
            width=12,
        ),
    ),
)
