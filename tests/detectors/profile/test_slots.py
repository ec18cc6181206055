"""Hours and weekdays are separate slots where a cycle would hide drift, and nowhere else."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from functools import cache
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from pilotfish.detectors.batch import Batch, Column, Floats
from pilotfish.detectors.binning.probabilities import shrunken_probabilities, smoothed_probabilities
from pilotfish.detectors.conformance import check_merge, check_pods, check_rows, check_state
from pilotfish.detectors.detection.family_tables import family_tables
from pilotfish.detectors.detection.monitor import DriftMonitor
from pilotfish.detectors.detection.results import TickResult
from pilotfish.detectors.errors import DetectorError, ProfileError
from pilotfish.detectors.evalues.bank import build_bank
from pilotfish.detectors.evalues.bounds import fixed_point_bounds, log_inverse_risk_of
from pilotfish.detectors.profile.profile import Profile, canonical
from pilotfish.detectors.profile.slots import SLOT_KINDS, SlotName, Slots
from pilotfish.detectors.reference.build import build_profile
from pilotfish.detectors.reference.profile_warnings import SLOT_NOTES
from pilotfish.detectors.settings import DriftSettings
from pilotfish.detectors.summaries.counts import Counts, TickCounts
from pilotfish.detectors.timezones import local_seconds

DAYS, DAY_TICKS, ROWS, TICK = 10, 144, 20, 600.0
MONTH = DriftSettings(TICK)


def angle(ticks: np.ndarray | int) -> np.ndarray:
    return np.sin(2 * np.pi * np.asarray(ticks) / DAY_TICKS)


def rows_of(ticks: np.ndarray | int, rows: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Load and channel have a cycle of a day, noise has none."""
    cycle = np.broadcast_to(angle(ticks), rows)
    return {
        "channel": np.where(rng.random(rows) < 0.5 + 0.3 * cycle, "app", "web"),
        "load": 1.5 * cycle + rng.normal(size=rows),
        "noise": rng.normal(size=rows),
    }


@cache
def reference(days: int = DAYS) -> Profile:
    ticks = np.repeat(np.arange(days * DAY_TICKS), ROWS)
    data = rows_of(ticks, len(ticks), np.random.default_rng(1))
    return build_profile(data, times=ticks.astype(np.float64) * TICK, tick_seconds=TICK)


def empty_slots(kind: SlotName, timezone: str = "UTC") -> Slots:
    none, ones = np.zeros((SLOT_KINDS[kind].count, 1), dtype=np.int64), np.ones(1)
    return Slots(SLOT_KINDS[kind], none, none, ones, ones, ones, timezone)


def live(profile: Profile, number: int, rng: np.random.Generator, shift: float = 0.0) -> Counts:
    data = rows_of(number, ROWS, rng)
    data["load"] = data["load"] + shift
    counts = TickCounts(profile)
    counts.add(Batch(data, ROWS))
    return counts.take()


def ticks_to_alarm(profile: Profile, seed: int, limit: int) -> int | None:
    """From a shift of one standard deviation of the hour, at three in the morning or later, after a quiet day."""
    rng, monitor = np.random.default_rng(seed), DriftMonitor(profile, MONTH)
    first = DAYS * DAY_TICKS
    start = first + DAY_TICKS + 18 + 30 * seed
    for number in range(first, start + limit):
        result = monitor.close_tick(number, live(profile, number, rng, 1.0 if number >= start else 0.0))
        if result.alarms:
            assert number >= start
            assert [feature.name for feature in result.alarms[0].features] == ["load"]
            return number - start + 1
    return None


def test_only_features_with_a_cycle_have_slots_and_the_profile_says_so() -> None:
    profile = reference()
    assert {f.name: f.slots is not None for f in profile.features} == {"channel": True, "load": True, "noise": False}
    note = SLOT_NOTES["hour of the day"]
    assert [w for w in profile.warnings if w.startswith(note)] == [f"{note}: channel, load"]
    for feature in profile.features:
        if feature.slots is not None:
            assert np.array_equal(feature.slots.training.sum(axis=0), feature.training)
            assert np.array_equal(feature.slots.calibration.sum(axis=0), feature.calibration)
            assert np.median(feature.slots.variance_inflation) <= np.median(feature.variance_inflation)
    load = profile.feature("load")
    assert load.slots is not None
    assert load.variance_inflation.max() > 50
    assert load.slots.variance_inflation.max() < 5


