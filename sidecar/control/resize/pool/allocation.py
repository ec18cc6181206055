"""The shares of the members of a pool, by the marginal benefit of a core.

1. Each pod gets what its load needs, with HEADROOM, within its bounds. If the budget is less than that, all get the
   same part of it, so that all are slowed down alike. The use of a saturated member is no measure of its need. It gets
   KEPT of its use here.
2. If members are saturated, all are raised where a core is worth most. In a closed loop, latency is in proportion to
   `requests / cores`, so that one more core is worth `requests / cores`. More than MOST_REQUESTS count as these.
3. Each pod gets what its load may need before a share can follow, or the same part of it if the rest is less.
4. The rest goes where a core lowers the requests in flight most: all benefits become equal, which is the assignment of
   capacities of Kleinrock (Communication Nets, 1964), with bounds. A member without requests keeps its minimum.
5. Cores that would lower nobody's latency by 5 % stay unassigned: they are the room for new pods.

More load of a member never lowers its share, and never raises that of another one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .queue import benefit, useful

HEADROOM = 1.1  # of the load: the queue of a much busier pod is long, and it would seem saturated (see `demand`)
KEPT = 0.8  # of the use of a saturated member, before all of them share what others do not need
MOST_REQUESTS = 16.0  # in flight: a long queue gets no more cores than this one
BAND = 0.1  # of a share: a smaller change is not made
NARROW = 0.04  # of a share: a raise by less is never made
HALVINGS = 44
ENOUGH = 1e-5  # cores; a share is in whole millicores
TINIEST = 1e-12  # requests in flight for a core: what one is worth at least


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolClaim:
    """What one member claims, for each of its `pods`, in cores: bounds, load, load that may come soon, parallelism.

    `want` is what the requests in flight of a saturated member can use; 0 for a member that is not saturated. One whose
    requests are unknown could use all, and a core is worth as much to it as to a pod with `weighed` in flight.
    """

    pods: int
    minimum: float
    maximum: float
    load: float
    soon: float = 0.0
    want: float = 0.0
    weighed: float = MOST_REQUESTS
    parallelism: float = 1.0
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Allocation:
    """The cores of each pod by member, and which part of the need is covered, 1 for all of it.

    `short` are the saturated members that could use more.
    """

    shares: Mapping[str, float]
    covered: float
    short: frozenset[str] = frozenset()


def allocate(budget: float, claims: Mapping[str, PoolClaim]) -> Allocation:
    """Return the best shares of `budget` cores; the minimum of each claim always, also if the budget is less."""
    covered = _covered(budget, claims)
    base = {name: _needed(claim, covered) for name, claim in claims.items()}
    if covered < 1.0:
        return Allocation(base, covered)
    if any(claim.want for claim in claims.values()):
        base = _balanced(budget, claims, base)
    short = frozenset(name for name, claim in claims.items() if claim.pods and base[name] < _wanted(claim) - ENOUGH)
    return Allocation(_balanced(budget, claims, _prepared(budget, claims, base)), 1.0, short)


def differs(before: float, after: float, load: float) -> bool:
    """Return whether the share `after` is worth a change from `before`.

    It is if it differs by BAND. A raise is also if it doubles what the load leaves free, from NARROW on.
    """
    doubles = before - load < 0.5 * (after - load)
    return abs(after - before) > BAND * before or (doubles and after - before > NARROW * before)


def _covered(budget: float, claims: Mapping[str, PoolClaim]) -> float:
    """Return the largest part of the need, up to 1, that `budget` covers; 0 if it does not cover the minima."""
    low, high = 0.0, 1.0
    if _total(claims, {name: _needed(claim, high) for name, claim in claims.items()}) <= budget:
        return high
    for _ in range(HALVINGS):
        middle = (low + high) / 2.0
        fits = _total(claims, {name: _needed(claim, middle) for name, claim in claims.items()}) <= budget
        low, high = (middle, high) if fits else (low, middle)
    return low


def _balanced(budget: float, claims: Mapping[str, PoolClaim], base: Mapping[str, float]) -> dict[str, float]:
    """Return `base` with the rest of the budget where one more core is worth most."""
    ends = {name: _end(claim, base[name]) for name, claim in claims.items()}
    if _total(claims, ends) <= budget:
        return ends
    edges = [_worth(claim, cores[name]) for cores in (base, ends) for name, claim in claims.items()]
    low, high = max(min(edges), TINIEST), max(*edges, TINIEST)
    shares = dict(base)
    while budget - _total(claims, shares) > ENOUGH and high > low * (1.0 + ENOUGH):
        middle = (low * high) ** 0.5
        tried = {name: _cores(claim, base[name], ends[name], middle) for name, claim in claims.items()}
        if _total(claims, tried) > budget:
            low = middle
        else:
            high, shares = middle, tried
    return shares


def _prepared(budget: float, claims: Mapping[str, PoolClaim], base: Mapping[str, float]) -> dict[str, float]:
    """Return `base` with what the loads may need soon, or with the same part of it for all."""
    full = {name: max(base[name], min(HEADROOM * claim.soon, claim.maximum)) for name, claim in claims.items()}
    more = _total(claims, full) - _total(claims, base)
    part = min(1.0, max(0.0, budget - _total(claims, base)) / more) if more > 0.0 else 1.0
    return {name: base[name] + part * (full[name] - base[name]) for name in claims}


def _needed(claim: PoolClaim, part: float) -> float:
    factor = KEPT if claim.want else HEADROOM
    return min(max(part * factor * claim.load, claim.minimum), claim.maximum)


def _wanted(claim: PoolClaim) -> float:
    return min(HEADROOM * max(claim.want, claim.load), claim.maximum) if claim.want else 0.0


def _end(claim: PoolClaim, base: float) -> float:
    """Return the cores beyond which a pod has no use for more."""
    if claim.want:
        return max(base, _wanted(claim))
    if base <= claim.load or base >= claim.maximum:
        return base
    return useful(claim.load, claim.parallelism, base, claim.maximum)


def _worth(claim: PoolClaim, cores: float) -> float:
    """Return what one more core is worth to a pod; nothing if it has less than its load."""
    if claim.want:
        return claim.weight * min(claim.want, claim.weighed, MOST_REQUESTS) / cores
    return claim.weight * benefit(cores, claim.load, claim.parallelism) if cores > claim.load else 0.0


def _cores(claim: PoolClaim, base: float, end: float, common: float) -> float:
    """Return the cores between `base` and `end` at which one more is worth `common`."""
    if base >= end or _worth(claim, base) <= common:
        return base
    if _worth(claim, end) >= common:
        return end
    low, high = base, end
    while high - low > ENOUGH / 10.0:
        middle = (low + high) / 2.0
        low, high = (middle, high) if _worth(claim, middle) > common else (low, middle)
    return low


def _total(claims: Mapping[str, PoolClaim], shares: Mapping[str, float]) -> float:
    return sum(claim.pods * shares[name] for name, claim in claims.items())
