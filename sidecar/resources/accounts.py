"""Adds windows to the totals: use, shares of routes and versions, what was idle, and cost. Pure: no clock, no I/O.

Units: CPU and GPU in ns, energy in microjoules, memory in byte-seconds, cost in 1e-12 of the currency. They are whole
numbers, so for each resource the shares and idle add up to exactly what was measured.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from ..channel import layout
from ..settings.document import AttributionSettings, Model, Prices
from .attribution import Attribution, divide_by_weight
from .rates import IN_FLIGHT_RULE, RouteRates, WorkGroup
from .totals import ResourceTotals
from .work import Work

CPU, ENERGY, GPU, MEMORY = RESOURCES = ("cpu", "energy", "gpu", "memory")
# kinds of totals
MEASURED, SHARED, IDLE = "measured", "shared", "idle"
COST, IDLE_COST = "cost", "idle_cost"
IN_FLIGHT, EXCHANGES, USAGE = "in_flight", "exchanges", "usage"
RULE = "rule"  # what was shared out, by resource and rule
# exchanges in windows in which a resource was measured, by resource, or in which anything was priced, by COST
COVERED = "covered"
# of language models: exchanges with 2xx, their outcomes; tokens, exchanges that tell them, and squared tokens by kind
ANSWERED, OUTCOMES = "answered", "outcomes"
TOKENS, TOLD, SQUARES = "tokens", "told", "squares"

HOUR_NS = 3600 * 10**9
GIB = 1 << 30
PICO = 10**12
_MODEL = re.compile(r"\A[A-Z]+ /(?:v[12]/models|predictions)/([^/:]+)(?:/versions/([^/:]+))?(?:[/:]|\Z)")


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageWindow:
    """What happened between two samples.

    Attributes:
        elapsed_ns: length of the window.
        in_flight: in-flight time by route, in ns; None without a counter page.
        exchanges: exchanges that ended, by route.
        measured: use by resource; a resource that was not measured is absent.
        unused: part of the resource that nobody used, such as time of a GPU without a kernel; it counts as idle.
        usage: growth of the counters of `UsageSample`, by (of, counter).
        answered: exchanges that ended with a status of 2xx, by route.
        work: tokens and rows of the exchanges whose records arrived, by route.
    """

    elapsed_ns: int
    in_flight: Mapping[str, int] | None = None
    exchanges: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    measured: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    unused: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    usage: Mapping[tuple[str, str], int] = field(default_factory=lambda: MappingProxyType({}))
    answered: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    work: Mapping[str, Work] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class CostRules:
    """What the document in force says about cost."""

    model: Model = field(default_factory=Model)
    prices: Prices | None = None
    attribution: AttributionSettings = field(default_factory=AttributionSettings)


class Accounts:
    """Adds windows to `totals`."""

    def __init__(self, totals: ResourceTotals) -> None:
        self.totals = totals
        _cover_past(totals)
        self._attributions = {resource: Attribution() for resource in RESOURCES}
        self._rates = RouteRates()

    def add(self, window: UsageWindow, rules: CostRules) -> None:
        """Count one window, by the rules that are in force."""
        totals, model = self.totals, rules.model
        for route, amount in (window.in_flight or {}).items():
            totals.add((IN_FLIGHT, route), amount)
        priced = any(price_rate(resource, rules.prices) > 0 for resource in window.measured)
        covered = (*window.measured, *((COST,) if priced else ()))
        for route, amount in window.exchanges.items():
            totals.add((EXCHANGES, *served(route, model), route), amount)
            for name in covered:
                totals.add((COVERED, name, *served(route, model), route), amount)
        for (of, counter), amount in window.usage.items():
            totals.add((USAGE, of, counter), amount, fixed=True)
        work = _by_slot(window)
        self._rates.add(work, window.in_flight or {}, window.elapsed_ns, lambda route: served(route, model))
        for route, found in work.items():
            _add_tokens(totals, (*served(route, model), route), found)
        for route, amount in window.answered.items():
            totals.add((ANSWERED, *served(route, model), route), amount)
        groups = self._rates.groups(window.in_flight or {}, rules.attribution, lambda route: served(route, model))
        for resource, measured in window.measured.items():
            self._share(resource, measured, window, rules, groups)

    def completion_weights(self, rules: CostRules) -> dict[tuple[str, str], float]:
        """Return what a completion token costs in prompt tokens, by model version, where it is known."""
        return self._rates.weights(rules.attribution)

    def _share(
        self, resource: str, measured: int, window: UsageWindow, rules: CostRules, groups: Sequence[WorkGroup]
    ) -> None:
        """Share out one resource."""
        totals, rate = self.totals, price_rate(resource, rules.prices)
        unused = max(0, window.unused.get(resource, 0))
        split = self._attributions[resource].split(measured, window.elapsed_ns, window.in_flight)
        totals.add((MEASURED, resource), split.measured + unused, fixed=True)
        totals.add((IDLE, resource), split.idle + unused, fixed=True)
        if rate > 0:
            totals.add((IDLE_COST, resource), round((split.idle + unused) * rate), fixed=True)
        shares, by_time = split.shares, sum(split.shares.values())
        for group in groups:
            amount = sum(shares.get(route, 0) for route in group.weights)
            totals.add((RULE, resource, group.rule), amount, fixed=True)
            by_time -= amount
            shares = divide_by_weight(shares, group.weights)
        totals.add((RULE, resource, IN_FLIGHT_RULE), by_time, fixed=True)
        for route, amount in shares.items():
            names = served(route, rules.model)
            totals.add((SHARED, resource, *names, route), amount)
            if rate > 0:
                totals.add((COST, resource, *names, route), round(amount * rate))


def _cover_past(totals: ResourceTotals) -> None:
    """Count the exchanges of totals that an older release stored without COVERED as covered."""
    if any(True for _ in totals.of(COVERED)):
        return
    known = [resource for (resource,), _ in totals.of(MEASURED)]
    known += [COST] if any(True for _ in totals.of(COST)) else []
    for key, amount in list(totals.of(EXCHANGES)):
        for name in known:
            if name == COST or totals.get(SHARED, name, *key):
                totals.add((COVERED, name, *key), amount)


def _by_slot(window: UsageWindow) -> dict[str, Work]:
    """Return the work by the routes of the counter page; routes without a slot are `other`."""
    if window.in_flight is None:
        return dict(window.work)
    work: dict[str, Work] = {}
    for route, found in window.work.items():
        slot = route if route in window.in_flight else layout.OTHER_ROUTE
        work[slot] = work[slot].plus(found) if slot in work else found
    return work


def _add_tokens(totals: ResourceTotals, names: tuple[str, str, str], work: Work) -> None:
    for outcome, amount in work.outcomes.items():
        totals.add((OUTCOMES, outcome, *names), amount)
    for kind, found in ((TOKENS, work.tokens), (TOLD, work.told), (SQUARES, work.squares)):
        for token, amount in found.items():
            totals.add((kind, token, *names), amount)


def price_rate(resource: str, prices: Prices | None) -> float:
    """Return the price of one unit of a resource, in 1e-12 of the currency; 0 without prices."""
    if prices is None:
        return 0.0
    return {
        CPU: prices.cpu_hour / HOUR_NS,
        ENERGY: prices.kwh / 3.6e12,
        GPU: prices.gpu_hour / HOUR_NS,
        MEMORY: prices.memory_gib_hour / (GIB * 3600),
    }[resource] * PICO


def served(route: str, model: Model) -> tuple[str, str]:
    """Return model and version that a route serves: those in its path, else those of the document.

    The version of the document applies to its own model only.
    """
    found = _MODEL.match(route)
    if route == layout.PROBES_ROUTE:
        return "", ""
    if found is None or (model.name and found[1] == model.name):
        version = found[2] if found else None
        return model.name, version or model.version
    return found[1], found[2] or ("" if model.name else model.version)
