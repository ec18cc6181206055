"""Warnings where live ticks differ from those of the reference."""

from __future__ import annotations

import numpy as np
import pytest

from pilotfish.detectors.detection.mismatches import density_warning, tick_warnings
from pilotfish.detectors.profile.profile import Profile
from pilotfish.detectors.reference.build import build_profile
from pilotfish.detectors.settings import DriftSettings

DAY = 86_400.0


def profile(tick: float = 600.0, days: int = 16, timezone: str = "UTC", cycle: float = 3.0) -> Profile:
    times = np.arange(0, days * DAY, 120.0)
    noise = np.random.default_rng(1).normal(size=len(times))
    values = noise + cycle * np.sin(2 * np.pi * times / DAY)
    return build_profile({"load": values}, times=times, tick_seconds=tick, timezone=timezone)


def settings(tick: float, timezone: str = "UTC") -> DriftSettings:
    return DriftSettings(tick, per_seconds=tick * 1000, timezone=timezone)


@pytest.mark.parametrize(
    ("tick", "part"),
    [
        (600.0, None),
        (3600.0, None),
        (60.0, "bursts within 600 s are unknown"),
        (3 * DAY, "an eighth of its length"),
    ],
)
def test_ticks_of_another_width_than_the_reference_measured_are_named(tick: float, part: str | None) -> None:
    found = tick_warnings(profile(cycle=0.0), settings(tick))
    assert (part is None and found == ()) or (part is not None and part in found[0])


@pytest.mark.long
def test_ticks_longer_than_an_hour_lose_the_comparison_by_hours() -> None:
    assert any("1 features with a cycle" in text for text in tick_warnings(profile(), settings(7200.0)))
    assert tick_warnings(profile(), settings(3600.0)) == ()


@pytest.mark.long
def test_another_time_zone_than_that_of_the_profile_is_named() -> None:
    wanted = settings(600.0, "Europe/Berlin")
    assert "--timezone Europe/Berlin" in tick_warnings(profile(), wanted)[0]
    assert tick_warnings(profile(timezone="Europe/Berlin"), wanted) == ()
    assert tick_warnings(profile(cycle=0.0), wanted) == ()


def test_rows_without_times_have_no_width_to_compare() -> None:
    rows = build_profile({"x": np.random.default_rng(1).normal(size=4000)})
    assert tick_warnings(rows, settings(7.0)) == ()


def test_a_dense_tick_is_named() -> None:
    assert density_warning(None) == density_warning(10.0) == ""
    assert "25 times the rows" in density_warning(25.0)
