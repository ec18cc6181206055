"""Replicas: what the signals ask for, what there is, and what keeps the two apart."""

from __future__ import annotations

from ..model import ZERO_IS_GOOD, Panel, Section, Steps, Target
from ..queries import equal, grown, largest, series, total

_MONITOR = 'namespace=~"$namespace", monitor=~"$monitor"'
_HPA = 'namespace=~"$namespace"'
_KIND = equal("kind", "scale")
_WHO = "{{namespace}} {{monitor}}"
_BY = ("namespace", "monitor")
NO_SCALING = "no ModelMonitor has spec.scaling"
NO_HPA = "no HorizontalPodAutoscaler, or no kube-state-metrics"
_RATIO: Steps = ((None, "green"), (1, "yellow"), (1.5, "red"))

REPLICAS = Section(
    "Replicas",
    (
        Panel(
            "lines",
            "Desired and present replicas",
            "Replicas that the signals ask for, within the bounds, and those that the target asks for.",
            (
                Target(largest(series("pilotfish_desired_replicas", scope=_MONITOR), *_BY), f"{_WHO} desired"),
                Target(largest(series("pilotfish_replicas", scope=_MONITOR), *_BY), f"{_WHO} present"),
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
                    largest(series("pilotfish_scaling_signal_ratio", scope=_MONITOR), *_BY, "signal"),
                    f"{_WHO} {{{{signal}}}}",
                ),
            ),
            unit="percentunit",
            empty=NO_SCALING,
            width=12,
            steps=_RATIO,
        ),
        Panel(
            "state",
            "Held",
            "When replicas were not changed to what is wanted, by reason; docs/reasons.md has the remedies.",
            (
                Target(
                    largest(series("pilotfish_scaling_held", scope=_MONITOR), *_BY, "reason"),
                    f"{_WHO} {{{{reason}}}}",
                ),
            ),
            empty="nothing is held",
            width=12,
            steps=ZERO_IS_GOOD,
            states=(("1", "held", "orange"),),
        ),
        Panel(
            "lines",
            "Scalings by outcome",
            "Intents to change replicas by outcome and reason.",
            (
                Target(
                    total(grown("pilotfish_intents_total", _KIND, scope=_MONITOR), "outcome", "reason"),
                    "{{outcome}} {{reason}}",
                ),
            ),
            empty="nothing was scaled",
            width=12,
        ),
        Panel(
            "lines",
            "Time since the last scaling",
            "Time since the controller last changed the replicas of each target.",
            (
                Target(
                    f"time() - {largest(series('pilotfish_last_scaled_timestamp_seconds', scope=_MONITOR), *_BY)}",
                    _WHO,
                ),
            ),
            unit="s",
            empty="nothing was scaled",
            width=12,
        ),
        Panel(
            "lines",
            "Replicas of autoscalers: wanted and had",
            "Replicas that each HorizontalPodAutoscaler wants and has, and its maximum.",
            tuple(
                Target(
                    f"max by (namespace, horizontalpodautoscaler)"
                    f" ({series(f'kube_horizontalpodautoscaler_{name}_replicas', scope=_HPA)})",
                    f"{{{{horizontalpodautoscaler}}}} {shown}",
                )
                for name, shown in (("status_desired", "wanted"), ("status_current", "had"), ("spec_max", "maximum"))
            ),
            empty=NO_HPA,
            width=12,
        ),
    ),
)
