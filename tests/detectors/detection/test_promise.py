"""False alarms stay within the budget, and drift is found soon: small seeded simulations with wide bounds."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from pilotfish.detectors.batch import Batch
from pilotfish.detectors.detection.monitor import DriftMonitor
from pilotfish.detectors.detection.results import Alarm
from pilotfish.detectors.reference.build import build_profile
from pilotfish.detectors.settings import DriftSettings
from pilotfish.detectors.summaries.counts import TickCounts
from tests.detectors.material import QUICK, columns, counted, mixed_profile, normal_profile, normal_tick, tick

Change = Callable[[dict[str, np.ndarray], np.random.Generator], np.ndarray]
MONTH = DriftSettings()


def first_alarm(
    monitor: DriftMonitor, rng: np.random.Generator, ticks: int, rows: int, **shifts: float
) -> Alarm | None:
    start = monitor.status().ticks_closed
    for number in range(start, start + ticks):
        alarms = monitor.close_tick(number, normal_tick(monitor.profile, rng, rows, **shifts)).alarms
        if alarms:
            return alarms[0]
    return None


@pytest.mark.long
def test_independent_rows_stay_within_the_budget_with_fresh_references() -> None:
    """200 ticks with a budget of one in 40, 8 references of 1000 rows: 40 alarms allowed; 12 would be suspicious."""
    alarms = 0
    for seed in range(8):
        rng = np.random.default_rng(seed)
        profile = build_profile({f"x{i}": rng.normal(size=1000) for i in range(5)}, exchangeable=True, tolerance=0.0)
        monitor = DriftMonitor(profile, DriftSettings(per_seconds=60 * 40, tolerance=0.0))
        results = [monitor.close_tick(t, normal_tick(profile, rng, 20)) for t in range(200)]
        alarms += sum(len(result.alarms) for result in results)
    assert alarms <= 12


def test_mixed_types_without_drift_raise_nothing() -> None:
    rng = np.random.default_rng(2)
    monitor = DriftMonitor(mixed_profile(), QUICK)
    assert not any(monitor.close_tick(t, tick(monitor.profile, rng)).alarms for t in range(150))


@pytest.mark.parametrize(("shift", "rows"), [(0.3, 1400), (0.5, 450), (1.0, 120)])
def test_a_shift_is_found_soon_and_named(shift: float, rows: int) -> None:
    """Measured means with 20,000 reference rows and a budget of one in a month: 550, 170 and 45 rows."""
    for seed in range(4):
        rng = np.random.default_rng([3, seed])
        monitor = DriftMonitor(normal_profile(), MONTH)
        assert first_alarm(monitor, rng, 20, 10) is None
        alarm = first_alarm(monitor, rng, rows // 10, 10, x2=shift)
        assert alarm is not None
        assert alarm.features[0].name == "x2"
        assert 15 <= alarm.onset_tick <= alarm.tick
        assert alarm.evidence_ratio >= 1


@pytest.mark.long
@pytest.mark.parametrize("size", [300, 500])
def test_one_standard_deviation_is_found_with_a_small_reference(size: int) -> None:
    rng = np.random.default_rng(4)
    profile = build_profile({f"x{i}": rng.normal(size=size) for i in range(20)}, exchangeable=True)
    monitor = DriftMonitor(profile, MONTH)
    assert first_alarm(monitor, rng, 20, 10) is None
    alarm = first_alarm(monitor, rng, 30, 10, x7=1.0)
    assert alarm is not None
    assert [feature.name for feature in alarm.features] == ["x7"]


CHANGES: dict[str, tuple[str, Change]] = {
    "a new category": ("city", lambda data, _: np.where(np.arange(50) % 10 == 0, "atlantis", data["city"])),
    "a swap of categories": ("city", lambda data, _: np.where(data["city"] == "city 0", "city 5", data["city"])),
    "missing values": ("gaps", lambda data, rng: np.where(rng.random(50) < 0.3, np.nan, data["gaps"])),
    "no more missing values": ("gaps", lambda _, rng: rng.normal(size=50)),
    "a unit change": ("amount", lambda data, _: data["amount"] * 1000),
    "a sentinel": ("count", lambda data, rng: np.where(rng.random(50) < 0.05, -1.0, data["count"])),
    "a flag that flips more often": ("flag", lambda _, rng: rng.random(50) < 0.5),
    "a constant that changes": ("fixed", lambda _, __: np.full(50, 8.0)),
    "text instead of numbers": ("amount", lambda _, __: np.array(["broken"] * 50)),
    "predictions that move": ("score", lambda data, _: np.minimum(data["score"] + 0.1, 1.0)),
    "less spread": ("gaps", lambda data, _: data["gaps"] * 0.5),
}  # fmt: skip


@pytest.mark.parametrize("what", CHANGES)
def test_each_kind_of_drift_is_found_and_named(what: str) -> None:
    name, change = CHANGES[what]
    rng = np.random.default_rng(6)
    monitor = DriftMonitor(mixed_profile(), QUICK)
    for number in range(20):
        assert not monitor.close_tick(number, tick(monitor.profile, rng)).alarms
    for number in range(20, 60):
        data = columns(50, rng)
        alarms = monitor.close_tick(number, counted(monitor.profile, {**data, name: change(data, rng)}, 50)).alarms
        if alarms:
            assert alarms[0].features[0].name == name
            assert alarms[0].family == ("predictions" if name == "score" else "features")
            return
    raise AssertionError(f"{what} was not found in 2000 rows")


def test_a_shift_off_the_lattice_of_common_values_is_found_at_once() -> None:
    """Integer values, such as wind in knots, that get an offset of a third."""
    rng = np.random.default_rng(12)
    knots = np.round(rng.gamma(4.0, 5.0, size=5000), 1)
    knots = np.where(rng.random(5000) < 0.6, np.round(knots / 4) * 4, knots)
    monitor = DriftMonitor(build_profile({"wind": knots}, exchangeable=True), MONTH)
    counts = TickCounts(monitor.profile)
    for number in range(10):
        counts.add(Batch({"wind": rng.permutation(knots)[:20] + 1 / 3}, 20))
        if monitor.close_tick(number, counts.take()).alarms:
            return
    raise AssertionError("not found in 200 rows")


@pytest.mark.long
def test_rows_that_follow_one_another_do_not_alarm_without_drift() -> None:
    """A level that wanders with a memory of 20 ticks. Under the assumption of independence it alarms repeatedly."""

    def wander(rng: np.random.Generator, ticks: int) -> np.ndarray:
        level, out = 0.0, []
        for _ in range(ticks):
            level = 0.95 * level + rng.normal() * 0.1
            out.append(level + rng.normal(size=20))
        return np.concatenate(out)

    def alarms(*, exchangeable: bool) -> int:
        rng = np.random.default_rng(7)
        reference = {f"x{i}": wander(rng, 2000) for i in range(3)}
        profile = build_profile(reference, rows_per_tick=20, exchangeable=exchangeable)
        monitor = DriftMonitor(profile, DriftSettings(per_seconds=60 * 400))
        live = {name: wander(rng, 400) for name in reference}
        counts, found = TickCounts(profile), 0
        for number in range(400):
            rows = slice(number * 20, number * 20 + 20)
            counts.add(Batch({name: values[rows] for name, values in live.items()}, 20))
            found += sum(
                change.kind in {"opened", "joined"} for change in monitor.close_tick(number, counts.take()).changes
            )
        return found

    assert alarms(exchangeable=False) <= 2
    assert alarms(exchangeable=True) > 2


def test_slow_effects_that_only_heavy_traffic_shows_are_scaled_away() -> None:
    rng = np.random.default_rng(8)
    ticks = np.repeat(np.arange(1000), 20)
    effects = rng.normal(size=1000) * 0.05
    profile = build_profile({"x": effects[ticks] + rng.normal(size=20_000)}, rows_per_tick=20)
    monitor = DriftMonitor(profile, DriftSettings(per_seconds=60 * 100, tolerance=0.0))
    for number in range(100):
        counts = TickCounts(profile)
        counts.add(Batch({"x": rng.normal() * 0.05 + rng.normal(size=20_000)}, 20_000))
        assert not monitor.close_tick(number, counts.take()).alarms
