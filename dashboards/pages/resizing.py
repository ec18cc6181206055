"""Requests of containers: what their use asks for, what they are, and what keeps the two apart."""

from __future__ import annotations

from ..model import ZERO_IS_GOOD, Panel, Section, Steps, Target
from ..queries import equal, grown, largest, series, total

_MONITOR = 'namespace=~"$namespace", monitor=~"$monitor"'
_BY = ("namespace", "monitor", "container")
_WHO = "{{namespace}} {{monitor}} {{container}}"
_KIND = equal("kind", "resize")
NO_RECOMMENDATION = "no ModelMonitor has spec.resources, or nothing is recommended yet"
BOUNDS = ("upper", "target", "lower")
_OFF: Steps = ((None, "yellow"), (0.9, "green"), (1.5, "yellow"), (2, "red"))


def recommended(resource: str, bound: str) -> str:
    """Return the recommendation of a resource by container: `lower`, `target`, `upper` or `uncapped`."""
    selector = series(
        "pilotfish_resource_recommendation", equal("resource", resource), equal("bound", bound), scope=_MONITOR
    )
    return largest(selector, *_BY)


def requested(resource: str) -> str:
    """Return the request of a resource that the containers have now."""
    return largest(series("pilotfish_resource_request", equal("resource", resource), scope=_MONITOR), *_BY)


def _amounts(title: str, resource: str, unit: str) -> Panel:
    return Panel(
        "lines",
        title,
        "Recommended request with its bounds, and the request now. Between the bounds, nothing is changed for long.",
        (
            Target(requested(resource), f"{_WHO} request"),
            *(Target(recommended(resource, bound), f"{_WHO} {bound}") for bound in BOUNDS),
        ),
        unit=unit,
        empty=NO_RECOMMENDATION,
        width=12,
        dashed=".* (upper|lower)",
    )


def _ratio(resource: str) -> Target:
    return Target(f"{requested(resource)} / ({recommended(resource, 'target')} > 0)", f"{_WHO} {resource}")


RESIZING = Section(
    "Requests and limits",
    (
        _amounts("CPU: request and recommendation", "cpu", "cores"),
        _amounts("Memory: request and recommendation", "memory", "bytes"),
        Panel(
            "lines",
            "Request relative to the recommendation",
            "Request divided by the recommended one: above 1 it costs too much, below 1 the container may be too slow.",
            (_ratio("cpu"), _ratio("memory")),
            unit="percentunit",
            empty=NO_RECOMMENDATION,
            width=12,
            steps=_OFF,
        ),
        Panel(
            "lines",
            "Pods by state of their resize",
            "Pods whose container has what is wanted (steady), or is to be resized, or whose resize is held or runs.",
            (
                Target(
                    f"{total(series('pilotfish_resize_state', scope=_MONITOR), *_BY, 'state')} > 0",
                    f"{_WHO} {{{{state}}}}",
                ),
            ),
            empty=NO_RECOMMENDATION,
            width=12,
        ),
        Panel(
            "state",
            "Resizes held",
            "When requests were not changed to what is recommended, by reason; docs/reasons.md has the remedies.",
            (
                Target(
                    largest(series("pilotfish_resize_held", scope=_MONITOR), *_BY, "reason"),
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
            "Resizes by outcome",
            "Intents to resize containers by outcome and reason.",
            (
                Target(
                    total(grown("pilotfish_intents_total", _KIND, scope=_MONITOR), "outcome", "reason"),
                    "{{outcome}} {{reason}}",
                ),
            ),
            empty="nothing was resized",
            width=12,
        ),
        Panel(
            "lines",
            "Time since the last resize",
            "Time since the controller last resized a container.",
            (
                Target(
                    f"time() - {largest(series('pilotfish_last_resized_timestamp_seconds', scope=_MONITOR), *_BY)}",
                    _WHO,
                ),
            ),
            unit="s",
            empty="nothing was resized",
            width=12,
        ),
    ),
)
