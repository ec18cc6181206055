"""Smoothing: more replicas at once, fewer by the mean of the recent load and with a headroom."""

from __future__ import annotations

from itertools import pairwise
from math import ceil
from random import Random

import pytest

from pilotfish.sidecar.control.scale.recommender import recommend
from pilotfish.sidecar.control.scale.state import ScaleState
from tests.control.scale.recommended import BEGIN, Target, facts_of, plan_of, pod

PLAN = plan_of(smoothing=60.0)


def test_a_jump_adds_replicas_at_once() -> None:
    target = Target(PLAN, lambda now: 20.0 if now < 600.0 else 60.0, replicas=5)
    target.run(585.0)
    assert target.replicas == 5
    target.run(30.0)
    assert target.replicas == 12


def test_a_decrease_leaves_a_headroom_and_the_load_may_rise_by_it() -> None:
    load = [40.0]
    target = Target(PLAN, lambda _now: load[0], replicas=20)
    target.run(900.0)
    assert target.replicas == ceil(8 / 0.85)
    load[0] = 46.0
    target.run(900.0)
    assert target.replicas == 10


def test_a_short_dip_or_peak_within_the_tolerance_of_the_mean_changes_nothing() -> None:
    random = Random(1)
    target = Target(PLAN, lambda _now: 40.0 if random.random() < 0.5 else 30.0, replicas=8)
    target.run(7200.0)
    assert target.changes == []


@pytest.mark.long
def test_a_fluctuating_load_reverses_the_direction_less_often_than_without_at_a_tenth_more_cost_at_most() -> None:
    def reversals(smoothing: float) -> tuple[int, float]:
        random = Random(3)
        level = [0.0]

        def load(_now: float) -> float:
            level[0] = 0.95 * level[0] + random.gauss(0.0, 3.0)
            return max(1.0, 50.0 + level[0])

        target = Target(plan_of(smoothing=smoothing, most=40), load, replicas=10)
        sizes = [one.desired for one in target.run(6 * 3600.0)]
        ups = [after > before for _, before, after in target.changes]
        return sum(one != other for one, other in pairwise(ups)), sum(sizes) / len(sizes)

    (with_smoothing, cost), (without, horizontal) = reversals(60.0), reversals(0.0)
    assert with_smoothing < 0.6 * without
    assert cost < 1.1 * horizontal


def test_while_a_pod_has_no_value_it_counts_as_busy_to_the_target() -> None:
    """5 pods at 3 of 5, and 5 unknown ones that an HPA counts as 5 of 5: 8 replicas. The mean alone would give 4."""
    state, now = ScaleState(), BEGIN
    for _ in range(30):
        now += PLAN.interval
        some = [pod(f"p{n}", now, concurrency=3.0) for n in range(5)]
        silent = [pod(f"s{n}", now) for n in range(5)]
        found, state = recommend(PLAN, facts_of([*some, *silent], now), state, now)
        assert found.desired >= 8


@pytest.mark.parametrize("back", [60.0, 3600.0, 86400.0])
def test_a_clock_that_is_set_back_holds_nothing_for_ever(back: float) -> None:
    target = Target(PLAN, lambda now: 100.0 if now < 100.0 else 10.0, replicas=20)
    target.run(90.0)
    target.now -= back
    target.load = lambda _now: 10.0
    target.run(900.0)
    assert target.replicas == 3
