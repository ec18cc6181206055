"""Adds windows to the totals: use, shares of routes and versions, what was idle, and cost. Pure: no clock, no I/O.

Units: CPU and GPU in ns, energy in microjoules, memory in byte-seconds, cost in 1e-12 of the currency. They are whole
numbers, so for each resource the shares and idle add up to exactly what was measured.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from ..channel import layout
from ..settings.document import Model, Prices
from .attribution import Attribution
from .totals import ResourceTotals

CPU, ENERGY, GPU, MEMORY = RESOURCES = ("cpu", "energy", "gpu", "memory")
# kinds of totals
MEASURED, SHARED, IDLE = "measured", "shared", "idle"
COST, IDLE_COST = "cost", "idle_cost"
IN_FLIGHT, EXCHANGES, USAGE = "in_flight", "exchanges", "usage"

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
    """

    elapsed_ns: int
    in_flight: Mapping[str, int] | None = None
    exchanges: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    measured: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    unused: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    usage: Mapping[tuple[str, str], int] = field(default_factory=lambda: MappingProxyType({}))


class Accounts:
    """Adds windows to `totals`."""

    def __init__(self, totals: ResourceTotals) -> None:
        self.totals = totals
        self._attributions = {resource: Attribution() for resource in RESOURCES}

    def add(self, window: UsageWindow, model: Model, prices: Prices | None) -> None:
        """Count one window, for the model and the prices that are in force."""
        totals = self.totals
        for route, amount in (window.in_flight or {}).items():
            totals.add((IN_FLIGHT, route), amount)
        for route, amount in window.exchanges.items():
            totals.add((EXCHANGES, *served(route, model), route), amount)
        for (of, counter), amount in window.usage.items():
            totals.add((USAGE, of, counter), amount)
        for resource, measured in window.measured.items():
            rate = price_rate(resource, prices)
            unused = max(0, window.unused.get(resource, 0))
            split = self._attributions[resource].split(measured, window.elapsed_ns, window.in_flight)
            totals.add((MEASURED, resource), split.measured + unused)
            totals.add((IDLE, resource), split.idle + unused)
            totals.add((IDLE_COST, resource), round((split.idle + unused) * rate))
            for route, amount in split.shares.items():
                names = served(route, model)
                totals.add((SHARED, resource, *names, route), amount)
                totals.add((COST, resource, *names, route), round(amount * rate))


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
