"""The resources of a monitor's target as metrics."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from prometheus_client.metrics_core import Metric as Family

from . import resize_names as names
from .metric import Metric

STATES = ("deferred", "error", "held", "in_progress", "infeasible", "proposed", "steady", "wanted")


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourcesReading:
    """The resources of one container at the time of a scrape.

    Attributes:
        container: its name.
        bounds: by bound (target, lower, upper, uncapped) and resource, in cores or bytes.
        requests: by resource, what half of the pods have at least.
        held: why they are not changed to the target; empty if they are.
        states: the number of pods by state.
        resized_at: when a container was changed last, in epoch seconds; None if never.
    """

    container: str
    bounds: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    requests: Mapping[str, float] = field(default_factory=dict)
    held: str = ""
    states: Mapping[str, int] = field(default_factory=dict)
    resized_at: float | None = None


def resource_families(namespace: str, monitor: str, found: ResourcesReading) -> Iterator[Family]:
    """Yield the metrics of `found`; each state has a sample, so that an alert resolves."""
    key = (namespace, monitor, found.container)
    bounds = (
        ((*key, resource, bound), value) for bound, values in found.bounds.items() for resource, value in values.items()
    )
    yield _gauge(names.RECOMMENDATION, bounds)
    yield _gauge(names.REQUEST, (((*key, resource), value) for resource, value in found.requests.items()))
    yield _gauge(names.HELD, [((*key, found.held), 1.0)] if found.held else ())
    yield _gauge(names.STATE, (((*key, state), float(found.states.get(state, 0))) for state in STATES))
    yield _gauge(names.LAST_RESIZED, [(key, found.resized_at)] if found.resized_at is not None else ())


def _gauge(metric: Metric, values: Iterable[tuple[tuple[str, ...], float]]) -> Family:
    family = metric.gauge()
    for key, value in values:
        family.add_metric(key, value)
    return family
