"""The latency gate: one policy step at a time, never fewer replicas, and an end if more do not help."""

from __future__ import annotations

from functools import partial
from itertools import pairwise

from pilotfish.sidecar.control.reasons import Reason
from pilotfish.sidecar.control.scale.facts import ScaleFacts
from pilotfish.sidecar.control.scale.gate import FORGET, SETTLING, SUSTAINED, GateInput, judge, latency_of, policy_step
from pilotfish.sidecar.control.scale.plan import DirectionRules, RatePolicy
from pilotfish.sidecar.control.scale.recommender import recommend
from pilotfish.sidecar.control.scale.state import GateState, GateStep, ScaleState
from tests.control.scale.recommended import BEGIN, CONCURRENCY, LATENCY, Target, even, facts_of, plan_of, pod

TWO = DirectionRules(0.0, "Max", (RatePolicy(False, 2, 60.0),))
PLAN = plan_of(CONCURRENCY, LATENCY, up=TWO, most=12)


def test_a_latency_above_its_target_adds_one_policy_step_however_high_it_is() -> None:
    for latency in (0.23, 2.0, 200.0):
        before = ScaleState(gate=GateState(above_since=BEGIN - SUSTAINED))
        found, _ = recommend(PLAN, even(4, BEGIN, concurrency=20.0, latency=latency), before, BEGIN)
        assert (found.desired, found.reason) == (6, Reason.LATENCY_ABOVE_TARGET)
        assert f"{latency:.3g} s" in found.text


def test_a_latency_that_is_high_for_a_moment_adds_nothing() -> None:
    latency = [0.1]
    target = Target(PLAN, lambda _now: 20.0, replicas=4, latency=lambda _count: latency[0])
    for _ in range(40):
        for latency[0] in (1.0, 1.0, 0.1):
            target.step()
    assert not target.changes
    latency[0] = 1.0
    target.run(SUSTAINED + 2 * PLAN.interval)
    assert [after for _, _, after in target.changes] == [6]


def test_the_step_is_the_smallest_that_a_policy_allows() -> None:
    assert [policy_step(plan_of(), count) for count in (1, 2, 4, 20)] == [1, 2, 4, 4]
    assert policy_step(plan_of(up=DirectionRules(0.0, "Disabled", ())), 4) == 0


def fixed(value: float, _count: int) -> float:
    """Return a latency that no replica changes."""
    return value


def test_a_latency_near_its_target_forbids_fewer_replicas_and_a_low_one_does_not() -> None:
    for latency, wanted in ((0.19, 4), (0.21, 4), (0.15, 2)):
        target = Target(PLAN, lambda _now: 10.0, replicas=4, latency=partial(fixed, latency))
        found = target.run(900.0)[-1]
        assert target.replicas == wanted
        assert (found.reason is Reason.LATENCY_NEAR_TARGET) == (wanted == 4)


def test_a_step_that_helps_is_followed_by_another_until_the_target_is_met() -> None:
    target = Target(PLAN, lambda _now: 20.0, replicas=4, startup=30.0, latency=lambda count: 2.0 / count)
    target.run(1800.0)
    assert [after for _, _, after in target.changes] == [6, 8, 10]


def test_a_step_waits_until_the_replicas_of_the_last_one_answer() -> None:
    target = Target(PLAN, lambda _now: 20.0, replicas=4, startup=300.0, latency=lambda count: 2.0 / count)
    target.run(3600.0)
    first, second = target.changes[0][0], target.changes[1][0]
    assert second - first >= 300.0
    assert second - first <= 300.0 + PLAN.assumed_startup + SETTLING + 2 * PLAN.interval


def test_two_steps_without_benefit_end_the_attempts_and_say_what_saturates() -> None:
    target = Target(PLAN, lambda _now: 20.0, replicas=4, latency=lambda _count: 1.0, saturated=("CPU is throttled",))
    found = target.run(1200.0)[-1]
    assert [after for _, _, after in target.changes] == [6, 8]
    assert (found.desired, found.reason) == (8, Reason.MORE_REPLICAS_DONT_HELP)
    assert "CPU is throttled" in found.text
    assert Reason.MORE_REPLICAS_DONT_HELP.camel == "MoreReplicasDontHelp"
    target.run(7200.0)
    assert target.replicas == 8