@pytest.mark.long
def test_a_cycle_no_longer_hides_a_shift() -> None:
    """With slots, 2 ticks are enough; without slots, a week of ticks is not."""
    profile = reference()
    for seed in range(3):
        assert (ticks_to_alarm(profile, seed, 20) or 99) <= 12
    assert ticks_to_alarm(profile.without_slots(), 0, 300) is None


@pytest.mark.long
def test_nothing_is_raised_while_the_cycle_goes_on() -> None:
    profile, rng = reference(), np.random.default_rng(5)
    monitor = DriftMonitor(profile, DriftSettings(TICK, per_seconds=TICK * 1000))
    first = DAYS * DAY_TICKS
    assert not any(monitor.close_tick(n, live(profile, n, rng)).alarms for n in range(first, first + 3 * DAY_TICKS))


def test_short_references_and_long_ticks_have_no_slots() -> None:
    assert all(feature.slots is None for feature in reference(6).features)
    ticks = np.repeat(np.arange(DAYS * DAY_TICKS), ROWS)
    data = rows_of(ticks, len(ticks), np.random.default_rng(1))
    coarse = build_profile(data, times=ticks.astype(np.float64) * TICK, tick_seconds=7200.0)
    assert all(feature.slots is None for feature in coarse.features)
    assert all(f.slots is None for f in build_profile(data, rows_per_tick=ROWS).features)


@pytest.mark.parametrize("name", ["channel", "load"])
def test_the_functions_are_the_same_in_every_slot_and_their_bounds_hold(name: str) -> None:
    feature = reference().feature(name)
    assert feature.slots is not None
    whole = build_bank(feature.bins, feature.training, 0.0)
    rng = np.random.default_rng(2)
    log_inverse_risk = log_inverse_risk_of(len(feature.variance_inflation), 24)
    for slot in range(24):
        bank = build_bank(feature.bins, feature.training, 0.0, feature.slots.training[slot])
        assert bank.groups == whole.groups
        assert np.array_equal(bank.weights, whole.weights)
        values = rows_of(np.repeat(slot * 6 + np.arange(6), 5000), 30_000, rng)[name]
        bin_ids, _ = feature.bins.digitize(Column(values))
        truth = np.bincount(bin_ids, minlength=feature.bins.size) / 30_000
        p = shrunken_probabilities(feature.slots.training[slot], smoothed_probabilities(feature.training))
        bound = fixed_point_bounds(
            bank, p, feature.slots.calibration[slot], feature.slots.bound_variance_inflation, log_inverse_risk, 0.0
        )
        assert np.all(bank.h @ truth <= np.exp(bound.log_u[-1] / 2**24) + 0.03)


@pytest.mark.parametrize(("seconds", "by_slot"), [(60.0, True), (600.0, True), (3600.0, True), (7200.0, False)])
def test_live_ticks_of_another_width_find_their_slot_unless_they_outlast_it(seconds: float, by_slot: bool) -> None:
    (table,) = family_tables(reference(), DriftSettings(seconds, per_seconds=seconds * 1000))
    load = next(one for one in table.features if one.feature.name == "load")
    noon, midnight = round(12 * 3600 / seconds), round(24 * 3600 / seconds)
    assert (load.at(noon) is not load.at(midnight)) == by_slot
    assert load.at(noon) is load.at(noon + round(86_400 / seconds))
    assert load.variance_inflation.max() < 5 or not by_slot
    noise = next(one for one in table.features if one.feature.name == "noise")
    assert noise.at(noon) is noise.at(midnight)


def test_the_next_hour_is_made_before_it_comes() -> None:
    (table,) = family_tables(reference(), MONTH)
    load = next(one for one in table.features if one.feature.name == "load")
    table.prepare_next_slot(3)
    assert not load.prepare_next_slot(3)
    assert load.prepare_next_slot(3 + 6)


def test_ticks_fall_into_the_hours_of_the_day() -> None:
    hours = empty_slots("hour of the day")
    assert [hours.slot_of(tick, 1800.0) for tick in (0, 1, 2, 47, 48)] == [0, 0, 1, 23, 0]
    assert hours.resolved(3600.0)
    assert not hours.resolved(7200.0)
    assert hours.shares(0, 143, 600.0) == pytest.approx(np.full(24, 1 / 24))
    assert hours.shares(144 + 6, 144 + 14, 600.0)[1:3] == pytest.approx([2 / 3, 1 / 3])


