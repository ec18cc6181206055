"""Requests of containers: what their use asks for, what they are, and what keeps the two apart."""

from __future__ import annotations

from ..model import Panel, Section, Steps, Target
from ..queries import equal, largest, series, total
from .changes import OF_MONITOR, ChangeKind, change_panels

_BY = ("namespace", "monitor", "container")
_WHO = "{{namespace}} {{monitor}} {{container}}"
NO_RECOMMENDATION = "no ModelMonitor has spec.resources, or nothing is recommended yet"
BOUNDS = ("upper", "target", "lower")
_OFF: Steps = ((None, "yellow"), (0.9, "green"), (1.5, "yellow"), (2, "red"))


def recommended(resource: str, bound: str) -> str:
    """Return the recommendation of a resource by container: `lower`, `target`, `upper` or `uncapped`."""
    selector = series(
        "pilotfish_resource_recommendation", equal("resource", resource), equal("bound", bound), scope=OF_MONITOR
    )
    return largest(selector, *_BY)


def requested(resource: str) -> str:
    """Return the request of a resource that the containers have now."""
    return largest(series("pilotfish_resource_request", equal("resource", resource), scope=OF_MONITOR), *_BY)


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


_RESIZES = ChangeKind(
    kind="resize",
    one="resize",
    many="Resizes",
    done="resized a container",
    none="nothing was resized",
    held=(
        "Why requests stay as they are",
        "When requests were not changed to what is recommended, by reason; docs/reasons.md has the remedies.",
    ),
    intent="resize containers",
    held_metric="pilotfish_resize_held",
    done_metric="pilotfish_last_resized_timestamp_seconds",
    by=_BY,
    who=_WHO,
)

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
                    f"{total(series('pilotfish_resize_state', scope=OF_MONITOR), *_BY, 'state')} > 0",
                    f"{_WHO} {{{{state}}}}",
                ),
            ),
            empty=NO_RECOMMENDATION,
            width=12,
        ),
        *change_panels(_RESIZES),
    ),
)
