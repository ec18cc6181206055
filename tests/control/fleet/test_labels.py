"""Labels that reach the pods count for the fleet: a worse model raises one alarm of the losses."""

from __future__ import annotations

from pilotfish.sidecar.control.fleet.detector import FleetDetector
from pilotfish.sidecar.control.fleet.watermark import ExpectedPods
from pilotfish.sidecar.sync.counts import decode_counts, encode_counts
from tests.control.fleet.simulated import SETTINGS, START, end_of
from tests.detectors.performance.made import mistakes, profile_of

PODS = ("a", "b")


def test_losses_of_all_pods_raise_one_alarm() -> None:
    profile = profile_of("classification")
    fleet, expected = FleetDetector(profile, SETTINGS, "1"), ExpectedPods(dict.fromkeys(PODS, 0.0))
    alarms = []
    for tick in range(START, START + 40):
        for pod in PODS:
            counts = decode_counts(encode_counts(mistakes(profile, wrong=20, rows=50)), profile)  # 10 % are usual
            fleet.receive(pod, "1", [(tick, counts.label_rows, counts)], tick, end_of(tick))
        alarms += [alarm for result in fleet.advance(end_of(tick) + 1, expected) for alarm in result.alarms]
    assert [(alarm.family, alarm.onset_tick) for alarm in alarms] == [("performance", START)]
