"""The divisor of stretches: what recurs in the reference gives no more evidence than a fair game shows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotfish.detectors.batch import Batch
from pilotfish.detectors.detection.monitor import DriftMonitor
from pilotfish.detectors.detection.results import Alarm
from pilotfish.detectors.reference.build import build_profile
from pilotfish.detectors.reference.stretches import LOG_SLACK, stretch_divisor
from pilotfish.detectors.settings import DriftSettings
from pilotfish.detectors.summaries.counts import Counts, TickCounts

PERIODS = 2000


def fair_steps(rng: np.random.Generator, alternatives: int, sd: float = 0.3) -> np.ndarray:
    """Steps of normal evidence [PERIODS, alternatives] whose exponential has a mean of one."""
    return rng.normal(-(sd**2) / 2, sd, size=(PERIODS, alternatives))


def test_a_fair_game_needs_no_divisor_in_most_alternatives() -> None:
    divisors = stretch_divisor(fair_steps(np.random.default_rng(1), 400))
    assert np.mean(divisors > 1) < np.exp(-LOG_SLACK)
    assert np.quantile(divisors, 0.99) < 2


@given(st.integers(0, 10_000), st.floats(1.0, 50.0))
def test_a_divisor_scales_with_the_evidence(seed: int, factor: float) -> None:
    steps = fair_steps(np.random.default_rng(seed), 1)
    steps[500:510] += 5.0
    once, scaled = stretch_divisor(steps)[0], stretch_divisor(steps * factor)[0]
    assert scaled == pytest.approx(once * factor) or once == 1


@given(st.integers(0, 10_000), st.integers(2, 20))
def test_trouble_that_recurs_more_often_needs_a_larger_divisor(seed: int, times: int) -> None:
    once = fair_steps(np.random.default_rng(seed), 1)
    often = once.copy()
    once[50:60] += 10.0
    for start in range(50, PERIODS, PERIODS // times):
        often[start : start + 10] += 10.0
    assert stretch_divisor(often)[0] >= stretch_divisor(once)[0] - 0.3


def test_evidence_that_only_falls_needs_no_divisor() -> None:
    assert stretch_divisor(np.full((100, 3), -1.0)).tolist() == [1.0, 1.0, 1.0]
    assert stretch_divisor(np.zeros((100, 1))).tolist() == [1.0]


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60))
def test_any_evidence_gives_a_finite_divisor_of_at_least_one(steps: list[float]) -> None:
    (divisor,) = stretch_divisor(np.array(steps)[:, None])
    assert 1 <= divisor < np.inf


def counted(counts: TickCounts, columns: dict[str, np.ndarray]) -> Counts:
    counts.add(Batch(columns, len(columns["x"])))
    return counts.take()


@pytest.mark.long
def test_an_hour_of_outliers_every_ten_days_raises_no_alarm_and_a_shift_beside_it_does() -> None:
    days, per_day, rows = 90, 144, 10
    rng = np.random.default_rng(3)
    ticks = np.repeat(np.arange(days * per_day), rows)
    values = rng.normal(size=len(ticks))
    for day in range(5, days, 10):
        inside = (ticks >= day * per_day) & (ticks < day * per_day + 6) & (rng.random(len(ticks)) < 1 / 3)
        values[inside] = 50.0
    known = ticks < 60 * per_day
    data = {"x": values, "calm": rng.normal(size=len(ticks))}
    profile = build_profile(
        {name: column[known] for name, column in data.items()},
        times=np.asarray(ticks[known] * 600.0, dtype=np.float64),
        tick_seconds=600.0,
    )
    monitor, counts = DriftMonitor(profile, DriftSettings(600.0)), TickCounts(profile)
    alarms: list[Alarm] = []
    for tick in range(60 * per_day, days * per_day):
        at = ticks == tick
        alarms += monitor.close_tick(tick, counted(counts, {name: column[at] for name, column in data.items()})).alarms
    assert alarms == []
    found = [
        monitor.close_tick(tick, counted(counts, {"x": rng.normal(size=rows), "calm": rng.normal(1.0, size=rows)}))
        for tick in range(days * per_day, days * per_day + 20)
    ]
    assert [feature.name for result in found for alarm in result.alarms for feature in alarm.features] == ["calm"]
