"""Laws of the recommendation, on random histories."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotfish.sidecar.control.resize.plan import ResizePlan
from pilotfish.sidecar.control.resize.recommender import ResourceRecommendation, observe, recommend
from pilotfish.sidecar.control.resize.state import ResizeState
from pilotfish.sidecar.control.resize.usage import ContainerUsage, OomKill
from pilotfish.sidecar.control.resize.wish import find_wish, target_of
from pilotfish.sidecar.podspec.amounts import Kind
from pilotfish.sidecar.settings.resources import CpuRange, MemoryRange, Resources
from tests.control.resize.histories import (
    BEGUN,
    CONTAINER,
    DAY,
    GIB,
    HOUR,
    MINUTE,
    RandomHistory,
    as_vertical,
    observed,
    usage,
)

WIDE = Resources(container=CONTAINER, cpu=CpuRange(min=0, max=64), memory=MemoryRange(min=0, max=512 * GIB))
PLAN = ResizePlan.of(WIDE)
NOT_A_MEASUREMENT = st.sampled_from((math.nan, math.inf, -math.inf, -1.0, 1e300, 10.0**15))
seeds = st.integers(0, 100_000)


def after(seed: int, plan: ResizePlan = PLAN, steps: int = 6, *, kills: bool = True) -> tuple[ResizeState, float]:
    """Return the state after a random history, and the time of its end."""
    state, now = ResizeState(), BEGUN
    for seen in RandomHistory(seed).steps(steps):
        state, now = observe(state, plan, seen.usages, seen.kills if kills else (), seen.now), seen.now
    return state, now


@given(seeds, st.floats(0, 1, exclude_min=True), st.floats(0, 3), st.floats(0, 80), st.floats(0, 80))
def test_all_amounts_are_in_order_and_within_the_bounds(
    seed: int, percentile: float, margin: float, least: float, more: float
) -> None:
    cpu = CpuRange(min=least, max=least + more, percentile=percentile, margin=margin)
    memory = MemoryRange(min=int(least * 1e9), max=int((least + more) * 1e9), percentile=percentile, margin=margin)
    plan = ResizePlan.of(as_vertical(cpu=cpu, memory=memory))
    state, now = after(seed, plan)
    found = recommend(plan, state, now)
    for name, resource in plan.resources.items():
        if name in found.target:
            amounts = (resource.least, found.lower[name], found.target[name], found.upper[name], resource.most)
            assert list(amounts) == sorted(amounts)
            assert min(max(found.uncapped[name], resource.least), resource.most) == found.target[name]


@given(seeds, st.floats(1, 5))
def test_more_use_never_recommends_less(seed: int, factor: float) -> None:
    lower = upper = ResizeState()
    now = BEGUN
    for seen in RandomHistory(seed).steps(6):
        now = seen.now
        more = [
            replace(one, cpu_cores=_times(one.cpu_cores, factor), memory_bytes=_times(one.memory_bytes, factor))
            for one in seen.usages
        ]
        lower = observe(lower, PLAN, seen.usages, [], now)
        upper = observe(upper, PLAN, more, [], now)
    less, found = recommend(PLAN, lower, now), recommend(PLAN, upper, now)
    for part in ("lower", "target", "upper"):
        for name, amount in getattr(less, part).items():
            assert getattr(found, part)[name] >= amount * (1 - 1e-9)


def _times(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor


@given(seeds, st.integers(0, 5))
def test_a_kill_for_memory_raises_the_memory_at_once(seed: int, pod: int) -> None:
    state, now = after(seed, kills=False)
    before = recommend(PLAN, state, now).target.get("memory", 0.0)
    limit = max(before, 1e7)
    kill = OomKill(pod_uid=f"pod-{pod}", container=CONTAINER, memory_bytes=limit, at=now + 1)
    state = observe(state, PLAN, [], [kill], now + 2)
    found = recommend(PLAN, state, now + 2)
    wanted = min(max(limit * 1.2, limit + 100 * 2**20) - 1, 512 * GIB)
    assert found.target["memory"] >= wanted
    assert found.lower["memory"] >= wanted
    again = observe(state, PLAN, [], [kill], now + 3)
    assert recommend(PLAN, again, now + 3).target == found.target, "the same kill counted twice"


def test_a_kill_of_one_of_many_pods_is_left_to_the_histogram_without_the_addition() -> None:
    uses = [usage(BEGUN, 1, 1e9, f"pod-{index}") for index in range(30)]
    kill = OomKill(pod_uid="pod-0", container=CONTAINER, memory_bytes=2e9, at=BEGUN + 1)
    for settings, raised in ((WIDE, True), (as_vertical(), False)):
        plan = ResizePlan.of(settings)
        state = observe(ResizeState(), plan, uses, [], BEGUN)
        before = recommend(plan, state, BEGUN).target["memory"]
        state = observe(state, plan, [], [kill], BEGUN + 2)
        assert (recommend(plan, state, BEGUN + 2).target["memory"] > before) == raised
        assert recommend(plan, state, BEGUN + 2 * DAY).target["memory"] == before


@given(seeds, NOT_A_MEASUREMENT, NOT_A_MEASUREMENT, st.sampled_from((math.nan, math.inf, -1.0, 0.0, 1e12)))
def test_impossible_values_of_one_pod_change_nothing(seed: int, cores: float, memory: float, at: float) -> None:
    state = spoilt = ResizeState()
    now = BEGUN
    for seen in RandomHistory(seed).steps(4):
        now = seen.now
        bad = [
            usage(now, cores, memory, "bad"),
            usage(at, 1.0, 1e9, "bad"),
            usage(now, 1.0, 1e9, "x" * 100),
            ContainerUsage(pod_uid="bad", container="other", cpu_cores=60, memory_bytes=1e11, at=now),
        ]
        kills = [*seen.kills, OomKill(pod_uid="bad", container="other", memory_bytes=1e11, at=now)]
        state = observe(state, PLAN, seen.usages, seen.kills, now)
        spoilt = observe(spoilt, PLAN, [*bad, *seen.usages], kills, now)
        spoilt = ResizeState.decode(spoilt.encode())
    assert recommend(PLAN, spoilt, now) == recommend(PLAN, state, now)


@given(seeds)
def test_what_was_seen_before_counts_once(seed: int) -> None:
    once = twice = ResizeState()
    for seen in RandomHistory(seed).steps(5):
        once = observe(once, PLAN, seen.usages, seen.kills, seen.now)
        for _ in range(2):
            twice = observe(twice, PLAN, seen.usages, seen.kills, seen.now)
    assert twice == once


@given(seeds, st.randoms(use_true_random=False))
def test_the_order_of_the_pods_makes_no_difference(seed: int, random: Random) -> None:
    first = second = ResizeState()
    now = BEGUN
    for seen in RandomHistory(seed).steps(5):
        now = seen.now
        shuffled = random.sample(seen.usages, len(seen.usages))
        first, second = observe(first, PLAN, seen.usages, [], now), observe(second, PLAN, shuffled, [], now)
    for name in ("cpu", "memory"):
        ours, theirs = getattr(first, name), getattr(second, name)
        shares = [weight / ours.total for weight in ours.weights]
        assert [weight / theirs.total for weight in theirs.weights] == pytest.approx(shares, abs=1e-9)


@given(seeds, st.floats(HOUR, 1000 * DAY))
def test_a_clock_that_goes_back_does_not_stop_the_recommender(seed: int, seconds: float) -> None:
    state, now = after(seed)
    old, now = recommend(PLAN, state, now), now - seconds
    moved = observe(state, PLAN, [], [], now)
    assert recommend(PLAN, moved, now).target == pytest.approx(old.target, rel=0.06)
    for _ in range(4 * 24):
        now += 15 * MINUTE
        moved = observe(moved, PLAN, [usage(now, 3.0, 3e9, pod) for pod in ("a", "b", "c", "d", "e")], [], now)
    found = recommend(PLAN, moved, now)
    assert found.samples == state.samples + 4 * 24 * 5
    assert found.lower["cpu"] == pytest.approx(3.45, rel=0.08)


def requests_over(
    load: Callable[[float], tuple[float, float]], days: int, settings: Resources = WIDE
) -> list[tuple[float, Mapping[Kind, Fraction]]]:
    """Play a load (seconds to cores and bytes) by the rules of resizing; return times in days and new requests."""
    plan, state = ResizePlan.of(settings), ResizeState()
    requests: dict[Kind, Fraction] = {"cpu": Fraction(1), "memory": Fraction(GIB)}
    changes: list[tuple[float, Mapping[Kind, Fraction]]] = []
    changed_at = BEGUN
    for step in range(days * 24):
        now = BEGUN + (step + 1) * HOUR
        cores, memory = load(now - BEGUN)
        state = observe(state, plan, [usage(now, cores, memory)], [], now)
        found: ResourceRecommendation = recommend(plan, state, now)
        wish = find_wish(requests, found, target_of(found, settings), changed_at=changed_at, killed_at=0.0, now=now)
        if wish.target:
            requests, changed_at = {**requests, **wish.target}, now
            changes.append(((now - BEGUN) / DAY, dict(requests)))
    return changes


@pytest.mark.parametrize("cores", [0.003, 0.2, 7.0])
def test_a_constant_load_changes_the_requests_once(cores: float) -> None:
    changes = requests_over(lambda _: (cores, 1e9 * (1 + cores)), days=4)
    assert len(changes) <= 2
    assert not [day for day, _ in changes if day > 2]


@pytest.mark.parametrize("hours", [5, 12, 24])
def test_a_periodic_load_does_not_make_the_requests_oscillate(hours: float) -> None:
    def load(seconds: float) -> tuple[float, float]:
        wave = 1 + math.sin(2 * math.pi * seconds / (hours * HOUR))
        return 0.2 + wave, 1e9 * (1 + wave)

    changes = requests_over(load, days=8)
    assert not [day for day, _ in changes if day > 3]


@given(st.lists(st.floats(0, 10), min_size=1, max_size=30))
def test_confidence_grows_and_the_bounds_come_closer(cores: list[float]) -> None:
    state, width, days = ResizeState(), math.inf, 0.0
    plan = ResizePlan.of(as_vertical(cpu=CpuRange(min=0, max=1e4)))
    for index, _ in enumerate(cores):
        now = BEGUN + index * HOUR
        state = observe(state, plan, [usage(now, 2.0, 1e9)], [], now)
        found = recommend(plan, state, now)
        assert found.upper["cpu"] - found.lower["cpu"] <= width
        assert found.confidence_days >= days
        width, days = found.upper["cpu"] - found.lower["cpu"], found.confidence_days


def test_a_long_silence_starts_a_new_history() -> None:
    state = observed(PLAN, [usage(BEGUN + index * MINUTE, 9.0, 9e9) for index in range(60)])
    later = BEGUN + 9 * DAY
    state = observe(state, PLAN, [usage(later, 1.0, 1e9)], [], later)
    assert recommend(PLAN, state, later).samples == 1
    assert recommend(PLAN, state, later).target["cpu"] < 1.3