def test_a_gate_that_gave_up_starts_anew_when_the_latency_was_good() -> None:
    latency = [1.0]
    target = Target(PLAN, lambda _now: 20.0, replicas=4, latency=lambda _count: latency[0])
    target.run(1200.0)
    assert target.replicas == 8
    latency[0] = 0.19
    target.step()
    latency[0] = 1.0
    target.run(SUSTAINED + 2 * PLAN.interval)
    assert target.replicas == 10


def test_a_number_that_was_too_slow_is_not_tried_again_until_the_load_falls() -> None:
    load = [16.0]

    def latency(count: int) -> float:
        return 1.0 if load[0] > 12.0 and count < 5 else 0.1

    target = Target(PLAN, lambda _now: load[0], replicas=4, startup=60.0, latency=latency)
    target.run(1800.0)
    assert [after for _, _, after in target.changes] == [6, 5], "up by one step, and down to what is enough"
    assert target.run(60.0)[-1].reason is Reason.FEWER_REPLICAS_TOO_SLOW
    load[0] = 8.0
    target.run(900.0)
    assert target.replicas == 2


def test_a_number_that_was_too_slow_is_tried_again_once_in_half_an_hour() -> None:
    target = Target(PLAN, lambda _now: 16.0, replicas=4, startup=60.0, latency=lambda count: 1.0 if count < 5 else 0.1)
    target.run(4 * FORGET)
    ups = [at for at, before, after in target.changes if after > before]
    assert 2 <= len(ups) <= 4
    assert all(later - earlier >= FORGET for earlier, later in pairwise(ups))


def test_a_load_that_grows_meanwhile_does_not_count_against_a_step() -> None:
    state = GateState(GateStep(6, 1.0, BEGIN, BEGIN), futile=1)
    for load, reason in ((9, Reason.LATENCY_ABOVE_TARGET), (6, Reason.MORE_REPLICAS_DONT_HELP)):
        found = GateInput(current=6, load=load, coming=0, startup=60.0)
        outcome = judge(PLAN, LATENCY, 1.0, state, found, BEGIN + 600.0)
        assert (outcome.floor, outcome.reason) == (6, reason)


def test_the_gate_does_not_exceed_the_maximum() -> None:
    plan = plan_of(CONCURRENCY, LATENCY, most=5, up=TWO)
    target = Target(plan, lambda _now: 20.0, replicas=4, latency=lambda count: 2.0 / count)
    found = target.run(1800.0)[-1]
    assert (target.replicas, found.reason) == (5, Reason.LATENCY_ABOVE_TARGET)
    assert target.state.gate.step is None or target.state.gate.step.goal == 5


def test_the_latency_is_weighted_by_the_requests_of_each_pod() -> None:
    pods = [pod("a", BEGIN, latency=1.0, requestRate=1.0), pod("b", BEGIN, latency=0.1, requestRate=9.0)]
    assert latency_of(facts_of(pods, BEGIN), LATENCY) == (1.0 + 0.9) / 10.0


def test_without_traffic_there_is_no_latency_problem_and_without_any_value_the_signal_is_missing() -> None:
    idle = facts_of([pod("a", BEGIN, requestRate=0.0, concurrency=0.0)] * 1, BEGIN)
    assert latency_of(idle, LATENCY) == 0.0
    assert latency_of(facts_of([pod("a", BEGIN, concurrency=1.0)], BEGIN), LATENCY) is None
    found, _ = recommend(PLAN, held_down(), ScaleState(), BEGIN)
    assert (found.desired, found.reason) == (4, Reason.SIGNALS_MISSING)
    assert "latency is missing" in found.text


def held_down() -> ScaleFacts:
    """Return facts with a low load and without latencies."""
    return even(4, BEGIN, concurrency=1.0)
