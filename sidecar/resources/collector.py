"""Converts a ResourceView to metrics. A value that is not known has no series."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.metrics_core import Metric as Family

from ..settings.document import Prices
from ..telemetry import resource_names as names
from ..telemetry.metric import Metric
from .accounts import COST, CPU, ENERGY, GPU, IDLE, IDLE_COST, IN_FLIGHT, MEMORY, OUTCOMES, PICO, SHARED, TOKENS, USAGE
from .totals import ResourceTotals
from .usage import UsageSample
from .watch import ResourceView

NANO, MICRO = 10**9, 10**6
_SHARED = {CPU: (names.CPU_SECONDS, NANO), ENERGY: (names.ENERGY, MICRO), GPU: (names.GPU_SECONDS, NANO)}
_IDLE = {CPU: (names.IDLE_CPU_SECONDS, NANO), ENERGY: (names.IDLE_ENERGY, MICRO), GPU: (names.IDLE_GPU_SECONDS, NANO)}
# counter of UsageSample: metric, further labels, units in one of the metric
_USAGE: dict[str, tuple[Metric, tuple[str, ...], int]] = {
    "cpu": (names.USAGE_CPU, (), NANO),
    "oom_kills": (names.USAGE_OOM_KILLS, (), 1),
    "pressure_cpu": (names.USAGE_PRESSURE, ("cpu",), NANO),
    "pressure_io": (names.USAGE_PRESSURE, ("io",), NANO),
    "pressure_memory": (names.USAGE_PRESSURE, ("memory",), NANO),
    "received": (names.USAGE_NETWORK, ("in",), 1),
    "sent": (names.USAGE_NETWORK, ("out",), 1),
    "throttled": (names.USAGE_THROTTLED, (), NANO),
}


def collect(view: ResourceView, prices: Prices | None) -> Iterator[Family]:
    """Yield the families of resources; those without samples are left out by the caller."""
    source = names.SOURCE.gauge()
    source.add_metric((view.source.kind, view.source.reason), 1)
    yield source
    in_flight = names.IN_FLIGHT_SECONDS.counter()
    for route, amount in view.totals.of(IN_FLIGHT):
        in_flight.add_metric(route, amount / NANO)
    yield in_flight
    yield from _shares(view.totals)
    yield from _tokens(view)
    yield from _usage(view)
    yield _prices(prices)


def _shares(totals: ResourceTotals) -> Iterator[Family]:
    shared = {resource: metric.counter() for resource, (metric, _) in _SHARED.items()}
    for (resource, *labels), amount in totals.of(SHARED):
        if resource in shared:
            shared[resource].add_metric(labels, amount / _SHARED[resource][1])
    yield from shared.values()
    for resource, (metric, unit) in _IDLE.items():
        family = metric.counter()
        for (name,), amount in totals.of(IDLE):
            if name == resource:
                family.add_metric((), amount / unit)
        yield family
    cost, idle_cost = names.COST.counter(), names.IDLE_COST.counter()
    for (resource, *labels), amount in totals.of(COST):
        cost.add_metric((*labels, resource), amount / PICO)
    for key, amount in totals.of(IDLE_COST):
        idle_cost.add_metric(key, amount / PICO)
    yield from (cost, idle_cost)


def _tokens(view: ResourceView) -> Iterator[Family]:
    tokens, exchanges, weights = (
        names.TOKENS.counter(),
        names.TOKEN_EXCHANGES.counter(),
        names.COMPLETION_WEIGHT.gauge(),
    )
    for (kind, *labels), amount in view.totals.of(TOKENS):
        tokens.add_metric((*labels, kind), amount)
    for (outcome, *labels), amount in view.totals.of(OUTCOMES):
        exchanges.add_metric((*labels, outcome), amount)
    for version, weight in view.completion_weights.items():
        weights.add_metric(version, weight)
    yield from (tokens, exchanges, weights)


def _usage(view: ResourceView) -> Iterator[Family]:
    families: dict[str, Family] = {}
    for (of, counter), amount in view.totals.of(USAGE):
        if counter in _USAGE:
            metric, labels, unit = _USAGE[counter]
            family = families.setdefault(metric.name, metric.counter())
            family.add_metric((of, *labels), amount / unit)  # type: ignore[attr-defined]  # Family is its base class
    yield from families.values()
    used, limit = names.USAGE_MEMORY.gauge(), names.USAGE_MEMORY_LIMIT.gauge()
    samples: dict[str, UsageSample | None] = {"model": view.model, "pilotfish": view.own}
    for of, sample in samples.items():
        if sample is not None and sample.memory is not None:
            used.add_metric((of,), sample.memory)
        if sample is not None and sample.memory_limit is not None:
            limit.add_metric((of,), sample.memory_limit)
    yield from (used, limit)


def _prices(prices: Prices | None) -> Family:
    family = names.PRICE.gauge()
    if prices is not None:
        found = {CPU: prices.cpu_hour, ENERGY: prices.kwh, GPU: prices.gpu_hour, MEMORY: prices.memory_gib_hour}
        for resource, price in found.items():
            if price > 0:
                family.add_metric((resource,), price)
    return family
