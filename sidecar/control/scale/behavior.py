"""How fast the replicas may change: the stabilisation windows and rate policies of autoscaling/v2.

Follows `normalizeDesiredReplicasWithBehaviors` of k8s.io/kubernetes/pkg/controller/podautoscaler/horizontal.go of
Kubernetes 1.36: first the window of each direction, then the policies, then the bounds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil

from ..reasons import Reason
from .plan import ScalePlan
from .proposals import LARGEST
from .state import Recommended, ScaleState


@dataclass(frozen=True, slots=True)
class Limited:
    """The replicas after windows, policies and bounds; `reason` names what limited them, None if nothing did."""

    replicas: int
    reason: Reason | None


def normalize(plan: ScalePlan, state: ScaleState, current: int, proposed: int, now: float) -> Limited:
    """Return the replicas that `proposed` gives at the time `now`, without recording it."""
    stable = _stabilized(plan, state.recommended, current, proposed, now)
    limited = _limited(plan, state, current, stable, now)
    if limited.replicas != stable:
        return limited
    return Limited(stable, Reason.STABILIZED if stable != proposed else None)


def recorded(plan: ScalePlan, state: ScaleState, proposed: int, now: float) -> tuple[Recommended, ...]:
    """Return the proposals that a window may still need, with the newest one."""
    oldest = now - max(plan.up.window, plan.down.window)
    return (*(item for item in state.recommended if item.at >= oldest), Recommended(proposed, now))


def up_limit(plan: ScalePlan, state: ScaleState, current: int, now: float) -> int:
    """Return the most replicas that the policies allow now, at least `current`."""
    if plan.up.select == "Disabled":
        return current
    proposals = []
    for policy in plan.up.policies:
        start = _period_start(state, current, now - policy.period)
        proposals.append(ceil(start * (1 + policy.value / 100)) if policy.percent else start + policy.value)
    return max(current, min(LARGEST, (min if plan.up.select == "Min" else max)(proposals)))


def down_limit(plan: ScalePlan, state: ScaleState, current: int, now: float) -> int:
    """Return the fewest replicas that the policies allow now, at most `current`."""
    if plan.down.select == "Disabled":
        return current
    proposals = []
    for policy in plan.down.policies:
        start = _period_start(state, current, now - policy.period)
        proposals.append(int(start * (1 - policy.value / 100)) if policy.percent else start - policy.value)
    return min(current, (max if plan.down.select == "Min" else min)(proposals))


def _stabilized(plan: ScalePlan, recommended: Iterable[Recommended], current: int, proposed: int, now: float) -> int:
    """Return the number nearest to `current` between the lowest recent proposal upward and the highest downward."""
    up = down = proposed
    for item in recommended:
        if item.at > now - plan.up.window:
            up = min(item.replicas, up)
        if item.at > now - plan.down.window:
            down = max(item.replicas, down)
    return min(max(current, up), down)


def _limited(plan: ScalePlan, state: ScaleState, current: int, wanted: int, now: float) -> Limited:
    if wanted > current:
        limit = up_limit(plan, state, current, now)
        bound, reason = (
            (limit, Reason.POLICY_LIMIT) if plan.max_replicas > limit else (plan.max_replicas, Reason.BOUNDS)
        )
        return Limited(bound, reason) if wanted > bound else Limited(wanted, None)
    if wanted < current:
        limit = down_limit(plan, state, current, now)
        bound, reason = (
            (limit, Reason.POLICY_LIMIT) if plan.min_replicas < limit else (plan.min_replicas, Reason.BOUNDS)
        )
        return Limited(bound, reason) if wanted < bound else Limited(wanted, None)
    return Limited(wanted, None)


def _period_start(state: ScaleState, current: int, cutoff: float) -> int:
    """Return the replicas at the start of a period, from the changes since."""
    added = sum(event.after - event.before for event in state.ups if event.at > cutoff)
    removed = sum(event.before - event.after for event in state.downs if event.at > cutoff)
    return current - added + removed