def test_effect_sizes_compare_with_the_same_hours() -> None:
    rng, profile = np.random.default_rng(6), reference()
    found = []
    for one in (profile, profile.without_slots()):
        monitor = DriftMonitor(one, MONTH)
        for number in range(30, 42):
            monitor.close_tick(number, live(one, number, rng))
        effects = next(feature.effects for feature in monitor.status().features if feature.name == "load")
        assert effects is not None
        found.append(effects.psi.value)
    assert found[0] < 0.1
    assert found[1] > 0.5


def test_a_lasting_drift_alarms_once_and_its_episode_ends_when_it_is_over() -> None:
    rng, profile = np.random.default_rng(7), reference()
    monitor = DriftMonitor(profile, MONTH)
    first = DAYS * DAY_TICKS
    results: dict[int, TickResult] = {}
    for number in range(first, first + 4 * DAY_TICKS):
        drifts = 20 <= number - first < 2 * DAY_TICKS
        results[number - first] = monitor.close_tick(number, live(profile, number, rng, 1.0 if drifts else 0.0))
    assert sum(len(result.alarms) for result in results.values()) == 1
    closed = [tick for tick, result in results.items() for change in result.changes if change.kind == "closed"]
    assert len(closed) == 1
    assert 2 * DAY_TICKS <= closed[0] < 2 * DAY_TICKS + 80


@pytest.mark.long
def test_counts_of_pods_add_up_and_alarms_are_the_same_to_the_bit() -> None:
    rng, profile = np.random.default_rng(8), reference()
    batches = []
    for number in range(40):
        made = [rows_of(number, 5, rng) for _ in range(7)]
        drifted = [{**data, "load": data["load"] + (1.5 if number >= 20 else 0.0)} for data in made]
        batches.append([Batch(data, 5) for data in drifted])
    check_merge(profile, batches[0], 3)
    counts = TickCounts(profile)
    counts.add(batches[0][0])
    check_rows(profile, counts.take())
    results = [check_pods(profile, MONTH, batches, pods) for pods in (1, 3, 7)]
    assert results[0] == results[1] == results[2]
    assert any(result.alarms for result in results[0])


@pytest.mark.long
def test_a_monitor_goes_on_from_its_state_to_the_bit_across_hours() -> None:
    rng, profile = np.random.default_rng(9), reference()
    ticks = [live(profile, number, rng, 1.5 if 20 <= number < 40 else 0.0) for number in range(70)]
    for cut in (10, 25, 45):
        check_state(profile, MONTH, ticks, cut)


def test_a_profile_with_slots_survives_a_round_trip_and_stays_small() -> None:
    profile = reference()
    assert Profile.from_bytes(profile.to_bytes()).to_bytes() == profile.to_bytes()
    slotted = sum(feature.slots is not None for feature in profile.features)
    assert 100 * len(gzip.compress(profile.to_bytes())) / slotted < 2**19


BAD = {
    "a slot too few": ("shaping", lambda part: part[1:], "must have 24 to 24 entries, not 23"),
    "a bin too few": ("bounding", lambda part: [part[0][1:], *part[1:]], r"\[0\] must be .* counts"),
    "negative counts": ("bounding", lambda part: [[-1] * len(part[0]), *part[1:]], r"\[0\]\[0\] must be"),
    "an inflation below one": ("inflation", lambda part: [0.5, *part[1:]], r"\[0\] must be a number from 1"),
    "an inflation too few": ("inflation", lambda part: part[1:], "entries, not"),
}


@pytest.mark.parametrize("what", BAD)
def test_damaged_slots_are_refused_with_their_path(what: str) -> None:
    key, change, message = BAD[what]
    document = json.loads(reference().to_bytes())
    position = next(i for i, feature in enumerate(document["features"]) if feature["name"] == "load")
    slots = document["features"][position]["slots"]
    slots[key] = change(slots[key])
    with pytest.raises(ProfileError, match=rf"features\[{position}\] \('load'\)\.slots\.{key}.*{message}"):
        Profile.from_bytes(canonical(document))


