"""The state of the recommender: small, readable after a change of leader, and safe against damage."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotfish.sidecar.control.scale.facts import Sample
from pilotfish.sidecar.control.scale.forecast import BINS, MOST_PERIODS
from pilotfish.sidecar.control.scale.plan import PlanSignal, ScalePlan
from pilotfish.sidecar.control.scale.recommender import recommend
from pilotfish.sidecar.control.scale.state import (
    MAX_BYTES,
    LoadHistory,
    ScaleEvent,
    ScaleState,
    ScaleStateError,
    StartupState,
    scaled,
)
from pilotfish.sidecar.settings.scaling import ConcurrencySignal, Scaling, ScalingBehavior, ScalingRules
from tests.control.scale.recommended import BEGIN, facts_of, pod


def test_a_change_is_recorded_once_however_often_it_is_replayed() -> None:
    state = scaled(scaled(ScaleState(periods=(60.0, 60.0)), 2, 4, BEGIN), 4, 3, BEGIN + 15.0)
    assert (state.ups, state.downs) == ((ScaleEvent(2, 4, BEGIN),), (ScaleEvent(4, 3, BEGIN + 15.0),))
    assert scaled(state, 2, 4, BEGIN) == state
    assert scaled(state, 4, 3, BEGIN + 15.0) == state
    assert scaled(state, 3, 3, BEGIN + 30.0) == state


def test_an_outdated_change_makes_room_for_a_new_one() -> None:
    state = ScaleState(periods=(60.0, 60.0))
    for number in range(500):
        state = scaled(state, number, number + 1, BEGIN + 15.0 * number)
    assert len(state.ups) <= 6


@given(st.binary(max_size=200))
def test_damaged_bytes_are_refused(data: bytes) -> None:
    try:
        ScaleState.decode(data)
    except ScaleStateError as error:
        assert "state of the replicas" in str(error)  # noqa: PT017 - a few bytes happen to be a state


def test_a_truncated_or_too_large_state_is_refused() -> None:
    whole = ScaleState(startup=StartupState((1.0,), ("a",))).encode()
    for end in range(len(whole)):
        with pytest.raises(ScaleStateError):
            ScaleState.decode(whole[:end])
    with pytest.raises(ScaleStateError, match="more than"):
        ScaleState.decode(b"x" * (MAX_BYTES + 1))


@pytest.mark.long
def test_the_largest_state_fits() -> None:
    random = Random(1)
    slow = ScalingRules(stabilization_window_seconds=3600)
    scaling = Scaling(
        max_replicas=500,
        signals=(ConcurrencySignal(target=1.0),),
        behavior=ScalingBehavior(scale_up=slow, scale_down=slow),
        interval=5.0,
        smoothing=300.0,
    )
    names = [f"signal-{number}" for number in range(9)]
    plan = ScalePlan.of(scaling)
    plan = replace(plan, signals=(*plan.signals, *(PlanSignal(name, "average", 1.0) for name in names)))
    blank = tuple(bytes(2 * BINS) for _ in range(MOST_PERIODS))
    index = int(BEGIN / (plan.forecast_period / BINS))
    state = ScaleState(
        history=LoadHistory(plan.forecast_period, blank, index, skill=0.5),
        startup=StartupState(tuple(random.random() for _ in range(32))),
        periods=(1800.0, 1800.0),
    )
    for number in range(60):
        state = scaled(state, 400, 400 + (-1) ** number, BEGIN - 30.0 * number)
    now = BEGIN
    for number in range(760):
        now += plan.interval
        value = random.uniform(0.9, 1.1)
        values = dict.fromkeys(("concurrency", *names), Sample(value, now))
        pods = [replace(pod("a", now), values=values)]
        pods += [replace(pod(f"s{other}", now, answering=False), uid=f"{other:036}") for other in range(100)]
        _, state = recommend(plan, facts_of(pods[:2] if number < 759 else pods, now), state, now)
    assert len(state.encode()) <= MAX_BYTES
    assert ScaleState.decode(state.encode()) == state
