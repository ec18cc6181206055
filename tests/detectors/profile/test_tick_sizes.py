"""The rows of the reference in a tick of any width."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotfish.detectors.profile.profile import Profile
from pilotfish.detectors.reference.blocks import size_biased_rows_per_tick
from pilotfish.detectors.reference.build import build_profile

HOUR, DAY = 3600.0, 86_400.0


def built(times: np.ndarray, tick: float) -> Profile:
    return build_profile({"x": np.random.default_rng(1).normal(size=len(times))}, times=times, tick_seconds=tick)


@pytest.mark.parametrize("tick", [60.0, HOUR, DAY])
def test_one_row_an_hour_is_one_row_in_a_minute_whatever_the_ticks_of_the_profile(tick: float) -> None:
    reference = built(np.arange(0, 40 * DAY, HOUR), tick).reference
    assert [reference.rows_in_tick(width) for width in (60.0, HOUR, DAY)] == [1, 1, 24]


def test_bursts_count_as_often_as_their_rows() -> None:
    times = np.repeat(np.arange(0, 200 * HOUR, HOUR), 20) + np.tile(np.arange(20.0), 200)
    reference = built(times, 60.0).reference
    assert [reference.rows_in_tick(width) for width in (10.0, 60.0, HOUR)] == [10, 20, 20]


@given(st.floats(1.0, 7 * DAY), st.floats(1.0, 7 * DAY))
def test_wider_ticks_hold_at_least_as_many_rows(one: float, other: float) -> None:
    reference = PROFILE.reference
    narrow, wide = (reference.rows_in_tick(width) for width in sorted((one, other)))
    assert narrow is not None
    assert wide is not None
    assert 1 <= narrow <= wide


@given(st.sampled_from((1.0, 30.0, 300.0, HOUR, 6 * HOUR, DAY)))
def test_usual_widths_are_exact(width: float) -> None:
    exact = size_biased_rows_per_tick(np.floor(TIMES / width).astype(np.int64))
    assert PROFILE.reference.rows_in_tick(width) == pytest.approx(exact, abs=0.001)


TIMES = np.sort(np.random.default_rng(2).uniform(0, 30 * DAY, 3000))
PROFILE = built(TIMES, 60.0)
