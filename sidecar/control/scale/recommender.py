"""From facts to a number of replicas: autoscaling/v2 exactly, and what goes beyond it.

    facts --proposals.py--> a number for each signal; the largest counts
          --queueing.py, startup.py, forecast.py--> less for a queue, more for failed replicas and for a rise
          --gate.py--> a step more, or not fewer, for a latency
          --behavior.py--> windows, policies, bounds --> Recommendation

With `plan.horizontal()`, the second and third line do nothing: the result is that of an HPA with the same behaviour.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from msgspec import structs

from ..reasons import Reason
from . import forecast
from .behavior import normalize, recorded
from .facts import ScaleFacts
from .gate import GateInput, GateOutcome, judge, latency_of
from .plan import ScalePlan
from .proposals import MissingSignal, Proposal, propose
from .queueing import enough, observed, traffic_of
from .smoothing import remembered, smoothed
from .startup import Coming, coming, learned, startup_time
from .state import ArrivalState, GateState, Recommended, ScaleState, SignalState

_CHANGES = {True: Reason.ABOVE_TARGET, False: Reason.BELOW_TARGET}


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    """The number of replicas that the target should have now.

    Attributes:
        desired: within the bounds of the plan; the present number if `held`.
        reason, text: why.
        raw: the proposal of each signal before bounds and behaviour; None if it is missing or a gate.
        ratios: of each signal, the mean value divided by its target; absent if it is missing.
        held: whether missing or stale facts forbid a change, so that the present number stays.
    """

    desired: int
    reason: Reason
    text: str
    raw: Mapping[str, int | None]
    ratios: Mapping[str, float]
    held: bool = False


@dataclass(frozen=True, slots=True)
class _Wish:
    """A number of replicas before windows, policies and bounds, with its reason."""

    replicas: int
    reason: Reason
    text: str


def recommend(plan: ScalePlan, facts: ScaleFacts, state: ScaleState, now: float) -> tuple[Recommendation, ScaleState]:
    """Return the recommendation at the time `now`, in epoch seconds, and the next state.

    Call it once each interval. Record each change that took effect with `state.scaled`.
    """
    current = facts.spec_replicas
    state = _begun(plan, state, current, now)
    empty = Recommendation(
        desired=current,
        reason=Reason.STALE,
        text="",
        raw=dict.fromkeys(signal.id for signal in plan.signals),
        ratios={},
        held=True,
    )
    age = now - facts.at
    if abs(age) > plan.max_age:
        return replace(empty, text=f"the facts are {age:.0f} s old, more than {plan.max_age:.0f} s"), state
    state = structs.replace(state, startup=learned(state.startup, facts, now))
    if current == 0:
        return replace(empty, reason=Reason.SCALING_DISABLED, text="the target has 0 replicas"), state
    if not plan.min_replicas <= current <= plan.max_replicas:
        bound = plan.max_replicas if current > plan.max_replicas else plan.min_replicas
        text = f"{_replicas(current)}, outside of {plan.min_replicas} to {plan.max_replicas}"
        return replace(empty, desired=bound, reason=Reason.BOUNDS, text=text, held=False), state
    return _from_signals(plan, facts, state, empty, now)


def _begun(plan: ScalePlan, state: ScaleState, current: int, now: float) -> ScaleState:
    """Return the state with a first recommendation, and without a future that a clock which was set back left in it."""
    recommended, ups, downs = state.recommended, state.ups, state.downs
    if (recommended and recommended[-1].at > now) or any(event.at > now for event in (*ups, *downs)):
        recommended = tuple(item for item in recommended if item.at <= now)
        ups, downs = (tuple(item for item in events if item.at <= now) for events in (ups, downs))
        state = structs.replace(state, gate=GateState(), arrivals=ArrivalState(state.arrivals.service_time))
    return structs.replace(
        state,
        periods=(plan.up.longest_period, plan.down.longest_period),
        recommended=recommended or (Recommended(current, now),),
        ups=ups,
        downs=downs,
    )


def _from_signals(
    plan: ScalePlan, facts: ScaleFacts, state: ScaleState, empty: Recommendation, now: float
) -> tuple[Recommendation, ScaleState]:
    current = facts.spec_replicas
    found = {signal.id: propose(plan, signal, facts, now) for signal in plan.loads}
    missing = {name: one.cause for name, one in found.items() if isinstance(one, MissingSignal)}
    known = {name: one for name, one in found.items() if isinstance(one, Proposal)}
    latencies = {signal.id: latency_of(facts, signal) for signal in plan.gates}
    missing |= {name: "no pod has a recent value" for name, value in latencies.items() if value is None}
    ratios = {name: one.ratio for name, one in known.items()}
    ratios |= {
        signal.id: value / signal.target
        for signal in plan.gates
        if signal.target and (value := latencies[signal.id]) is not None
    }
    state = structs.replace(state, signals=_remembered(plan, state, known, ratios, now))
    base = replace(empty, raw={**empty.raw, **{name: one.replicas for name, one in known.items()}}, ratios=ratios)
    if not known:
        return _held(base, missing, state, now), state
    if plan.smoothing:
        known = {name: smoothed(plan, state.signals[name], one, current) for name, one in known.items()}
    wish, state = _load(plan, facts, state, known, now)
    if missing and wish.replicas < current:
        return _held(base, missing, state, now), state
    wish, state = _gated(plan, facts, state, latencies, wish, now)
    limited = normalize(plan, state, current, wish.replicas, now)
    state = structs.replace(state, recommended=recorded(plan, state, wish.replicas, now))
    reason, text = wish.reason, wish.text
    if limited.reason is not None:
        text += f"; {_replicas(wish.replicas)} wanted, {limited.replicas} now, since {limited.reason.meaning}"
        reason = limited.reason if limited.replicas == current else reason
    if missing:
        text += f"; {_causes(missing, state, now)}"
    if plan.forecast_period:
        text += f"; forecast {forecast.wording(state.history)}"
    return replace(base, desired=limited.replicas, reason=reason, text=text, held=False), state


def _remembered(
    plan: ScalePlan, state: ScaleState, known: Mapping[str, Proposal], ratios: Mapping[str, float], now: float
) -> dict[str, SignalState]:
    """Return the memory of all signals of the plan, those that are missing now included."""
    found = {}
    for signal in plan.signals:
        name, before = signal.id, state.signals.get(signal.id)
        if name in known:
            found[name] = remembered(plan, before, known[name], now)
        elif name in ratios:
            found[name] = SignalState(ratios[name], now)
        elif before is not None:
            found[name] = before
    return found


def _load(
    plan: ScalePlan, facts: ScaleFacts, state: ScaleState, known: Mapping[str, Proposal], now: float
) -> tuple[_Wish, ScaleState]:
    """Return the replicas that the load needs, with the extras of cold starts and of the forecast."""
    current = facts.spec_replicas
    if not plan.cold_start:
        return _largest(known, current), state
    found = coming(plan, facts, now)
    startup = startup_time(plan, state.startup)
    ratio = known["concurrency"].ratio if "concurrency" in known else None
    arrivals = observed(plan, state.arrivals, traffic_of(facts), ratio, now)
    capped, queue = dict(known), False
    for signal in plan.loads:
        if signal.id == "concurrency" and ratio is not None and found.starting:
            most = enough(plan, signal, arrivals)
            proposed = known[signal.id].replicas
            if most is not None and proposed > max(current, most):
                capped[signal.id], queue = replace(known[signal.id], replicas=max(current, most)), True
    wish = _largest(capped, current)
    if queue and wish.replicas == current:
        text = f"{_replicas(found.starting)} starting, and more requests wait than arrive"
        wish = _Wish(current, Reason.STARTING, text)
    wish = _replacing(wish, found, current)
    needed = max(one.needed for one in capped.values())
    history = forecast.observe(state.history, plan.forecast_period, needed, startup, now)
    state = structs.replace(state, arrivals=arrivals, history=history)
    horizon = startup + plan.interval + plan.up.window
    rise = forecast.rise(history, horizon, now) if plan.forecast_period else None
    if rise:
        expected = -int(-(needed + rise) // 1)
        if expected > wish.replicas:
            text = f"past periods rise from here to {_replicas(expected)} within {horizon:.0f} s"
            wish = _Wish(expected, Reason.FORECAST, text)
    return wish, state


def _largest(known: Mapping[str, Proposal], current: int) -> _Wish:
    name, largest = max(known.items(), key=lambda item: item[1].replicas)
    reason = Reason.ON_TARGET if largest.replicas == current else _CHANGES[largest.replicas > current]
    return _Wish(largest.replicas, reason, f"{name} is at {largest.ratio:.2f} of its target")


def _replacing(wish: _Wish, found: Coming, current: int) -> _Wish:
    """Return the wish with a replica more for each that failed to start although newer ones did."""
    if not found.failed:
        return wish
    text = f"{wish.text}; {_replicas(found.failed)} without an answer after coldStart.deadline"
    more = wish.replicas + found.failed
    return _Wish(more, _CHANGES[more > current] if more != current else Reason.ON_TARGET, text)


def _gated(
    plan: ScalePlan,
    facts: ScaleFacts,
    state: ScaleState,
    latencies: Mapping[str, float | None],
    wish: _Wish,
    now: float,
) -> tuple[_Wish, ScaleState]:
    """Return the wish, raised to what the latency gate wants."""
    current = facts.spec_replicas
    given = GateInput(
        current=current,
        load=wish.replicas,
        coming=coming(plan, facts, now).starting,
        startup=startup_time(plan, state.startup),
    )
    for signal in plan.gates:
        latency = latencies[signal.id]
        if latency is None:
            continue
        outcome = judge(plan, signal, latency, state.gate, given, now)
        state = structs.replace(state, gate=outcome.state)
        keeps = outcome.reason in {Reason.FEWER_REPLICAS_TOO_SLOW, Reason.LATENCY_NEAR_TARGET}
        if outcome.reason is not None and outcome.floor >= wish.replicas + keeps:
            wish = _Wish(outcome.floor, outcome.reason, _saturation(outcome, facts))
    return wish, state


def _saturation(outcome: GateOutcome, facts: ScaleFacts) -> str:
    if outcome.reason is not Reason.MORE_REPLICAS_DONT_HELP:
        return outcome.text
    known = "; ".join(facts.saturated) or "no signal says what saturates"
    return f"{outcome.text}; {known}"


def _held(base: Recommendation, missing: Mapping[str, str], state: ScaleState, now: float) -> Recommendation:
    text = f"{_causes(missing, state, now)}; the number stays at {base.desired}"
    return replace(base, reason=Reason.SIGNALS_MISSING, text=text)


def _causes(missing: Mapping[str, str], state: ScaleState, now: float) -> str:
    """Return which signals are missing and why, with their last ratio."""
    parts = []
    for name, cause in missing.items():
        last = state.signals.get(name)
        known = f", {last.ratio:.2f} of its target {now - last.at:.0f} s ago" if last else ""
        parts.append(f"{name} is missing ({cause}{known})")
    return ", ".join(parts)


def _replicas(count: int) -> str:
    return "1 replica" if count == 1 else f"{count} replicas"
