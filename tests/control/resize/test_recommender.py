from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from pilotfish.sidecar.control.reasons import Reason
from pilotfish.sidecar.control.resize.plan import ResizePlan
from pilotfish.sidecar.control.resize.recommender import observe, recommend
from pilotfish.sidecar.control.resize.state import ResizeState
from pilotfish.sidecar.control.resize.usage import ContainerUsage, OomKill
from pilotfish.sidecar.settings.resources import CpuRange, MemoryRange, ResizeLatency, Resources
from tests.control.resize.histories import BEGUN, CONTAINER, DAY, GIB, MINUTE, observed, usage

SETTINGS = Resources(
    container=CONTAINER, cpu=CpuRange(max=8), memory=MemoryRange(max=4 * GIB), latency=ResizeLatency(target=0.25)
)
PLAN = ResizePlan.of(SETTINGS)


def boosts(facts: Sequence[tuple[float | None, float | None]], minutes: float = 1.0) -> Iterator[float]:
    """Yield the CPU target for facts about a container that uses one core: its latency, and how it is throttled."""
    state, now = observed(PLAN, [usage(BEGUN + index * MINUTE, 1.0, 1e9) for index in range(60)]), BEGUN + 60 * MINUTE
    for latency, throttled in facts:
        now += minutes * MINUTE
        state = observe(state, PLAN, [usage(now, 1.0, 1e9, throttled=throttled)], [], now, latency)
        state = ResizeState.decode(state.encode())
        yield recommend(PLAN, state, now).target["cpu"]


def test_without_use_there_is_no_recommendation() -> None:
    found = recommend(PLAN, ResizeState(), BEGUN)
    assert (found.target, found.lower, found.upper, found.reason) == ({}, {}, {}, Reason.USAGE_MISSING)


def test_the_first_minutes_are_not_enough_to_act() -> None:
    uses = [usage(BEGUN + index * MINUTE, 1.0, 1e9) for index in range(12)]
    assert recommend(PLAN, observed(PLAN, uses[:9]), BEGUN + 9 * MINUTE).reason is Reason.LOW_CONFIDENCE
    assert recommend(PLAN, observed(PLAN, uses), BEGUN + 11 * MINUTE).reason is Reason.RESIZING


def test_a_resource_that_the_document_leaves_out_is_not_recommended() -> None:
    plan = ResizePlan.of(Resources(container=CONTAINER, memory=MemoryRange(max=4 * GIB)))
    found = recommend(plan, observed(plan, [usage(BEGUN, 1.0, 1e9)]), BEGUN)
    assert set(found.target) == {"memory"}


def test_a_resource_without_measurements_is_absent() -> None:
    found = recommend(PLAN, observed(PLAN, [usage(BEGUN, 1.0)]), BEGUN)
    assert set(found.target) == {"cpu"}


def test_the_target_is_the_percentile_with_the_margin_and_the_document_bounds_it() -> None:
    uses = [usage(BEGUN + index * MINUTE, 2.0 if index % 5 else 6.0, 6e9) for index in range(100)]
    found = recommend(PLAN, observed(PLAN, uses), uses[-1].at)
    assert found.target["cpu"] == pytest.approx(6.0 * 1.15, rel=0.05)
    assert found.lower["cpu"] == pytest.approx(2.0 * 1.15, rel=0.06)
    assert found.target["memory"] == 4 * GIB
    assert found.uncapped["memory"] > 6.9e9
    assert found.upper["cpu"] == 8


def test_a_higher_percentile_covers_more() -> None:
    uses = [usage(BEGUN + index * MINUTE, 6.0 if index % 20 == 0 else 2.0, 1e9) for index in range(100)]
    plan = ResizePlan.of(Resources(container=CONTAINER, cpu=CpuRange(max=8, percentile=0.98, margin=0.0)))
    found = recommend(plan, observed(plan, uses), uses[-1].at)
    assert 6.0 < found.target["cpu"] <= 6.4
    assert found.target["cpu"] <= found.upper["cpu"]
    assert recommend(PLAN, observed(PLAN, uses), uses[-1].at).target["cpu"] < 2.5


def test_a_missed_latency_target_adds_cpu_while_the_limit_throttles() -> None:
    (found,) = boosts([(0.3, 0.2)])
    assert found == pytest.approx(1.25 * 1.15, rel=0.06)


