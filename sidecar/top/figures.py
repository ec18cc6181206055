"""Rates of one route of one sidecar from two answers, and what follows from them. Pure.

Figures of routes and pods add up: the quantile of a fleet follows from the sum of all histograms, and the seconds of a
request from the sum of all seconds. A figure that one part of a sum lacks is None in the sum.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from math import isfinite

from .exposition import ALL_USES, Buckets, RouteCounts

QUANTILE = 0.95
THOUSAND = 1000.0
MILLION = 1e6


@dataclass(frozen=True, slots=True)
class Figures:
    """Rates per second. `buckets` are cumulative; `uses` has seconds and cost per second, None if unknown."""

    requests: float = 0.0
    failed: float = 0.0
    buckets: Buckets = field(default_factory=dict)
    uses: Mapping[str, float | None] = field(default_factory=dict)

    def __add__(self, other: Figures) -> Figures:
        """Return the figures of both together."""
        bounds = self.buckets.keys() | other.buckets.keys()
        return Figures(
            self.requests + other.requests,
            self.failed + other.failed,
            {bound: _up_to(self.buckets, bound) + _up_to(other.buckets, bound) for bound in sorted(bounds)},
            {use: _sum(self.uses.get(use), other.uses.get(use)) for use in ALL_USES},
        )

    @property
    def error_ratio(self) -> float | None:
        """Share of failed requests; None without a request."""
        return self.failed / self.requests if self.requests > 0 else None

    @property
    def p95(self) -> float | None:
        """The 95 % quantile of the duration in seconds, as `histogram_quantile` computes it; None without a request."""
        return quantile(QUANTILE, self.buckets)

    def per_request(self, use: str) -> float | None:
        """Seconds or cost of one request; None if it is not known, and without a request."""
        amount = self.uses.get(use)
        return amount / self.requests if amount is not None and self.requests > 0 else None

    @property
    def cost_per_1000(self) -> float | None:
        """Cost of 1000 requests, in the currency of `spec.prices`."""
        cost = self.per_request("cost")
        return None if cost is None else cost * THOUSAND

    @property
    def cost_per_million_tokens(self) -> float | None:
        """Cost of a million tokens; exchanges without token counts are taken to be like those with counts."""
        tokens, cost = self.uses.get("tokens"), self.uses.get("token_cost")
        language, counted = self.uses.get("language"), self.uses.get("counted")
        if cost is None or not (tokens and language and counted):
            return None
        return cost * MILLION / (tokens * language / counted)


def rates(before: RouteCounts, now: RouteCounts, seconds: float) -> Figures | None:
    """Return the rates between two answers; None if a counter decreased: the process restarted in between."""
    uses = {use: _growth(before.uses.get(use), now.uses.get(use), seconds) for use in ALL_USES}
    requests, failed = now.requests - before.requests, now.failed - before.failed
    buckets = {bound: (count - _up_to(before.buckets, bound)) / seconds for bound, count in now.buckets.items()}
    if min(requests, failed, *buckets.values(), 0.0) < 0:
        return None
    return Figures(requests / seconds, failed / seconds, buckets, uses)


def total(figures: Iterable[Figures]) -> Figures | None:
    """Return the sum; None without figures."""
    found = list(figures)
    return reduce(Figures.__add__, found) if found else None


def quantile(share: float, buckets: Buckets) -> float | None:
    """Return a quantile of cumulative buckets, interpolated within its bucket; None if they are empty.

    A quantile above the largest finite bound is that bound, as in Prometheus.
    """
    bounds = sorted(buckets)
    count = buckets[bounds[-1]] if bounds else 0.0
    if not count > 0:
        return None
    wanted = share * count
    low, below = 0.0, 0.0
    for bound in bounds:
        if buckets[bound] >= wanted:
            if not isfinite(bound):
                return low
            inside = buckets[bound] - below
            return low + (bound - low) * ((wanted - below) / inside if inside > 0 else 1.0)
        low, below = bound, buckets[bound]
    return low


def _up_to(buckets: Buckets, bound: float) -> float:
    """Return the requests up to `bound`; a histogram without this bound has those of the next lower one."""
    if bound in buckets:
        return buckets[bound]
    return max((count for other, count in buckets.items() if other < bound), default=0.0)


def _sum(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one + other


def _growth(before: float | None, now: float | None, seconds: float) -> float | None:
    """Return the growth per second; None if one end is unknown, or if the counter decreased."""
    if before is None or now is None or now < before:
        return None
    return (now - before) / seconds