@pytest.mark.long
def test_a_lasting_drift_is_not_closed_in_hours_that_the_reference_has_no_rows_of() -> None:
    random = np.random.default_rng(3)
    day, tick = 86_400.0, 600.0
    start = 1.6e9 // day * day
    hours = np.linspace(6 * 3600, 20 * 3600, 14 * 60, endpoint=False)
    times: Floats = (start + np.arange(12)[:, None] * day + hours).ravel()

    def level(at: Floats) -> Floats:
        out: Floats = 1.5 * np.sin(2 * np.pi * (at % day) / day)
        return out

    profile = build_profile({"x": level(times) + random.normal(size=len(times))}, times=times, tick_seconds=tick)
    assert profile.features[0].slots is not None
    monitor, counting = DriftMonitor(profile, DriftSettings(tick_seconds=tick, tolerance=0)), TickCounts(profile)
    alarms, closed = 0, []
    for number in range(3 * 144):
        at = np.full(10, start + 12 * day + number * tick)
        counting.add(Batch({"x": level(at) + 1 + random.normal(size=10)}, 10, at=at))
        result = monitor.close_tick(round(at[0] / tick), counting.take())
        alarms += len(result.alarms)
        closed += [change for change in result.changes if change.kind == "closed"]
    assert alarms == 1
    assert closed == []


def test_hours_follow_the_clocks_of_the_time_zone() -> None:
    march = np.array([datetime(2026, 3, day, 12, tzinfo=UTC).timestamp() for day in (28, 30)])
    ticks = (march / 1800).astype(int)
    berlin, kolkata = (empty_slots("hour of the day", zone) for zone in ("Europe/Berlin", "Asia/Kolkata"))
    assert [berlin.slot_of(int(tick), 1800.0) for tick in ticks] == [13, 14]
    assert [kolkata.slot_of(int(tick), 1800.0) for tick in ticks] == [17, 17]
    assert [kolkata.slot_of(int(tick) + 1, 1800.0) for tick in ticks] == [18, 18]
    assert np.flatnonzero(berlin.shares(int(ticks[0]), int(ticks[0]) + 1, 1800.0)).tolist() == [13]


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/St_Johns"])
def test_slots_of_the_week_are_those_of_the_calendar(zone: str) -> None:
    day, week = empty_slots("weekday", zone), empty_slots("hour of the week", zone)
    for tick in range(0, 20_000, 377):
        local = datetime.fromtimestamp(tick * 1800.0, ZoneInfo(zone))
        assert day.slot_of(tick, 1800.0) == local.weekday()
        assert week.slot_of(tick, 1800.0) == local.weekday() * 24 + local.hour
    assert day.shares(0, 48 * 21 - 1, 1800.0) == pytest.approx(np.full(7, 1 / 7))


@pytest.mark.parametrize("name", ["", "Mars/Olympus", "../etc/passwd", "Europe/Berlin\0", "x" * 5000])
def test_an_unknown_time_zone_is_refused(name: str) -> None:
    with pytest.raises(DetectorError, match="time zone"):
        DriftSettings(timezone=name)
    document = json.loads(reference().to_bytes())
    next(feature for feature in document["features"] if feature["slots"])["slots"]["timezone"] = name
    with pytest.raises(ProfileError, match=r"slots\.timezone"):
        Profile.from_bytes(json.dumps(document).encode())


@pytest.mark.long
def test_a_cycle_by_the_clock_on_the_wall_is_no_drift_when_the_clock_changes() -> None:
    begin, change, end = (datetime(2026, *date, tzinfo=UTC).timestamp() for date in ((3, 1), (3, 29), (4, 8)))
    rng, tick, rows = np.random.default_rng(3), 1200.0, 20
    ticks = np.arange(begin // tick, end // tick).astype(int)
    hours = local_seconds(ticks * tick, "Europe/Berlin") / 3600
    level = np.repeat(4 * np.sin(2 * np.pi * hours / 24), rows)
    values, at = level + rng.normal(size=len(level)), np.repeat(ticks, rows)
    known = at < change // tick
    alarms = {}
    for timezone in ("UTC", "Europe/Berlin"):
        built = build_profile({"x": values[known]}, times=at[known] * tick, tick_seconds=tick, timezone=timezone)
        monitor, counts = DriftMonitor(built, DriftSettings(tick, timezone=timezone)), TickCounts(built)
        alarms[timezone] = 0
        for number in ticks[ticks * tick >= change].tolist():
            counts.add(Batch({"x": values[at == number]}, rows))
            alarms[timezone] += len(monitor.close_tick(number, counts.take()).alarms)
    assert alarms["UTC"] > 0
    assert alarms["Europe/Berlin"] == 0
