"""Cold starts: starting replicas count as coming, their time is learned, and a queue is not load."""

from __future__ import annotations

import pytest

from pilotfish.sidecar.control.reasons import Reason
from pilotfish.sidecar.control.scale.facts import ScaleFacts
from pilotfish.sidecar.control.scale.queueing import PodTraffic, enough, observed
from pilotfish.sidecar.control.scale.recommender import recommend
from pilotfish.sidecar.control.scale.startup import MOST_TIMES, Coming, coming, learned, startup_time
from pilotfish.sidecar.control.scale.state import ArrivalState, ScaleState, StartupState
from tests.control.scale.recommended import BEGIN, CONCURRENCY, Target, facts_of, plan_of, pod

PLAN = plan_of()


@pytest.mark.parametrize("startup", [40.0, 200.0, 900.0])
def test_the_start_up_time_is_learned_to_within_one_interval(startup: float) -> None:
    target = Target(PLAN, lambda now: 5.0 + now / 20.0, startup=startup)
    target.run(3 * startup + 300.0)
    assert startup <= startup_time(PLAN, target.state.startup) <= startup + PLAN.interval


def test_before_one_start_up_was_seen_the_assumed_time_holds_and_running_pods_teach_nothing() -> None:
    target = Target(PLAN, lambda _now: 5.0, replicas=3)
    target.run(300.0)
    assert target.state.startup.times == ()
    assert startup_time(PLAN, target.state.startup) == PLAN.assumed_startup


def test_one_slow_start_in_five_does_not_change_the_learned_time() -> None:
    times = (60.0, 61.0, 62.0, 63.0, 3000.0)
    assert startup_time(PLAN, StartupState(times)) == 63.0


def test_a_pod_that_goes_away_before_it_answers_is_forgotten() -> None:
    state = learned(StartupState(), facts_of([pod("a", BEGIN, answering=False)], BEGIN), BEGIN)
    assert state.waiting == ("uid-a",)
    assert learned(state, facts_of([], BEGIN, replicas=1), BEGIN + 15.0) == StartupState()


def cold(answering: int, starting: int, replicas: int, *, load: float, age: float = 30.0) -> ScaleFacts:
    """Return facts with pods that answer and share the load, and younger ones that do not."""
    pods = [pod(f"a{n}", BEGIN, concurrency=load / answering) for n in range(answering)]
    pods += [pod(f"s{n}", BEGIN, age=age, answering=False, concurrency=0.0) for n in range(starting)]
    return facts_of(pods, BEGIN, replicas=replicas)


def test_starting_pods_do_not_make_the_load_of_the_others_look_small() -> None:
    facts = cold(2, 4, 6, load=10.0)
    assert recommend(PLAN, facts, ScaleState(), BEGIN)[0].raw == {"concurrency": 6}
    assert recommend(PLAN.horizontal(), facts, ScaleState(), BEGIN)[0].raw == {"concurrency": 2}


def test_replicas_that_are_coming_are_not_asked_for_twice() -> None:
    assert recommend(PLAN, cold(2, 4, 6, load=30.0), ScaleState(), BEGIN)[0].desired == 6
    assert recommend(PLAN, cold(2, 2, 6, load=30.0), ScaleState(), BEGIN)[0].desired == 6
    assert recommend(PLAN, cold(2, 4, 6, load=40.0), ScaleState(), BEGIN)[0].desired == 8


def test_late_replicas_are_replaced_only_if_newer_ones_answer() -> None:
    late = cold(2, 2, 4, load=10.0, age=PLAN.startup_deadline + 60.0)
    newer = facts_of([*late.pods, pod("n", BEGIN, age=300.0, concurrency=5.0)], BEGIN, replicas=5)
    assert coming(PLAN, late, BEGIN) == Coming(starting=0, failed=0, late=2)
    assert recommend(PLAN, late, ScaleState(), BEGIN)[0].desired == 4
    assert coming(PLAN, newer, BEGIN).failed == 2
    assert recommend(PLAN, newer, ScaleState(), BEGIN)[0].desired == 7


def test_replicas_whose_pods_do_not_exist_yet_are_starting() -> None:
    assert coming(PLAN, cold(2, 1, 6, load=10.0), BEGIN) == Coming(starting=4, failed=0, late=0)


def test_the_last_start_up_times_count() -> None:
    state = StartupState()
    for number in range(60):
        now = BEGIN + 100.0 * number
        state = learned(state, facts_of([pod(f"p{number}", now, age=10.0, answering=False)], now), now)
        state = learned(state, facts_of([pod(f"p{number}", now, age=20.0)], now), now)
    assert len(state.times) == MOST_TIMES


def test_arrivals_are_what_was_completed_and_the_growth_of_what_waits() -> None:
    state = observed(PLAN, ArrivalState(1.0), PodTraffic(in_flight=10.0, rate=10.0), None, BEGIN)
    state = observed(PLAN, state, PodTraffic(in_flight=310.0, rate=10.0), None, BEGIN + 15.0)
    assert state.rates == (10.0, 30.0)


def test_a_queue_that_builds_up_while_replicas_start_is_not_load() -> None:
    """30 requests per second of 1 s at a target of 5: 6 replicas. 2 answer, the others take 3 minutes."""
    plan = plan_of(most=50)
    state = ScaleState(arrivals=ArrivalState(service_time=1.0))
    queue, now = 10.0, BEGIN
    sizes = [2]
    for _ in range(12):
        now += plan.interval
        queue += (30.0 - 10.0) * plan.interval
        pods = [pod(f"a{n}", now, concurrency=queue / 2, requestRate=5.0) for n in range(2)]
        pods += [pod(f"s{n}", now, age=30.0, answering=False) for n in range(sizes[-1] - 2)]
        found, state = recommend(plan, facts_of(pods, now), state, now)
        sizes.append(found.desired)
        most = (30.0 + queue / 60.0) * 1.1 / 5.0  # for the arrivals, and to drain the queue in a minute
        assert found.desired <= most + 1
    assert found.reason is Reason.STARTING or found.desired > sizes[-2]
    free, _ = recommend(plan.horizontal(), facts_of(pods, now), ScaleState(), now)
    assert free.raw["concurrency"] == 722


def test_the_service_time_is_learned_near_the_target_only() -> None:
    state = ArrivalState()
    for step, ratio in enumerate((1.0, 1.0, 3.0, 0.1)):
        state = observed(PLAN, state, PodTraffic(in_flight=20.0 * ratio, rate=10.0), ratio, BEGIN + 15.0 * step)
    assert state.service_time == 2.0
    assert enough(PLAN, CONCURRENCY, ArrivalState(2.0, rates=(10.0, 20.0))) == 9
    assert enough(PLAN, CONCURRENCY, ArrivalState(2.0, in_flight=40.0 + 300.0, rates=(10.0, 20.0))) == 11
    assert enough(PLAN, CONCURRENCY, ArrivalState(0.0, rates=(10.0,))) is None
