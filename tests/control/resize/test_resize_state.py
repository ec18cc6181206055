from __future__ import annotations

import uuid

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotfish.sidecar.control.resize.histogram import BUCKETS, HistogramState
from pilotfish.sidecar.control.resize.plan import ResizePlan
from pilotfish.sidecar.control.resize.recommender import observe, recommend
from pilotfish.sidecar.control.resize.state import MAX_BYTES, ResizeState, ResizeStateError
from pilotfish.sidecar.control.resize.usage import OomKill
from tests.control.resize.histories import BEGUN, CONTAINER, DAY, GIB, MINUTE, RandomHistory, as_vertical, usage

PLAN = ResizePlan.of(as_vertical())


@given(st.integers(0, 10_000))
def test_a_stored_state_is_the_same_state(seed: int) -> None:
    state = ResizeState()
    for seen in RandomHistory(seed).steps(6):
        state = observe(state, PLAN, seen.usages, seen.kills, seen.now)
        assert ResizeState.decode(state.encode()) == state


def test_the_state_of_thousands_of_pods_is_small_and_recommends_the_same() -> None:
    state, now = ResizeState(), BEGUN
    pods = [str(uuid.UUID(int=index)) for index in range(3000)]
    for _ in range(2):
        now += MINUTE
        uses = [usage(now, 1.0 + index / 100, (1 + index) * 1e8, pod) for index, pod in enumerate(pods)]
        state = observe(state, PLAN, uses, [], now)
    state = observe(state, PLAN, [], [OomKill(pod_uid=pods[0], container=CONTAINER, memory_bytes=GIB, at=now)], now)
    data = state.encode()
    assert len(data) <= MAX_BYTES
    stored = ResizeState.decode(data)
    assert stored.pods[pods[0]].killed_at == now, "a kill that is forgotten counts again"
    assert recommend(PLAN, stored, now) == recommend(PLAN, state, now)


def test_the_largest_state_is_small() -> None:
    full = HistogramState(BEGUN, 1e30, 0, BUCKETS - 1, (1.23e28,) * BUCKETS)
    names = ["x" * 48, *("y" * 44 + f"{index:04}" for index in range(4000))]
    state = observe(
        ResizeState(cpu=full, memory=full), PLAN, [usage(BEGUN, 1, 1e13, name) for name in names], [], BEGUN
    )
    assert len(state.encode()) <= MAX_BYTES


@given(st.binary(max_size=200))
def test_damaged_bytes_are_refused_with_a_reason(data: bytes) -> None:
    try:
        state = ResizeState.decode(data)
    except ResizeStateError as error:
        assert "starts from zero" in str(error)  # noqa: PT017 - a few bytes happen to be a state
    else:
        observe(state, PLAN, [usage(BEGUN, 1, 1e9)], [], BEGUN)


@given(st.integers(0, 10_000), st.integers(0, 10**6), st.integers(0, 255))
def test_a_state_with_a_changed_byte_is_refused_or_works(seed: int, place: int, byte: int) -> None:
    state, now = ResizeState(), BEGUN
    for seen in RandomHistory(seed).steps(2):
        state, now = observe(state, PLAN, seen.usages, seen.kills, seen.now), seen.now
    data = bytearray(state.encode())
    data[place % len(data)] = byte
    try:
        found = ResizeState.decode(bytes(data))
    except ResizeStateError:
        return
    after = observe(found, PLAN, [usage(now + MINUTE, 1, 1e9)], [], now + MINUTE)
    recommendation = recommend(PLAN, after, now + MINUTE)
    for name, resource in PLAN.resources.items():
        assert resource.least <= recommendation.target.get(name, resource.least) <= resource.most


@pytest.mark.parametrize(
    "changed",
    [
        {"memory": HistogramState(weights=(float("nan"),) * BUCKETS)},
        {"cpu": HistogramState(weights=(0.0,) * 3)},
        {"cpu": HistogramState(total=-1.0)},
        {"first_at": float("inf")},
    ],
)
def test_impossible_values_are_refused(changed: dict[str, object]) -> None:
    state = msgspec.structs.replace(ResizeState(), **changed)
    with pytest.raises(ResizeStateError, match="impossible values"):
        ResizeState.decode(state.encode())


def test_pods_that_are_gone_are_forgotten_in_the_end() -> None:
    state = observe(ResizeState(), PLAN, [usage(BEGUN, 1, 1e9, "old")], [], BEGUN)
    for day in range(1, 10):
        now = BEGUN + day * DAY
        state = observe(state, PLAN, [usage(now, 1, 1e9, "new")], [], now)
    assert list(state.pods) == ["new"]
