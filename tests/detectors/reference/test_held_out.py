"""The trial of a reference on its own last third."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from pilotfish.detectors.batch import ColumnData, Floats
from pilotfish.detectors.profile.profile import Profile
from pilotfish.detectors.reference.build import build_profile
from pilotfish.detectors.reference.held_out import with_held_out


def _build(columns: Mapping[str, ColumnData], times: Floats | None) -> Profile:
    return build_profile(columns, times=times, exchangeable=times is None)


def _tried(columns: Mapping[str, ColumnData], times: Floats | None = None) -> Profile:
    return with_held_out(_build, columns, times, tolerance=0.0025, false_alarm_ticks=1000.0)


def _rows(seed: int, rows: int = 3000) -> dict[str, Floats]:
    random = np.random.default_rng(seed)
    return {"steady": random.normal(size=rows), "other": random.normal(size=rows)}


def test_a_stable_reference_is_quiet_in_its_trial() -> None:
    profile = _tried(_rows(1))
    assert profile.held_out is not None
    assert profile.held_out.rows == 1000
    assert profile.held_out.alarms == ()
    assert not any("last third" in warning for warning in profile.warnings)


def test_a_change_in_the_last_third_is_reported_with_feature_and_row() -> None:
    rows = _rows(2)
    rows["other"][2500:] += 2
    profile = _tried(rows)
    assert profile.held_out is not None
    alarm = profile.held_out.alarms[0]
    assert alarm.features == ("other",)
    assert 2500 < alarm.row < 2700
    assert any("last third" in warning and "'other'" in warning for warning in profile.warnings)


@pytest.mark.long
def test_rows_in_any_order_are_tried_in_the_order_of_time() -> None:
    rows = _rows(3)
    rows["other"][2500:] += 2
    times: Floats = 60.0 * np.arange(3000, dtype=np.float64)
    order = np.random.default_rng(4).permutation(3000)
    straight = _tried(rows, times)
    mixed = _tried({name: values[order] for name, values in rows.items()}, times[order])
    assert straight.held_out == mixed.held_out
    assert straight.held_out is not None


@pytest.mark.parametrize("rows", [1, 20, 299])
def test_a_reference_too_short_for_a_trial_says_that_none_was_made(rows: int) -> None:
    assert _tried(_rows(5, rows)).held_out is None


def test_a_reference_whose_first_part_holds_nothing_is_not_tried() -> None:
    column = np.full(600, np.nan)
    column[500:] = np.arange(100) % 7
    assert _tried({"late": column}).held_out is None


def test_the_trial_survives_the_document() -> None:
    rows = _rows(6)
    rows["other"][2500:] += 2
    profile = _tried(rows)
    again = Profile.from_bytes(profile.to_bytes())
    assert again.held_out == profile.held_out
    assert again.hash == profile.hash
