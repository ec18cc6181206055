"""Ready pods whose signals are missing: they serve, so they neither start, nor fail to start, nor stand for no load."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pilotfish.sidecar.control.scale.facts import PodFacts
from pilotfish.sidecar.control.scale.recommender import recommend
from pilotfish.sidecar.control.scale.startup import Coming, coming
from pilotfish.sidecar.control.scale.state import ScaleState
from tests.control.scale.recommended import BEGIN, facts_of, plan_of, pod

PLAN = plan_of()


def silent(name: str, now: float) -> PodFacts:
    """Return an old, ready pod that sends nothing."""
    return replace(pod(name, now), answering=False)


def half(load: float, now: float) -> list[PodFacts]:
    """Return 5 pods with a load each and 5 older ones that are ready and silent."""
    heard = [pod(f"a{n}", now, age=3000.0, concurrency=load, requestRate=load) for n in range(5)]
    return [*heard, *(silent(f"s{n}", now) for n in range(5))]


def test_ready_pods_that_are_silent_are_not_replaced() -> None:
    """As after a change of the leader, when the pods connect one by one."""
    facts = facts_of(half(5.0, BEGIN), BEGIN)
    assert coming(PLAN, facts, BEGIN) == Coming(0, 0, 0)
    assert recommend(PLAN, facts, ScaleState(), BEGIN)[0].desired == 10


@pytest.mark.parametrize("smoothing", [0.0, 60.0])
def test_silent_pods_hold_as_much_load_as_the_target_when_replicas_are_removed(smoothing: float) -> None:
    plan, state = plan_of(smoothing=smoothing), ScaleState()
    for step in range(60):
        now = BEGIN + 15.0 * step
        found, state = recommend(plan, facts_of(half(1.0, now), now), state, now)
        assert found.desired >= 6


@pytest.mark.parametrize("ready", [True, False])
def test_the_age_of_a_pod_that_was_silent_for_a_while_is_no_start_up_time(ready: bool) -> None:
    state = ScaleState()
    for step in range(4):
        now = BEGIN + 15.0 * step
        pods = [pod(f"a{n}", now, concurrency=5.0, requestRate=5.0) for n in range(3)]
        if step == 2 or (step == 0 and ready):  # step 0: a new leader has not heard the pods yet
            pods = [replace(silent(f"a{n}", now), ready=ready) for n in range(3)]
        _, state = recommend(PLAN, facts_of(pods, now), state, now)
    assert state.startup.times == ()


def test_the_time_without_a_controller_is_no_part_of_a_start_up_time() -> None:
    """The pod became ready a minute after its creation, and the next leader heard it two hours later."""
    starting = replace(pod("a", BEGIN, age=30.0, answering=False))
    _, state = recommend(PLAN, facts_of([starting], BEGIN), ScaleState(), BEGIN)
    now = BEGIN + 7200.0
    answering = replace(starting, ready=True, ready_changed_at=BEGIN + 30.0, answering=True)
    _, state = recommend(PLAN, facts_of([answering], now), state, now)
    assert state.startup.times == (90.0,)
