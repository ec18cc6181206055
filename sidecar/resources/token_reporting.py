"""Builds the token costs of the report from the totals. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import sqrt

from ..report.blocks.tokens import RuleShare, TokenCost, TokenReason
from .accounts import (
    ANSWERED,
    COST,
    COVERED,
    CPU,
    ENERGY,
    EXCHANGES,
    GPU,
    OUTCOMES,
    PICO,
    RESOURCES,
    RULE,
    SHARED,
    SQUARES,
    TOKENS,
    TOLD,
)
from .totals import ResourceTotals
from .work import CACHED, COMPLETION, COUNTED, PROMPT

MILLION = 1e6
CONFIDENCE = 1.96  # standard errors of a 95 % interval
_UNITS = {CPU: 1e9, ENERGY: 1e6, GPU: 1e9}

Names = tuple[str, str, str]  # model, version, route


@dataclass(frozen=True, slots=True)
class Estimate:
    """Tokens of all exchanges, scaled from those with counts, and the variance of this sum."""

    tokens: float
    variance: float | None


def language_routes(totals: ResourceTotals) -> list[Names]:
    """Return model, version and route of all language models: routes on which tokens were expected or counted."""
    return sorted({(key[1], key[2], key[3]) for key, _ in totals.of(OUTCOMES)})


def token_costs(
    totals: ResourceTotals, known: set[str], weights: Mapping[tuple[str, str], float], *, priced: bool
) -> tuple[TokenCost, ...]:
    """Return tokens and their cost by model version. `known` are the resources that were measured."""
    versions: dict[tuple[str, str], list[Names]] = {}
    for names in language_routes(totals):
        versions.setdefault(names[:2], []).append(names)
    priced = priced and bool(known)
    return tuple(_cost(own, totals, known, weights.get(version), priced=priced) for version, own in versions.items())


def rule_shares(totals: ResourceTotals) -> tuple[RuleShare, ...]:
    """Return which part of each resource was shared out by which rule."""
    sums: dict[str, int] = {}
    for (resource, _), amount in totals.of(RULE):
        sums[resource] = sums.get(resource, 0) + amount
    return tuple(
        RuleShare(resource=resource, rule=rule, ratio=amount / sums[resource])
        for (resource, rule), amount in totals.of(RULE)
        if amount
    )


def estimate(totals: ResourceTotals, kind: str, names: Names) -> Estimate:
    """Return the tokens of all answered exchanges of a route: the mean of those that tell them, times their number.

    The variance is that of a sum over a finite population from a simple random sample of it; 0 if all of them tell.
    """
    told, tokens = totals.get(TOLD, kind, *names), totals.get(TOKENS, kind, *names)
    answered = max(told, totals.get(ANSWERED, *names))
    if not told:
        return Estimate(0.0, None if answered else 0.0)
    mean = tokens / told
    if answered == told:
        return Estimate(tokens, 0.0)
    if told < 2:
        return Estimate(mean * answered, None)
    spread = max(0.0, totals.get(SQUARES, kind, *names) - tokens * mean) / (told - 1)
    return Estimate(mean * answered, answered**2 * spread / told * (1 - told / answered))


def _total(found: Iterable[Estimate]) -> Estimate:
    found = list(found)
    variances = [each.variance for each in found]
    known = sum(variance for variance in variances if variance is not None) if None not in variances else None
    return Estimate(sum(each.tokens for each in found), known)


def _cost(
    routes: list[Names], totals: ResourceTotals, known: set[str], weight: float | None, *, priced: bool
) -> TokenCost:
    sums = {kind: sum(totals.get(TOKENS, kind, *names) for names in routes) for kind in (PROMPT, COMPLETION, CACHED)}
    counted = sum(totals.get(OUTCOMES, COUNTED, *names) for names in routes)
    unknown = _unknown(routes, totals)
    answered = counted + sum(unknown.values())
    scaled = {kind: _total(estimate(totals, kind, names) for names in routes) for kind in sums}
    everything = _total((scaled[PROMPT], scaled[COMPLETION]))
    millions = everything.tokens / MILLION
    covered = {name: _covered(totals, name, routes) for name in (*_UNITS, COST)}
    used = {
        name: _divided(
            sum(totals.get(SHARED, name, *names) for names in routes) / unit,
            millions * covered[name],
            known=name in known,
        )
        for name, unit in _UNITS.items()
    }
    cost = sum(totals.get(COST, name, *names) for names in routes for name in RESOURCES) / PICO
    work = (
        None if weight is None else scaled[PROMPT].tokens - scaled[CACHED].tokens + scaled[COMPLETION].tokens * weight
    )
    each = _divided(
        cost, work * covered[COST] / MILLION if work else 0.0, known=priced
    )  # cost of a million units of work
    return TokenCost(
        model=routes[0][0],
        version=routes[0][1],
        exchanges=answered,
        counted=counted,
        unknown=unknown,
        prompt=sums[PROMPT],
        completion=sums[COMPLETION],
        cached=sums[CACHED],
        estimated_prompt=scaled[PROMPT].tokens if sums[PROMPT] else None,
        estimated_completion=scaled[COMPLETION].tokens if counted else None,
        error_ratio=_error(everything),
        cpu_seconds_per_million=used[CPU],
        gpu_seconds_per_million=used[GPU],
        joules_per_million=used[ENERGY],
        cost_per_million=_divided(cost, millions * covered[COST], known=priced),
        completion_weight=weight,
        cost_per_million_prompt=each,
        cost_per_million_completion=None if each is None or weight is None else each * weight,
        advice=_advice(unknown),
    )


def _covered(totals: ResourceTotals, name: str, routes: list[Names]) -> float:
    """Return the share of the exchanges of some routes in which a resource was measured, or use was priced."""
    exchanges = sum(totals.get(EXCHANGES, *names) for names in routes)
    return sum(totals.get(COVERED, name, *names) for names in routes) / exchanges if exchanges else 1.0


def _unknown(routes: list[Names], totals: ResourceTotals) -> dict[str, int]:
    """Return the exchanges without all counts by reason; those that were not recorded are the rest of the answered."""
    own = set(routes)
    found: dict[str, int] = {}
    recorded = 0
    for (outcome, *names), amount in totals.of(OUTCOMES):
        if tuple(names) in own:
            recorded += amount
            if outcome != COUNTED:
                found[outcome] = found.get(outcome, 0) + amount
    missing = sum(totals.get(ANSWERED, *names) for names in routes) - recorded
    return found | ({TokenReason.NOT_RECORDED.value: missing} if missing > 0 else {})


def _error(found: Estimate) -> float | None:
    if found.variance is None or not found.tokens:
        return None
    return CONFIDENCE * sqrt(found.variance) / found.tokens


def _advice(unknown: Mapping[str, int]) -> str:
    """Return what to do about the most frequent reason that has a remedy."""
    for reason in sorted(unknown, key=lambda reason: -unknown[reason]):
        found = TokenReason.of_value(reason)
        if found is not None and found.remedy:
            return f"{found.meaning}; {found.remedy}"
    return ""


def _divided(amount: float, by: float, *, known: bool) -> float | None:
    return amount / by if known and by > 0 else None
