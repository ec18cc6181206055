"""The forecast: only where past periods repeat, only as far as a start-up lasts, and only more replicas."""

from __future__ import annotations

from collections.abc import Callable
from math import cos, pi
from random import Random

import pytest

from pilotfish.sidecar.control.scale.forecast import BINS, MOST_PERIODS, observe, rise, wording
from pilotfish.sidecar.control.scale.plan import ScalePlan
from pilotfish.sidecar.control.scale.state import LoadHistory, ScaleState
from tests.control.scale.recommended import BEGIN, Target, plan_of

DAY = 86400.0
START = 20000 * DAY


def diurnal(now: float) -> float:
    """Return a load in replicas that repeats each day: 2 at midnight, 18 at noon."""
    return 10.0 - 8.0 * cos(2 * pi * now / DAY)


def history(load: Callable[[float], float], days: float, *, horizon: float = 600.0, step: float = 128.0) -> LoadHistory:
    """Return the history of a load over a number of days."""
    found, now = LoadHistory(), START
    while now < START + days * DAY:
        found = observe(found, DAY, load(now), horizon, now)
        now += step
    return found


def test_a_load_that_repeats_is_expected_to_rise_as_before() -> None:
    found = history(diurnal, 2.3)
    now = START + 2.3 * DAY
    wanted = diurnal(now + 600.0) - diurnal(now)
    assert found.skill is not None
    assert found.skill > 0.8
    assert "used: past periods repeat" in wording(found)
    expected = rise(found, 600.0, now)
    assert expected is not None
    assert abs(expected - wanted) < 0.2 * wanted


def test_a_falling_load_is_expected_to_stay() -> None:
    assert rise(history(diurnal, 2.6), 600.0, START + 2.6 * DAY) == 0.0


def test_before_two_periods_are_complete_there_is_no_forecast() -> None:
    found = history(diurnal, 1.9)
    assert (found.skill, rise(found, 600.0, START + 1.9 * DAY)) == (None, None)
    assert "fewer than two complete periods" in wording(found)


def test_a_load_that_does_not_repeat_gets_no_forecast() -> None:
    random = Random(3)
    walk = [10.0]

    def load(_now: float) -> float:
        walk[0] = min(40.0, max(1.0, walk[0] + random.gauss(0.0, 0.3)))
        return walk[0]

    found = history(load, 3.0)
    assert found.skill is not None
    assert found.skill < 0.3
    assert rise(found, 600.0, START + 3.0 * DAY) is None
    assert "do not repeat" in wording(found)


def test_a_day_that_differs_from_the_others_ends_the_forecast() -> None:
    def holiday(now: float) -> float:
        return 2.0 + 0.1 * cos(now / 900.0) if now > START + 2.0 * DAY else diurnal(now)

    assert rise(history(diurnal, 2.3), 600.0, START + 2.3 * DAY)
    assert rise(history(holiday, 2.3), 600.0, START + 2.3 * DAY) is None


def test_noise_as_large_as_the_rise_leaves_no_skill() -> None:
    random = Random(5)
    found = history(lambda now: max(0.0, diurnal(now) + random.gauss(0.0, 4.0)), 3.0, step=128.0)
    assert found.skill is not None
    assert found.skill < 0.3


def test_a_gap_in_the_history_is_not_a_load_of_zero() -> None:
    found, now = LoadHistory(), START
    while now < START + 3.3 * DAY:
        if not START + 1.4 * DAY < now < START + 1.45 * DAY:
            found = observe(found, DAY, diurnal(now), 600.0, now)
        now += 64.0
    assert found.skill is not None
    assert found.skill > 0.8


def test_the_history_keeps_four_periods_at_most_and_ignores_a_clock_that_was_set_back() -> None:
    found = history(diurnal, 4.5, step=256.0)
    assert len(found.periods) == MOST_PERIODS
    assert all(len(period) == 2 * BINS for period in found.periods)
    assert observe(found, DAY, 5.0, 600.0, START) == found
    assert observe(found, 2 * DAY, 5.0, 600.0, START + 7 * DAY).periods != found.periods
    assert observe(found, 0.0, 5.0, 600.0, START) == LoadHistory()
    later = observe(found, DAY, 5.0, 600.0, START + 400 * DAY)
    assert len(later.periods) == MOST_PERIODS


@pytest.mark.long
def test_a_forecast_adds_replicas_before_the_load_comes_and_never_removes_one() -> None:
    plan = plan_of(most=40, forecast_period=DAY, interval=120.0, max_age=240.0)
    known = history(diurnal, 2.3)
    ahead = ScaleState(history=LoadHistory(DAY, known.periods, known.index, skill=known.skill))
    assert "forecast" in morning(plan, ahead)[1]
    with_forecast, without = morning(plan, ahead)[0], morning(plan, ScaleState())[0]
    assert all(one >= other for one, other in zip(with_forecast, without, strict=True))
    assert sum(with_forecast) > sum(without)


def morning(plan: ScalePlan, state: ScaleState) -> tuple[list[int], list[str]]:
    """Return the replicas and reasons of an hour of a morning after two days."""
    target = Target(plan, lambda now: 5.0 * diurnal(now + BEGIN), replicas=13, startup=600.0, state=state)
    target.now = START + 2.3 * DAY
    target.created = [START] * 13
    found = target.run(3600.0)
    return [one.desired for one in found], [one.reason.value for one in found]
