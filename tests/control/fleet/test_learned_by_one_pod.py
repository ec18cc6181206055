"""A profile that one pod learned, with the ticks of many pods: the false-alarm budget holds, and a person is warned."""

from __future__ import annotations

import numpy as np

from pilotfish.detectors.detection.mismatches import reference_warnings
from pilotfish.detectors.reference.build import build_profile
from pilotfish.sidecar.control.fleet.detector import FleetDetector
from pilotfish.sidecar.control.fleet.watermark import ExpectedPods
from tests.control.fleet.simulated import SETTINGS, START, TICK, counts_of, end_of, rows

PODS, TICKS, ROWS = 20, 40, 5


def test_a_rollout_that_injects_one_pod_after_the_other_raises_no_alarm() -> None:
    random = np.random.default_rng(4)
    levels = np.convolve(random.normal(size=1200), np.ones(30) / 30**0.5, "same") * 0.1
    learned = {
        "x": random.normal(np.repeat(levels, ROWS)),
        "city": random.choice(["Rome", "Bern", "Oslo"], 1200 * ROWS),
    }
    profile = build_profile(learned, times=np.repeat(np.arange(1200.0), ROWS) * TICK, tick_seconds=TICK)
    fleet = FleetDetector(profile, SETTINGS)
    alarms = []
    for tick, level in enumerate(np.resize(levels[300:], TICKS), START):
        pods = [str(pod) for pod in range(1 + (tick - START) // 5)]  # another pod has a sidecar every 5 ticks
        for pod in pods:
            counts = counts_of(profile, rows(random, ROWS, float(level)))
            fleet.receive(pod, "1", [(tick, ROWS, counts)], tick, end_of(tick))
        expected = ExpectedPods({pod: end_of(START + 5 * int(pod) - 1) for pod in pods})
        alarms += [alarm for result in fleet.advance(end_of(tick), expected) for alarm in result.alarms]
    assert (alarms, fleet.status().closed_through) == ([], START + TICKS - 1)


def test_a_level_that_all_pods_share_raises_no_alarm_and_the_density_is_the_number_of_pods() -> None:
    random = np.random.default_rng(3)
    levels = np.convolve(random.normal(size=1200), np.ones(30) / 30**0.5, "same") * 0.1
    learned = {
        "x": random.normal(np.repeat(levels, ROWS)),
        "city": random.choice(["Rome", "Bern", "Oslo"], 1200 * ROWS),
    }
    profile = build_profile(learned, times=np.repeat(np.arange(1200.0), ROWS) * TICK, tick_seconds=TICK)
    fleet = FleetDetector(profile, SETTINGS)
    expected = ExpectedPods({str(pod): 0.0 for pod in range(PODS)})
    alarms = []
    for tick, level in enumerate(np.resize(levels[300:], TICKS), START):
        for pod in range(PODS):
            counts = counts_of(profile, rows(random, ROWS, float(level)))
            fleet.receive(str(pod), "1", [(tick, ROWS, counts)], tick, end_of(tick))
        alarms += [alarm for result in fleet.advance(end_of(tick), expected) for alarm in result.alarms]
    density = fleet.monitor.density
    assert alarms == []
    assert density is not None
    assert 0.8 * PODS < density < 1.2 * PODS
    assert any("that of all pods" in text for text in reference_warnings(profile, SETTINGS, density))
