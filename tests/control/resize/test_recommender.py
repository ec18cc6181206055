from __future__ import annotations

import pytest

from pilotfish.sidecar.control.reasons import Reason
from pilotfish.sidecar.control.resize.plan import ResizePlan
from pilotfish.sidecar.control.resize.recommender import observe, recommend
from pilotfish.sidecar.control.resize.state import ResizeState
from pilotfish.sidecar.control.resize.usage import OomKill
from pilotfish.sidecar.settings.resources import CpuRange, MemoryRange, Resources
from tests.control.resize.histories import BEGUN, CONTAINER, DAY, GIB, MINUTE, observed, usage

SETTINGS = Resources(container=CONTAINER, cpu=CpuRange(max=8), memory=MemoryRange(max=4 * GIB))
PLAN = ResizePlan.of(SETTINGS)


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
