"""Numbers that no load has, and settings at their limits: a recommendation is made, and the state stays readable."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pilotfish.sidecar.control.scale.facts import ExternalFact
from pilotfish.sidecar.control.scale.plan import DEFAULT_DOWN, PlanSignal, SignalKind
from pilotfish.sidecar.control.scale.recommender import recommend
from pilotfish.sidecar.control.scale.state import ScaleState
from tests.control.scale.recommended import BEGIN, facts_of, plan_of, pod

WEEK = 7 * 86_400.0
EXTERNAL: tuple[SignalKind, ...] = ("external_average", "external_value")
LARGEST_FLOAT = 1.7976931348623157e308


@pytest.mark.parametrize("kind", EXTERNAL)
@pytest.mark.parametrize("target", [1e-9, 0.5, 1e18])
def test_the_largest_result_of_a_query_adds_replicas_and_raises_no_error(kind: SignalKind, target: float) -> None:
    signal = PlanSignal("queue", kind, target)
    facts = facts_of([pod("a", BEGIN)], BEGIN)
    facts = replace(facts, external=(ExternalFact("queue", LARGEST_FLOAT, BEGIN),))
    found, state = recommend(plan_of(signal, forecast_period=WEEK), facts, ScaleState(), BEGIN)
    assert found.desired == (5 if target < 1 else found.desired) > 0
    assert ScaleState.decode(state.encode()) == state


@pytest.mark.parametrize("smoothing", [0.0, 60.0])
def test_the_largest_values_of_pods_with_the_smallest_target_add_replicas(smoothing: float) -> None:
    plan = plan_of(PlanSignal("concurrency", "average", 1e-9), smoothing=smoothing, forecast_period=WEEK)
    pods = [pod(name, BEGIN, concurrency=LARGEST_FLOAT, requestRate=LARGEST_FLOAT) for name in "ab"]
    assert recommend(plan, facts_of(pods, BEGIN), ScaleState(), BEGIN)[0].desired == 6


def test_the_state_of_the_largest_settings_survives_a_change_of_leader() -> None:
    """Ten signals, the longest windows with the shortest interval, and more pods that start than are remembered."""
    names = [f"signal-{n}-{'x' * 50}" for n in range(9)]
    signals = [PlanSignal(name, "external_average", 5.0) for name in names]
    plan = plan_of(
        PlanSignal("concurrency", "average", 5.0),
        *signals,
        most=1000,
        interval=5.0,
        smoothing=600.0,
        forecast_period=WEEK,
        down=replace(DEFAULT_DOWN, window=3600.0),
    )
    state = ScaleState()
    for step in range(730):
        now = BEGIN + 5.0 * step
        heard = [pod("a", now, concurrency=500.0 / 3, requestRate=1.0)]
        starting = (
            [pod(f"{n}-{'u' * 27}", now, age=1.0, answering=False) for n in range(200)] if step % 100 == 1 else []
        )
        facts = replace(
            facts_of([*heard, *starting], now, replicas=200),
            external=tuple(ExternalFact(name, 2000.0 / 3, now) for name in names),
        )
        _, state = recommend(plan, facts, state, now)
    assert ScaleState.decode(state.encode()) == state


def test_after_a_time_without_signals_one_low_value_removes_no_replica() -> None:
    plan = plan_of(smoothing=60.0)
    _, state = recommend(plan, facts_of([pod("a", BEGIN, concurrency=5.0)], BEGIN, replicas=8), ScaleState(), BEGIN)
    now = BEGIN + 3600.0
    pods = [pod(f"p{n}", now, concurrency=0.1) for n in range(8)]
    assert recommend(plan, facts_of(pods, now), state, now)[0].desired == 8
