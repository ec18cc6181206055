"""The monitor is an exact function of its ticks in order, and does not depend on how rows were counted."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import numpy as np
import pytest

from pilotfish.detectors.detection.attribution import e_bh, largest_contributors
from pilotfish.detectors.detection.family_tables import family_tables
from pilotfish.detectors.detection.monitor import DriftMonitor
from pilotfish.detectors.errors import DetectorError, StateError
from pilotfish.detectors.profile.profile import Profile
from pilotfish.detectors.reference.build import build_profile
from pilotfish.detectors.settings import DriftSettings
from pilotfish.detectors.summaries.counts import Counts
from tests.detectors.material import QUICK, columns, counted, mixed_profile, normal_profile, normal_tick, tick

PROFILE = mixed_profile()


def test_pods_that_share_the_rows_give_the_same_state_as_one() -> None:
    one, many = DriftMonitor(PROFILE, QUICK), DriftMonitor(PROFILE, QUICK)
    for number in range(25):
        rng = np.random.default_rng(number)
        parts = [tick(PROFILE, rng, rows=10, gaps=rng.normal(size=10) + number / 10) for _ in range(7)]
        folded = Counts.empty(PROFILE)
        for position in rng.permutation(7):
            folded = folded + parts[position]
        whole = sum(parts[1:], parts[0])
        assert one.close_tick(number, whole) == many.close_tick(number, folded)
    assert one.state() == many.state()


def test_ticks_without_rows_change_nothing_whether_closed_or_skipped() -> None:
    closed, skipped = DriftMonitor(PROFILE, QUICK), DriftMonitor(PROFILE, QUICK)
    rng = np.random.default_rng(1)
    ticks = {number: tick(PROFILE, rng) for number in (0, 1, 7, 30)}
    for number in range(31):
        closed.close_tick(number, ticks.get(number, Counts.empty(PROFILE)))
        if number in ticks:
            skipped.close_tick(number, ticks[number])
    assert closed.state() == skipped.state()


def test_a_side_without_rows_leaves_its_family_as_it_was() -> None:
    monitor = DriftMonitor(PROFILE, QUICK)
    rng = np.random.default_rng(2)
    monitor.close_tick(0, tick(PROFILE, rng))
    before = monitor.status().families[1]
    counts = tick(PROFILE, rng)
    bin_counts = counts.bin_counts.copy()
    bin_counts[PROFILE.offsets[PROFILE.index["score"]] :] = 0
    monitor.close_tick(1, replace(counts, bin_counts=bin_counts, prediction_rows=0))
    assert monitor.status().families[1] == before
    assert monitor.status().families[0].evidence_ratio > 0


def without(name: str, rng: np.random.Generator) -> Counts:
    data = {key: values for key, values in columns(50, rng).items() if key != name}
    return counted(PROFILE, data, 50)


def test_a_column_that_traffic_never_carries_is_shown_and_raises_nothing() -> None:
    monitor = DriftMonitor(PROFILE, QUICK)
    rng = np.random.default_rng(8)
    assert not any(monitor.close_tick(number, without("city", rng)).alarms for number in range(60))
    (city,) = (feature for feature in monitor.status().features if feature.name == "city")
    assert (city.seen, city.effects) == (False, None)


def test_a_column_that_is_gone_counts_as_missing() -> None:
    monitor = DriftMonitor(PROFILE, QUICK)
    rng = np.random.default_rng(9)
    for number in range(10):
        monitor.close_tick(number, tick(PROFILE, rng))
    monitor = DriftMonitor.from_state(PROFILE, QUICK, monitor.state())
    alarms = [alarm for number in range(10, 14) for alarm in monitor.close_tick(number, without("city", rng)).alarms]
    assert [[feature.name for feature in alarm.features] for alarm in alarms] == [["city"]]
    effects = alarms[0].features[0].effects
    assert effects is not None
    assert effects.missing_ratio > 0.9


def test_traffic_denser_than_the_reference_is_reported() -> None:
    profile = build_profile({"x": np.random.default_rng(1).normal(size=4000)}, rows_per_tick=20)
    monitor = DriftMonitor(profile, QUICK)
    assert monitor.status().density is None
    monitor.close_tick(0, normal_tick(profile, np.random.default_rng(2), rows=60))
    assert monitor.status().density == pytest.approx(3)
    assert DriftMonitor.from_state(profile, QUICK, monitor.state()).status() == monitor.status()


def test_ticks_must_go_forward() -> None:
    monitor = DriftMonitor(PROFILE, QUICK)
    monitor.close_tick(5, Counts.empty(PROFILE))
    for number in (5, 4, -1):
        with pytest.raises(StateError, match=f"tick {number} comes after tick 5"):
            monitor.close_tick(number, Counts.empty(PROFILE))


def test_the_linear_part_is_exact_however_many_rows() -> None:
    table = family_tables(PROFILE, QUICK)[0]
    counts = tick(PROFILE, np.random.default_rng(3)).bin_counts
    once, active = table.increments(0, counts)
    assert active.mean() > 0.9
    for factor in (2**10, 2**30, 2**40):
        assert np.array_equal(table.increments(0, counts * factor)[0], once * factor)


def test_families_share_the_budget() -> None:
    families = DriftMonitor(PROFILE, QUICK).status().families
    assert [family.name for family in families] == ["features", "predictions"]
    assert sum(1 / family.threshold for family in families) == pytest.approx(1 / QUICK.ticks_per_false_alarm)
    (alone,) = DriftMonitor(normal_profile(), QUICK).status().families
    assert alone.threshold == pytest.approx(QUICK.ticks_per_false_alarm)


def test_ignored_features_are_not_monitored_and_tolerant_ones_less() -> None:
    rng = np.random.default_rng(4)
    settings = replace(QUICK, ignore=("x0",), feature_tolerance={"x1": 0.5})
    monitor = DriftMonitor(normal_profile(), settings)
    assert [feature.name for feature in monitor.status().features] == ["x1", "x2", "x3"]
    for number in range(60):
        assert not monitor.close_tick(number, normal_tick(normal_profile(), rng, x0=3.0, x1=0.3)).alarms
    found = [monitor.close_tick(number, normal_tick(normal_profile(), rng, x2=0.8)).alarms for number in range(60, 80)]
    assert sum(map(len, found)) == 1


def test_a_status_can_be_had_at_any_time_and_written_as_json() -> None:
    monitor = DriftMonitor(PROFILE, QUICK)
    assert monitor.status().tick is None
    rng = np.random.default_rng(5)
    for number in range(40):
        now = tick(PROFILE, rng, gaps=rng.normal(size=50) + 1) if number > 20 else tick(PROFILE, rng)
        monitor.close_tick(number, now)
    text = json.dumps(asdict(monitor.status()), allow_nan=False)
    assert "Infinity" not in text
    (gaps,) = (feature for feature in monitor.status().features if feature.name == "gaps")
    assert gaps.episode_id is not None
    assert gaps.effects is not None
    assert gaps.effects.first_tick >= 16
    assert gaps.effects.psi.low > 0.1
    (city,) = (feature for feature in monitor.status().features if feature.name == "city")
    assert city.effects is not None
    assert city.effects.wasserstein is None
    assert city.effects.psi.value < 0.1


def test_a_state_survives_what_a_checkpoint_does_to_it() -> None:
    monitor = DriftMonitor(PROFILE, QUICK)
    rng = np.random.default_rng(6)
    for number in range(10):
        monitor.close_tick(number, tick(PROFILE, rng))
    profile = Profile.from_bytes(PROFILE.to_bytes())
    assert DriftMonitor.from_state(profile, QUICK, monitor.state()).state() == monitor.state()


def test_damaged_states_are_refused() -> None:
    state = DriftMonitor(PROFILE, QUICK).state()
    damages: tuple[dict[str, object], ...] = (
        {"version": 99},
        {"families": {}},
        {"families": None},
        {"windows": [1]},
        {"profile_hash": "x"},
    )
    for damage in damages:
        with pytest.raises(StateError):
            DriftMonitor.from_state(PROFILE, QUICK, {**state, **damage})
    with pytest.raises(StateError, match="alternatives"):
        DriftMonitor.from_state(PROFILE, replace(QUICK, ignore=("city",)), state)


@pytest.mark.parametrize(
    "wrong",
    [{"tick_seconds": 0}, {"false_alarms": -1}, {"tolerance": 2}, {"per_seconds": float("nan")}, {"per_seconds": 60}],
)
def test_impossible_settings_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(DetectorError):
        DriftSettings(**wrong)  # type: ignore[arg-type]  # one of its numbers


def test_e_benjamini_hochberg_names_the_largest_that_pass_together() -> None:
    log_a = float(np.log(100.0))
    needed = log_a + np.log(4 / (np.arange(1, 5) * 0.1))
    assert e_bh(np.array([-np.inf] * 4), log_a).tolist() == []
    assert e_bh(np.array([0.0, needed[0], 1.0, 2.0]), log_a).tolist() == [1]
    assert e_bh(np.array([needed[1], 0.0, needed[1], 2.0]), log_a).tolist() == [0, 2]
    assert e_bh(np.array([needed[1] - 0.01, 0.0, needed[1], 2.0]), log_a).tolist() == []


def test_without_a_confirmed_feature_the_largest_and_those_near_it_are_named() -> None:
    assert largest_contributors(np.array([0.0, 3.0, 2.5, 1.0])).tolist() == [1, 2]
    assert largest_contributors(np.array([-np.inf, 3.0])).tolist() == [1]