@pytest.mark.parametrize("facts", [(0.3, None), (0.3, 0.01), (0.2, 0.9), (None, 0.9), (float("nan"), 0.9)])
def test_neither_latency_nor_throttling_alone_adds_cpu(facts: tuple[float | None, float | None]) -> None:
    (found,) = boosts([facts])
    assert found == pytest.approx(1.15, rel=0.06)


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
    one = ContainerUsage(
        pod_uid="a",
        container=CONTAINER,
        cpu_cores=cores,
        memory_bytes=None,
        throttled_ratio=ratio,
        cpu_limit=limit,
        at=1,
    )
    assert one.throttled == expected


def test_steps_have_a_pace_and_an_end() -> None:
    assert len(set(boosts([(0.3, 0.2)] * 5))) == 1
    found = list(boosts([(0.3, 0.2)] * 12, minutes=11))
    assert found == sorted(found)
    assert found[-1] == pytest.approx(2 * 1.15, rel=0.06)


def test_the_added_cpu_stays_for_a_day_and_then_goes() -> None:
    first, *later = boosts([(0.3, 0.2), *[(0.1, 0.0)] * 30], minutes=60)
    assert later[:23] == [first] * 23
    assert later[-1] == pytest.approx(1.15, rel=0.06)


def test_without_a_latency_target_throttling_changes_nothing() -> None:
    plan = ResizePlan.of(Resources(container=CONTAINER, cpu=CpuRange(max=8)))
    state = observe(ResizeState(), plan, [usage(BEGUN, 1.0, 1e9, throttled=1.0)], [], BEGUN, 9.0)
    assert recommend(plan, state, BEGUN).target["cpu"] == pytest.approx(1.15, rel=0.06)


def test_added_cpu_is_asked_for_at_once() -> None:
    state, now = observed(PLAN, [usage(BEGUN + index * MINUTE, 1.0, 1e9) for index in range(60)]), BEGUN + 60 * MINUTE
    request = recommend(PLAN, state, now).target["cpu"]
    state = observe(state, PLAN, [usage(now, 1.0, 1e9, throttled=0.5)], [], now, 1.0)
    found = recommend(PLAN, state, now)
    assert found.reason is Reason.CPU_THROTTLED
    assert found.lower["cpu"] > request


def test_each_kill_asks_for_more_and_the_document_has_the_last_word() -> None:
    state, now, limits = observed(PLAN, [usage(BEGUN, 1.0, 1e9)]), BEGUN, [1.2e9]
    while limits[-1] < 4 * GIB:
        now += MINUTE
        kill = OomKill(pod_uid="a", container=CONTAINER, memory_bytes=limits[-1], at=now)
        state = observe(state, PLAN, [], [kill], now)
        found = recommend(PLAN, state, now)
        limits.append(found.target["memory"])
        assert limits[-1] >= min(4 * GIB, 1.2 * limits[-2])
    assert len(limits) < 12


def test_a_kill_without_any_sample_is_a_recommendation() -> None:
    kill = OomKill(pod_uid="a", container=CONTAINER, memory_bytes=GIB, at=BEGUN)
    state = observe(ResizeState(), PLAN, [], [kill], BEGUN)
    found = recommend(PLAN, state, BEGUN)
    assert found.target["memory"] >= 1.2 * GIB
    assert "cpu" not in found.target


def test_an_old_kill_is_ignored() -> None:
    state = observed(PLAN, [usage(BEGUN, 1.0, 1e9)])
    kill = OomKill(pod_uid="a", container=CONTAINER, memory_bytes=3e9, at=BEGUN - 2 * DAY)
    assert observe(state, PLAN, [], [kill], BEGUN) == state


def test_the_reason_of_a_kill_comes_first() -> None:
    kill = OomKill(pod_uid="a", container=CONTAINER, memory_bytes=3e9, at=BEGUN)
    many = [usage(BEGUN, 1.0, 1e9, f"pod-{index}") for index in range(20)]
    state = observe(ResizeState(), PLAN, many, [kill], BEGUN)
    assert recommend(PLAN, state, BEGUN).reason is Reason.OOM_KILLED
