"""The latency gate: a latency above its target adds one policy step, and forbids fewer replicas.

A latency is not proportional to the replicas, so it never sets their number. After each step, the gate waits until the
new replicas answer, and compares. Two steps without benefit end its attempts until the latency was good again: what is
slow is then shared by all replicas, such as a database, or lies in each of them.

A step begins when the latency was above its target for SUSTAINED seconds, since a quantile of few requests is noisy.

A step that helped is remembered: as many replicas as before it are too few, until the load falls or FORGET seconds
pass. Otherwise the load would remove the replicas again at once, and the latency would add them again.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from msgspec import structs

from ..reasons import Reason
from .facts import ScaleFacts
from .plan import PlanSignal, ScalePlan
from .state import GateState, GateStep, SlowReplicas

FUTILE_STEPS = 2
BENEFIT = 0.9  # of the latency before the step: a smaller change may be chance
FORGET = 1800.0  # seconds after which fewer replicas are tried again at the same load
SUSTAINED = 30.0  # seconds of latency above its target before a step
LOWER = 0.75  # of the replicas that the load proposed: below it, the load has fallen
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
        return _good(plan, ratio, state, found, now, what)
    since = state.above_since if 0 < state.above_since <= now else now
    state = structs.replace(state, above_since=since)
    if state.gave_up:
        return GateOutcome(found.current, Reason.MORE_REPLICAS_DONT_HELP, what, state)
    step = state.step
    if step is None and now - since < SUSTAINED:
        return GateOutcome(found.current, Reason.LATENCY_ABOVE_TARGET, f"{what}, since a moment", state)
    if step is None:
        return _begun(plan, latency, state, found, now, what)
    if not step.reached_at:
        if found.current < step.goal:
            return GateOutcome(min(step.goal, plan.max_replicas), Reason.LATENCY_ABOVE_TARGET, what, state)
        step = structs.replace(step, reached_at=now)
    waited = now - step.reached_at
    if waited < found.startup + SETTLING or (found.coming and waited < plan.startup_deadline):
        text = f"{what}; the replicas of the last step have not shown their effect"
        return GateOutcome(found.current, Reason.LATENCY_ABOVE_TARGET, text, structs.replace(state, step=step))
    if found.load > found.current:  # the load grew meanwhile, so the step proves nothing
        return GateOutcome(found.current, Reason.LATENCY_ABOVE_TARGET, what, structs.replace(state, step=None))
    futile = 0 if latency <= BENEFIT * step.latency else state.futile + 1
    if futile >= FUTILE_STEPS:
        text = f"{what}, as before two steps of more replicas"
        return GateOutcome(found.current, Reason.MORE_REPLICAS_DONT_HELP, text, GateState(gave_up=True))
    return _begun(plan, latency, structs.replace(state, step=None, futile=futile), found, now, what)


def _good(plan: ScalePlan, ratio: float, state: GateState, found: GateInput, now: float, what: str) -> GateOutcome:
    slow, step = state.slow, state.step
    if step is not None and step.reached_at:
        if found.coming:
            return GateOutcome(found.current, Reason.LATENCY_NEAR_TARGET, f"{what}; replicas are starting", state)
        slow = SlowReplicas(step.before, step.load, now)
    if slow is not None and (not 0 <= now - slow.at < FORGET or found.load <= LOWER * slow.load):
        slow = None
    if ratio >= 1.0 - plan.down.tolerance:
        return GateOutcome(found.current, Reason.LATENCY_NEAR_TARGET, what, GateState(slow=slow))
    if slow is None:
        return GateOutcome(0, None, what, GateState())
    text = f"{what}; it was above its target with {slow.replicas} replicas at this load"
    floor = min(found.current, slow.replicas + 1)
    return GateOutcome(floor, Reason.FEWER_REPLICAS_TOO_SLOW, text, GateState(slow=slow))


def _begun(plan: ScalePlan, latency: float, state: GateState, found: GateInput, now: float, what: str) -> GateOutcome:
    goal = min(plan.max_replicas, found.current + policy_step(plan, found.current))
    if goal <= found.current:
        return GateOutcome(found.current, Reason.LATENCY_ABOVE_TARGET, what, state)
    step = GateStep(goal, latency, now, before=found.current, load=found.load)
    return GateOutcome(goal, Reason.LATENCY_ABOVE_TARGET, what, structs.replace(state, step=step))


def policy_step(plan: ScalePlan, current: int) -> int:
    """Return the smallest change that a policy for more replicas allows in its period; 0 if none is allowed."""
    if plan.up.select == "Disabled":
        return 0
    return min(ceil(current * one.value / 100) if one.percent else one.value for one in plan.up.policies)
