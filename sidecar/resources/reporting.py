"""Builds the block `resources` of the report from a ResourceView."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from ..channel import layout
from ..report.blocks.resources import (
    Attributed,
    ContainerUse,
    PredictionCost,
    Pressure,
    ResourceReport,
    ResourceUse,
    RouteUse,
)
from ..report.blocks.sharing import CardSharing
from ..report.schema import Report
from ..settings.document import Prices
from .accounts import (
    COST,
    COVERED,
    CPU,
    ENERGY,
    EXCHANGES,
    GIB,
    GPU,
    IDLE,
    IDLE_COST,
    IN_FLIGHT,
    MEASURED,
    MEMORY,
    PICO,
    RESOURCES,
    SHARED,
    USAGE,
    price_rate,
)
from .pod.figures import ContainerFigures
from .rates import IN_FLIGHT_RULE, ROWS_RULE, TOKENS_RULE
from .sharing import model_load, share_cards
from .token_reporting import rule_shares, token_costs
from .totals import ResourceTotals
from .usage import UsageSample
from .watch import ResourceView

NANO, MICRO = 10**9, 10**6
_UNITS = {CPU: NANO, ENERGY: MICRO, GPU: NANO, MEMORY: GIB}
_RULES = {IN_FLIGHT_RULE: "equal in-flight time", ROWS_RULE: "rows", TOKENS_RULE: "tokens"}
_PRICES = {CPU: "cpuHour", ENERGY: "kWh", GPU: "gpuHour", MEMORY: "memoryGiBHour"}  # of spec.prices
COSTS_LESS = "the costs do not contain it"
_PRESSURES = ("cpu", "io", "memory")
_OF: tuple[Literal["model", "pilotfish"], ...] = ("model", "pilotfish")


def resource_report(view: ResourceView, report: Report, prices: Prices | None) -> ResourceReport:
    """Return the block for `view`. The rows of `report` turn exchanges into predictions."""
    totals = view.totals
    rules = rule_shares(totals)
    known = {resource for (resource,), _ in totals.of(MEASURED)}
    rates = {resource: price_rate(resource, prices) for resource in RESOURCES}
    priced = any(rates[resource] > 0 for resource in known)
    unpriced = [resource for resource in RESOURCES if rates[resource] > 0 and resource not in known]
    samples = ((view.model, view.model_cores), (view.own, view.own_cores))
    use = [_use(of, sample, cores, totals) for of, (sample, cores) in zip(_OF, samples, strict=True) if sample]
    keys = _keys(totals)
    routes = [_route(key, totals, known, priced=priced) for key in keys]
    return ResourceReport(
        source=view.source,
        rule=" and ".join(sorted({_RULES.get(each.rule, each.rule) for each in rules})) or _RULES[IN_FLIGHT_RULE],
        rules=rules,
        tokens=token_costs(totals, known, view.completion_weights, priced=priced),
        use=tuple(use),
        containers=tuple(map(_container, view.containers)),
        routes=tuple(sorted(routes, key=lambda route: -(route.used.cpu_seconds or 0.0))),
        idle=_idle(totals, known, priced=priced) if known else None,
        predictions=_predictions(keys, totals, known, report, priced=priced) if known else (),
        sharing=_sharing(view, prices),
        currency=prices.currency if prices is not None else "",
        notes=(
            *view.notes,
            *(f"{_PRICES[name]} is set, but {name} is not measured; {COSTS_LESS}" for name in unpriced),
        ),
    )


def _sharing(view: ResourceView, prices: Prices | None) -> tuple[CardSharing, ...]:
    if view.gpu is None:
        return ()
    load = model_load(view.page) if view.page is not None else None
    gpu_hour = prices.gpu_hour if prices is not None and prices.gpu_hour > 0 else None
    return share_cards(view.gpu, view.gpu_use, view.pids, load, gpu_hour)


def _keys(totals: ResourceTotals) -> list[tuple[str, str, str]]:
    """Return model, version and route of all totals by route."""
    found = {(key[0], key[1], key[2]) for key, _ in totals.of(EXCHANGES)}
    return sorted(found | {(key[1], key[2], key[3]) for key, _ in totals.of(SHARED)})


def _use(
    of: Literal["model", "pilotfish"], sample: UsageSample, cores: float | None, totals: ResourceTotals
) -> ResourceUse:
    def counted(name: str) -> int | None:
        return totals.get(USAGE, of, name) if name in sample.counters() else None

    def seconds(name: str) -> float | None:
        amount = counted(name)
        return None if amount is None else amount / NANO

    pressure = Pressure(**{name: seconds(f"pressure_{name}") for name in _PRESSURES})
    return ResourceUse(
        of=of,
        method=sample.method,
        processes=sample.processes,
        threads=sample.threads,
        cpu_seconds=seconds("cpu") or 0.0,
        cores=cores,
        throttled_seconds=seconds("throttled"),
        memory_bytes=sample.memory,
        memory_limit_bytes=sample.memory_limit,
        oom_kills=counted("oom_kills"),
        pressure=pressure if sample.pressure_ns else None,
        received_bytes=counted("received"),
        sent_bytes=counted("sent"),
    )


def _container(one: ContainerFigures) -> ContainerUse:
    pressure = {name: amount / NANO for name, amount in one.pressure_ns.items()}
    return ContainerUse(
        name=one.name,
        processes=one.processes,
        cpu_seconds=one.cpu_ns / NANO,
        throttled_seconds=None if one.throttled_ns is None else one.throttled_ns / NANO,
        memory_bytes=one.memory,
        memory_limit_bytes=one.memory_limit,
        oom_kills=one.oom_kills,
        pressure=Pressure(**{name: pressure.get(name) for name in _PRESSURES}) if pressure else None,
    )


def _route(key: tuple[str, str, str], totals: ResourceTotals, known: set[str], *, priced: bool) -> RouteUse:
    model, version, route = key
    return RouteUse(
        route=route,
        model=model,
        version=version,
        exchanges=totals.get(EXCHANGES, *key),
        in_flight_seconds=totals.get(IN_FLIGHT, route) / NANO,
        used=_attributed(totals, [key], known, priced=priced),
    )


def _attributed(
    totals: ResourceTotals, keys: Iterable[tuple[str, str, str]], known: set[str], *, priced: bool
) -> Attributed:
    keys = list(keys)
    amounts = {name: sum(totals.get(SHARED, name, *key) for key in keys) for name in RESOURCES}
    cost = sum(totals.get(COST, name, *key) for key in keys for name in RESOURCES) / PICO
    return _in_units(amounts, known, cost if priced else None)


def _idle(totals: ResourceTotals, known: set[str], *, priced: bool) -> Attributed:
    amounts = {name: totals.get(IDLE, name) for name in RESOURCES}
    cost = sum(totals.get(IDLE_COST, name) for name in RESOURCES) / PICO
    return _in_units(amounts, known, cost if priced else None)


def _in_units(amounts: dict[str, int], known: set[str], cost: float | None) -> Attributed:
    values = {name: amounts[name] / _UNITS[name] if name in known else None for name in RESOURCES}
    return Attributed(
        cpu_seconds=values[CPU],
        gpu_seconds=values[GPU],
        energy_joules=values[ENERGY],
        memory_gib_seconds=values[MEMORY],
        cost=cost,
    )


def _predictions(
    keys: list[tuple[str, str, str]], totals: ResourceTotals, known: set[str], report: Report, *, priced: bool
) -> tuple[PredictionCost, ...]:
    """Return the cost of predictions by model version: of all POST requests but probes and routes without a slot."""
    measured = sum(count.exchanges for count in report.counts if count.fate == "measured")
    rows = sum(count.rows for count in report.rows if count.side == "prediction")
    each = rows / measured if measured and rows else None
    by_version: dict[tuple[str, str], list[tuple[str, str, str]]] = {}
    for key in keys:
        if key[2].startswith("POST ") and key[2] != layout.OTHER_ROUTE:
            by_version.setdefault(key[:2], []).append(key)
    found = []
    for (model, version), own in by_version.items():
        exchanges = sum(totals.get(EXCHANGES, *key) for key in own)
        count = round(exchanges * each) if each is not None else exchanges
        if count:
            used = _attributed(totals, own, known, priced=priced)
            covered = {
                name: sum(totals.get(COVERED, name, *key) for key in own) * (1 if each is None else each)
                for name in (*RESOURCES, COST)
            }
            found.append(
                PredictionCost(
                    model=model,
                    version=version,
                    per="row" if each is not None else "exchange",
                    predictions=count,
                    cpu_seconds=_divided(used.cpu_seconds, covered[CPU]),
                    gpu_seconds=_divided(used.gpu_seconds, covered[GPU]),
                    energy_joules=_divided(used.energy_joules, covered[ENERGY]),
                    cost_per_1000=_divided(used.cost, covered[COST] / 1000),
                )
            )
    return tuple(found)


def _divided(amount: float | None, count: float) -> float | None:
    return None if amount is None else amount / count
