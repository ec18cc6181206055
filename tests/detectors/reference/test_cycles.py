"""A feature gets slots if it follows the clock, at a stated level; recurring days lie in both splits."""

from __future__ import annotations

import numpy as np
import pytest

from pilotfish.detectors.batch import Floats, Ints
from pilotfish.detectors.detection.family_tables import family_tables
from pilotfish.detectors.profile.profile import Profile
from pilotfish.detectors.profile.slots import SLOT_KINDS, SlotName
from pilotfish.detectors.reference.blocks import training_mask
from pilotfish.detectors.reference.build import build_profile
from pilotfish.detectors.reference.cycles import cycle_p_value
from pilotfish.detectors.settings import DriftSettings

DAYS, TICK, ROWS = 60, 3600.0, 20
HOURS = np.arange(DAYS * 24)
TIMES = np.repeat(HOURS * TICK, ROWS) + 4 * 86_400  # from a Monday
WEEKEND = (HOURS // 24 % 7 >= 5).astype(np.float64)
LEVELS: dict[str, Floats] = {
    "none": np.zeros(len(HOURS)),
    "weekday": -0.8 * WEEKEND,
    "hour of the week": np.sin(HOURS * np.pi / 12) - 0.8 * WEEKEND,
    "hour of the day": np.sin(HOURS * np.pi / 12),
}


def positions(kind: SlotName) -> Ints:
    return HOURS // round(SLOT_KINDS[kind].seconds / TICK)


def wandering(rng: np.random.Generator, memory: float) -> Floats:
    """A level that resembles the hour before and does not follow the clock."""
    steps, level = rng.normal(size=len(HOURS)) * np.sqrt(1 - memory**2), float(rng.normal())
    out: Floats = np.array([level := memory * level + step for step in steps.tolist()])
    return out


def profile_of(level: Floats) -> Profile:
    values = np.repeat(level, ROWS) + np.random.default_rng(4).normal(size=len(TIMES))
    return build_profile({"x": values}, times=TIMES, tick_seconds=TICK)


@pytest.mark.long
@pytest.mark.parametrize("memory", [0.0, 0.9, 0.99])
@pytest.mark.parametrize("kind", SLOT_KINDS)
def test_features_that_do_not_follow_the_clock_pass_the_test_as_rarely_as_its_level(
    kind: SlotName, memory: float
) -> None:
    rng, runs, level = np.random.default_rng(1), 60, 0.05
    passed = [
        cycle_p_value(rng.normal(size=len(HOURS)) + wandering(rng, memory), positions(kind), SLOT_KINDS[kind]) <= level
        for _ in range(runs)
    ]
    assert sum(passed) <= 9  # of a binomial distribution with the mean 3, exceeded once in 500 times


@pytest.mark.parametrize("name", ["weekday", "hour of the week", "hour of the day"])
def test_a_cycle_of_the_day_is_evidence_for_hours_and_not_for_days_of_the_week(name: str) -> None:
    rng = np.random.default_rng(2)
    scores = LEVELS[name] - LEVELS[name].mean() + rng.normal(size=len(HOURS))
    found = {kind: cycle_p_value(scores, positions(kind), SLOT_KINDS[kind]) for kind in SLOT_KINDS}
    assert (found["weekday"] < 0.003) == (name != "hour of the day")
    assert (found["hour of the week"] < 0.003) == (name != "hour of the day")
    assert (found["hour of the day"] < 0.003) == (name != "weekday")


@pytest.mark.parametrize("name", ["none", pytest.param("weekday", marks=pytest.mark.long), "hour of the day"])
def test_the_slots_are_those_of_the_cycle(name: str) -> None:
    (feature,) = profile_of(LEVELS[name]).features
    assert (None if feature.slots is None else feature.slots.kind.name) == (None if name == "none" else name)
    assert any(name in warning for warning in feature.warnings) == (name != "none")


@pytest.mark.long
def test_a_cycle_of_the_day_and_the_week_has_slots_of_hours_of_the_week() -> None:
    """Only some slots are in memory; the others are made again, to the bit."""
    profile = profile_of(LEVELS["hour of the week"])
    (feature,) = profile.features
    assert feature.slots is not None
    assert feature.slots.kind.name == "hour of the week"
    assert Profile.from_bytes(profile.to_bytes()).to_bytes() == profile.to_bytes()
    (table,) = family_tables(profile, DriftSettings(TICK))
    first = table.features[0].at(0)
    for hour in range(1, 168):
        table.features[0].at(hour)
    again = table.features[0].at(168)
    assert again is not first
    assert np.array_equal(again.log_u, first.log_u)
    assert np.array_equal(again.log_h, first.log_h)


@pytest.mark.parametrize("period", [2, 3, 5, 7, 10])
def test_days_of_every_period_lie_in_both_splits(period: int) -> None:
    days = 12 * period
    training, by_days = training_mask(86_400.0 * np.arange(days, dtype=np.float64), days)
    assert by_days
    assert 0.25 <= training.mean() <= 0.35
    for first in range(period):
        assert 0 < training[first::period].sum() < 12, first
