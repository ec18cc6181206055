"""More CPU while the CPU limit throttles: when a step is due, how far steps go, and that they end."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.control.reasons import Reason
from pilotfish.sidecar.control.resize.histogram import RATIO
from pilotfish.sidecar.control.resize.plan import ResizePlan
from pilotfish.sidecar.control.resize.recommender import observe, recommend
from pilotfish.sidecar.control.resize.state import ResizeState
from pilotfish.sidecar.control.resize.throttling import RETRY, STEP
from pilotfish.sidecar.control.resize.usage import ContainerUsage
from pilotfish.sidecar.control.resize.wish import find_wish, target_of
from pilotfish.sidecar.podspec.amounts import Kind
from pilotfish.sidecar.settings.resources import CpuRange, ResizeLatency, Resources
from tests.control.resize.histories import BEGUN, CONTAINER, DAY, HOUR, MINUTE, RandomHistory, observed, usage
from tests.support.examples import examples

SETTINGS = Resources(container=CONTAINER, cpu=CpuRange(max=8, min=0.01))
PLAN = ResizePlan.of(SETTINGS)
SLOW = ResizePlan.of(msgspec.structs.replace(SETTINGS, latency=ResizeLatency(target=0.25)))
ESTIMATE = 1.15  # cores recommended for a use of one core
NOW = BEGUN + HOUR


def known(plan: ResizePlan = PLAN) -> ResizeState:
    """Return the state after an hour of one core without throttling."""
    return observed(plan, [usage(BEGUN + index * MINUTE, 1.0) for index in range(60)])


def after(
    *ratios: float | None, plan: ResizePlan = PLAN, latency: float | None = None, **facts: Any
) -> tuple[ResizeState, float]:
    """Return state and time after a minute of one core for each of `ratios`, stored in between."""
    state, now = known(plan), NOW
    for ratio in ratios:
        one = usage(now, 1.0, throttled=ratio, **{"request": 1.0, "limit": 1.0, **facts})
        state = ResizeState.decode(observe(state, plan, [one], [], now, latency).encode())
        now += MINUTE
    return state, now


def cpu(*ratios: float | None, plan: ResizePlan = PLAN, **facts: Any) -> float:
    """Return the CPU target after `ratios`."""
    state, now = after(*ratios, plan=plan, **facts)
    return recommend(plan, state, now).target["cpu"]


def test_a_sample_at_the_limit_asks_for_more_cpu_at_once() -> None:
    assert cpu(0.5) == STEP
    assert cpu(0.0) == pytest.approx(ESTIMATE, rel=0.06)


def test_below_the_limit_two_throttled_samples_in_a_row_are_needed() -> None:
    assert cpu(0.5, request=2.0, limit=2.0) == pytest.approx(ESTIMATE, rel=0.06)
    assert cpu(0.5, 0.0, 0.5, request=2.0, limit=2.0) == pytest.approx(ESTIMATE, rel=0.06)
    assert cpu(0.5, 0.5, request=2.0, limit=2.0) == 2 * STEP


def test_throttling_is_inferred_where_nothing_measures_it_and_the_text_says_so() -> None:
    for ratio, how in ((None, "inferred from a use of 95 %".replace(" %", "%")), (0.5, "as measured")):
        state, now = after(ratio, ratio)
        found = recommend(PLAN, state, now)
        assert (found.target["cpu"], found.reason) == (STEP, Reason.CPU_THROTTLED)
        assert how in found.text
    assert cpu(None, None, limit=1.2) < STEP


@pytest.mark.parametrize(
    ("cores", "limit", "ratio", "expected"),
    [
        (0.96, 1.0, None, True),
        (0.9, 1.0, None, False),
        (0.96, None, None, False),
        (0.96, 1.0, 0.0, False),
        (0.1, 1.0, 0.2, True),
        (None, 1.0, None, False),
    ],
)
def test_a_container_at_its_limit_is_throttled_if_nothing_measures_it(
    cores: float | None, limit: float | None, ratio: float | None, expected: bool
) -> None:
    assert usage(1.0, cores, throttled=ratio, limit=limit).throttled == expected


def test_the_first_step_is_urgent_and_a_pod_that_has_it_stays() -> None:
    state, now = after(0.5, 0.5)
    found = recommend(PLAN, state, now)
    assert found.throttled
    wishes = [
        find_wish({"cpu": Fraction(request)}, found, target_of(found, SETTINGS), changed_at=now, killed_at=0.0, now=now)
        for request in (1.0, STEP)
    ]
    assert [(wish.why, wish.urgent) for wish in wishes] == [
        (Reason.CPU_THROTTLED, False),
        (Reason.WITHIN_BOUNDS, False),
    ]


def test_a_pod_that_is_not_resized_yet_asks_for_nothing_new() -> None:
    assert cpu(*[0.5] * 20) == STEP


def test_the_maximum_of_the_document_ends_the_steps() -> None:
    state, now, request = known(), NOW, 1.0
    for _ in range(30):
        state = observe(state, PLAN, [usage(now, request, throttled=0.9, request=request, limit=request)], [], now)
        request, now = recommend(PLAN, state, now).target["cpu"], now + MINUTE
    assert request == 8


@pytest.mark.parametrize(
    "changed",
    [{"cpu": CpuRange(max=8, min=0.01, raise_when_throttled=False)}, {"controlled_values": "RequestsOnly"}],
)
def test_nothing_is_added_if_it_is_switched_off_or_the_limit_would_stay(changed: dict[str, Any]) -> None:
    plan = ResizePlan.of(msgspec.structs.replace(SETTINGS, **changed))
    assert cpu(*[0.5] * 5, plan=plan) == pytest.approx(ESTIMATE, rel=0.06)


@pytest.mark.parametrize(("latency", "raised"), [(0.3, True), (0.2, False), (None, False), (math.nan, False)])
def test_with_a_latency_target_throttling_alone_is_not_enough(latency: float | None, raised: bool) -> None:
    found = cpu(0.5, 0.5, plan=SLOW, latency=latency)
    assert found == (STEP if raised else pytest.approx(ESTIMATE, rel=0.06))
    assert cpu(0.0, 0.0, plan=SLOW, latency=0.3) == pytest.approx(ESTIMATE, rel=0.06)


def test_one_throttled_pod_of_many_is_enough() -> None:
    state = known()
    for minute in range(2):
        now = NOW + minute * MINUTE
        calm = [usage(now, 0.2, pod=f"pod-{index}", throttled=0.0, request=1.0, limit=1.0) for index in range(9)]
        state = observe(state, PLAN, [*calm, usage(now, 1.0, throttled=0.5, request=1.0, limit=1.0)], [], now)
    assert recommend(PLAN, state, now).target["cpu"] == STEP


def test_an_old_stored_state_still_counts() -> None:
    old = msgspec.msgpack.decode(known().encode())
    old.pop("throttling")
    old["cpu"].pop()  # what is censored
    old |= {
        "raised": [2000, NOW, 0, False],
        "boost": [1500, NOW, NOW],
        "pods": {uid: row[:6] for uid, row in old["pods"].items()},
    }
    assert ResizeState.decode(msgspec.msgpack.encode(old)) == known()


Load = Callable[[float], float]


def played(load: Load, days: float, ratio: float, chosen: Resources = SETTINGS) -> tuple[list[float], list[float]]:
    """Play a load (seconds to cores) in one pod, by the minute; return the times of changes and of throttled samples.

    Times are days. What is above the limit is lost.
    """
    plan, state = ResizePlan.of(chosen), ResizeState()
    request, changed_at = Fraction(1, 10), BEGUN
    changes, throttled = [], []
    for minute in range(1, int(days * 1440)):
        now = BEGUN + minute * MINUTE
        limit = float(request) * ratio
        used = min(load(minute * MINUTE), limit)
        one = usage(now, used, request=float(request), limit=limit)
        if one.throttled:
            throttled.append(minute / 1440)
        state = observe(state, plan, [one], [], now)
        found = recommend(plan, state, now)
        requests: dict[Kind, Fraction] = {"cpu": request}
        wish = find_wish(requests, found, target_of(found, chosen), changed_at=changed_at, killed_at=0.0, now=now)
        if wish.target:
            request, changed_at = wish.target["cpu"], now
            changes.append(minute / 1440)
    return changes, throttled


def later(state: ResizeState, now: float, minutes: int, cores: float, request: float) -> tuple[ResizeState, float]:
    """Return state and time after minutes of a use that is not throttled."""
    for _ in range(minutes):
        state, now = observe(state, PLAN, [usage(now, cores, request=request, limit=request)], [], now), now + MINUTE
    return state, now


def test_a_step_ends_with_the_first_use_that_it_made_visible() -> None:
    state, now = later(*after(0.5), 1, 1.3, STEP)
    assert recommend(PLAN, state, now).target["cpu"] == pytest.approx(1.3 * 1.15, rel=0.06)
    assert recommend(PLAN, state, now).upper["cpu"] < STEP, "the request is lowered at once"


def test_a_step_in_vain_ends_after_some_minutes_and_the_request_falls() -> None:
    state, now = later(*after(0.5), 5, 0.3, STEP)
    assert recommend(PLAN, state, now).target["cpu"] == STEP
    state, now = later(state, now, 20, 0.3, STEP)
    found = recommend(PLAN, state, now)
    assert found.target["cpu"] == pytest.approx(ESTIMATE, rel=0.06)
    assert found.upper["cpu"] < STEP
    assert not found.throttled


def test_the_request_follows_the_greatest_use_of_the_last_minutes_once_throttled() -> None:
    state, now = later(*after(0.5), 1, 1.6, STEP)
    state, now = later(state, now, 9, 0.2, STEP)
    assert recommend(PLAN, state, now).target["cpu"] == pytest.approx(1.6 * 1.15, rel=0.06)
    state, now = later(known(), NOW, 10, 1.6, STEP)
    assert (
        recommend(PLAN, state, now + 20 * MINUTE).target["cpu"]
        == recommend(replace(PLAN, raises=False), state, now + 20 * MINUTE).target["cpu"]
    ), "without throttling, nothing is added"


@pytest.mark.parametrize("changed", [{"method": "rollout"}, {"allow_restart": True}])
def test_a_resize_that_restarts_the_container_takes_the_step_but_does_not_follow_the_load(
    changed: dict[str, Any],
) -> None:
    plan = ResizePlan.of(msgspec.structs.replace(SETTINGS, **changed))
    state, now = after(0.5, plan=plan)
    assert recommend(plan, state, now).target["cpu"] == STEP
    one = usage(now, 1.6, request=STEP, limit=STEP)
    state = observe(state, plan, [one], [], now)
    found = recommend(plan, state, now)
    assert found.target["cpu"] < 1.6
    assert found.upper["cpu"] > STEP, "the request stays"


def test_a_request_that_was_too_small_below_its_limit_is_not_tried_again_for_a_day() -> None:
    state, now = known(), NOW
    for _ in range(2):
        one = usage(now, 1.0, throttled=0.3, request=3.0, limit=3.0)
        state, now = observe(state, PLAN, [one], [], now), now + MINUTE
    state, now = later(state, now, 60, 1.0, 6.0)
    assert recommend(PLAN, state, now).target["cpu"] == pytest.approx(3.0 * RETRY)
    state, now = later(state, now, 25 * 60, 1.0, 6.0)
    assert recommend(PLAN, state, now).target["cpu"] == pytest.approx(ESTIMATE, rel=0.06)


def test_a_throttled_container_that_nobody_resizes_is_recommended_more_although_it_is_idle_now() -> None:
    state, now = known(), NOW
    for _ in range(60):
        one = usage(now, 1.0, throttled=0.5, request=1.0, limit=1.0)
        state, now = observe(state, PLAN, [one], [], now), now + MINUTE
    state, now = later(state, now, 60, 0.1, 1.0)
    assert recommend(PLAN, state, now).target["cpu"] == STEP, "a third of the demand is not known"


@pytest.mark.long
@pytest.mark.parametrize("margin", [0.0, 0.15])
@pytest.mark.parametrize("ratio", [1.0, 2.0])
@pytest.mark.parametrize("hours", [math.inf, 5, 24])
def test_a_constant_or_periodic_load_is_throttled_at_the_begin_only(hours: float, ratio: float, margin: float) -> None:
    def load(seconds: float) -> float:
        return 2.0 - 1.8 * math.cos(2 * math.pi * seconds / (hours * HOUR))

    chosen = Resources(container=CONTAINER, cpu=CpuRange(max=8, min=0.01, margin=margin))
    changes, throttled = played(load, 5, ratio, chosen)
    assert len(throttled) <= 40
    assert not [day for day in throttled if day > 1.1]
    assert len([day for day in changes if day > 2.2]) <= 3


SAMPLES = st.lists(st.tuples(st.floats(0, 12), st.sampled_from((None, 0.0, 0.04, 0.5, 1.0))), min_size=1, max_size=25)


@settings(max_examples=examples(60), deadline=None)
@given(SAMPLES, st.floats(0.05, 4), st.sampled_from((1.0, 2.0)))
def test_throttling_never_recommends_less_and_stays_within_the_bounds(
    samples: Sequence[tuple[float, float | None]], request: float, ratio: float
) -> None:
    off = replace(PLAN, raises=False)
    more = less = ResizeState()
    for index, (cores, throttled) in enumerate(samples):
        now = BEGUN + index * 20 * MINUTE
        one = usage(now, cores, throttled=throttled, request=request, limit=request * ratio)
        more, less = observe(more, PLAN, [one], [], now), observe(less, off, [one], [], now)
        raised, plain = recommend(PLAN, more, now), recommend(off, less, now)
        for part in ("lower", "target"):
            assert 0.01 <= getattr(plain, part)["cpu"] <= getattr(raised, part)["cpu"] <= 8
        assert raised.lower["cpu"] <= raised.target["cpu"] <= raised.upper["cpu"]
        assert not plain.throttled


@settings(max_examples=examples(60), deadline=None)
@given(SAMPLES, st.floats(0.05, 4), st.floats(0, 12))
def test_a_sample_that_is_throttled_never_recommends_less_than_one_that_is_not(
    samples: Sequence[tuple[float, float | None]], request: float, last: float
) -> None:
    state, now = ResizeState(), BEGUN
    for cores, throttled in samples:
        one = usage(now, cores, throttled=throttled, request=request, limit=request)
        state, now = observe(state, PLAN, [one], [], now), now + 5 * MINUTE
    targets = [
        recommend(
            PLAN,
            observe(state, PLAN, [usage(now, last, throttled=ratio, request=request, limit=request)], [], now),
            now,
        ).target["cpu"]
        for ratio in (0.0, 0.5)
    ]
    assert targets[0] <= targets[1] * RATIO


@given(st.integers(0, 100_000))
def test_without_throttling_the_switch_makes_no_difference(seed: int) -> None:
    on = off = ResizeState()
    for seen in RandomHistory(seed).steps(6):
        on = observe(on, PLAN, seen.usages, seen.kills, seen.now)
        off = observe(off, replace(PLAN, raises=False), seen.usages, seen.kills, seen.now)
    assert on == off


@given(st.sampled_from((math.nan, math.inf, -1.0, 1e300, None)), st.floats(0, DAY))
def test_impossible_use_asks_for_nothing(cores: float | None, later: float) -> None:
    state, now = after(0.5, 0.5)
    bad = ContainerUsage(
        pod_uid="bad", container=CONTAINER, cpu_cores=cores, memory_bytes=None, throttled_ratio=1.0, at=now + later
    )
    for _ in range(3):
        state = observe(state, PLAN, [bad], [], now + later)
    assert recommend(PLAN, state, now + later).target["cpu"] in (STEP, pytest.approx(ESTIMATE, rel=0.06))
