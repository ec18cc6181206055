"""The latency gate: a latency above its target adds one policy step, and forbids fewer replicas.

A latency is not proportional to the replicas, so it never sets their number. After each step, the gate waits until the
new replicas answer, and compares. Two steps without benefit end its attempts until the latency was good again: what is
slow is then shared by all replicas, such as a database, or lies in each of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from ..reasons import Reason
from .facts import ScaleFacts
from .plan import PlanSignal, ScalePlan
from .state import GateState, GateStep

FUTILE_STEPS = 2
BENEFIT = 0.9  # of the latency before the step: a smaller change may be chance
SETTLING = 60.0  # seconds that queues need to drain, and quantiles to show it


@dataclass(frozen=True, slots=True)
class GateOutcome:
    """What the gate wants: at least `floor` replicas, with the reason, None if the latency is well below its target."""

    floor: int
    reason: Reason | None
    text: str
    state: GateState


@dataclass(frozen=True, slots=True, kw_only=True)
class GateInput:
    """The replicas now, those that the load proposes, the starting ones, and the learned start-up time in seconds."""

    current: int
    load: int
    coming: int
    startup: float


def latency_of(facts: ScaleFacts, signal: PlanSignal) -> float | None:
    """Return the mean of the pods' quantiles, weighted by their request rates, in seconds.

    0 without traffic; None if no pod says anything.
    """
    total = weights = 0.0
    silent = True
    for pod in facts.pods:
        if pod.deleting:
            continue
        rate = pod.values.get("requestRate")
        sample = pod.values.get(signal.id)
        silent = silent and rate is None
        if sample is not None:
            weight = 1.0 if rate is None else rate.value
            total += weight * sample.value
            weights += weight
    if weights:
        return total / weights
    return None if silent else 0.0


def judge(
    plan: ScalePlan, signal: PlanSignal, latency: float, state: GateState, found: GateInput, now: float
) -> GateOutcome:
    """Return what a latency in seconds means at the time `now`."""
    ratio = latency / signal.target if signal.target else 0.0
    what = f"the {signal.quantile:g} quantile of the latency is {latency:.3g} s, its target {signal.target:.3g} s"
    if ratio <= 1.0 + plan.up.tolerance:
        near = ratio >= 1.0 - plan.down.tolerance
        return GateOutcome(
            found.current if near else 0, Reason.LATENCY_NEAR_TARGET if near else None, what, GateState()
        )
    if state.gave_up:
        return GateOutcome(found.current, Reason.MORE_REPLICAS_DONT_HELP, what, state)
    step = state.step
    if step is None:
        return _begun(plan, latency, state, found, now, what)
    if not step.reached_at:
        if found.current < step.goal:
            return GateOutcome(min(step.goal, plan.max_replicas), Reason.LATENCY_ABOVE_TARGET, what, state)
        step = GateStep(step.goal, step.latency, step.at, now)
    waited = now - step.reached_at
    if waited < found.startup + SETTLING or (found.coming and waited < plan.startup_deadline):
        text = f"{what}; the replicas of the last step have not shown their effect"
        state = GateState(step, state.futile)
        return GateOutcome(found.current, Reason.LATENCY_ABOVE_TARGET, text, state)
    if found.load > found.current:  # the load grew meanwhile, so the step proves nothing
        return GateOutcome(found.current, Reason.LATENCY_ABOVE_TARGET, what, GateState(futile=state.futile))
    futile = 0 if latency <= BENEFIT * step.latency else state.futile + 1
    if futile >= FUTILE_STEPS:
        text = f"{what}, as before two steps of more replicas"
        return GateOutcome(found.current, Reason.MORE_REPLICAS_DONT_HELP, text, GateState(gave_up=True))
    return _begun(plan, latency, GateState(futile=futile), found, now, what)


def _begun(plan: ScalePlan, latency: float, state: GateState, found: GateInput, now: float, what: str) -> GateOutcome:
    goal = min(plan.max_replicas, found.current + policy_step(plan, found.current))
    if goal <= found.current:
        return GateOutcome(found.current, Reason.LATENCY_ABOVE_TARGET, what, state)
    state = GateState(GateStep(goal, latency, now), state.futile)
    return GateOutcome(goal, Reason.LATENCY_ABOVE_TARGET, what, state)


def policy_step(plan: ScalePlan, current: int) -> int:
    """Return the smallest change that a policy for more replicas allows in its period; 0 if none is allowed."""
    if plan.up.select == "Disabled":
        return 0
    return min(ceil(current * one.value / 100) if one.percent else one.value for one in plan.up.policies)
