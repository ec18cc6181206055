"""One alarm for one cause, even a lasting one; the episode ends when the feature has recovered."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from pilotfish.detectors.batch import Batch
from pilotfish.detectors.detection.monitor import DriftMonitor
from pilotfish.detectors.detection.results import EpisodeChange, TickResult
from pilotfish.detectors.errors import StateError
from pilotfish.detectors.reference.build import build_profile
from pilotfish.detectors.settings import DriftSettings
from pilotfish.detectors.summaries.counts import TickCounts
from tests.detectors.material import normal_profile, normal_tick

SETTINGS = DriftSettings(per_seconds=60 * 2000.0)


class Traffic:
    """Ticks of 50 rows through one monitor."""

    def __init__(self, settings: DriftSettings = SETTINGS, seed: int = 1) -> None:
        self.monitor = DriftMonitor(normal_profile(), settings)
        self.rng = np.random.default_rng(seed)
        self.tick = 0

    def run(self, ticks: int, **shifts: float) -> list[TickResult]:
        out = []
        for _ in range(ticks):
            counts = normal_tick(self.monitor.profile, self.rng, 50, **shifts)
            out.append(self.monitor.close_tick(self.tick, counts))
            self.tick += 1
        return out


def alarm_count(results: list[TickResult]) -> int:
    return sum(len(result.alarms) for result in results)


def changes(results: list[TickResult]) -> list[EpisodeChange]:
    return [change for result in results for change in result.changes]


def test_a_lasting_drift_alarms_once_and_closes_after_recovery() -> None:
    traffic = Traffic()
    assert alarm_count(traffic.run(50)) == 0
    assert alarm_count(traffic.run(1000, x1=0.5)) == 1
    assert traffic.monitor.status().episodes[0].open
    after = changes(traffic.run(60))
    assert [change.kind for change in after] == ["feature_closed", "closed"]
    assert traffic.monitor.status().episodes[0].closed_by == "recovery"


def test_features_that_drifted_together_share_one_episode() -> None:
    traffic = Traffic()
    traffic.run(30)
    results = traffic.run(60, x0=0.4, x1=0.4, x3=0.6)
    assert alarm_count(results) == 1
    (episode,) = traffic.monitor.status().episodes
    assert {feature.name for feature in episode.features} == {"x0", "x1", "x3"}
    assert all(feature.confirmed for feature in episode.features)


def test_a_later_change_is_an_episode_of_its_own() -> None:
    traffic = Traffic()
    traffic.run(30)
    assert alarm_count(traffic.run(40, x0=0.8)) == 1
    assert alarm_count(traffic.run(40, x0=0.8, x2=0.8)) == 1
    first, second = traffic.monitor.status().episodes
    assert [[feature.name for feature in episode.features] for episode in (first, second)] == [["x0"], ["x2"]]
    assert first.id != second.id


def test_a_return_soon_after_the_end_reopens_the_episode_without_an_alarm() -> None:
    traffic = Traffic()
    traffic.run(20)
    assert alarm_count(traffic.run(40, x0=0.8)) == 1
    traffic.run(60)
    again = traffic.run(40, x0=0.8)
    assert alarm_count(again) == 0
    assert "reopened" in Counter(change.kind for change in changes(again))
    assert len(traffic.monitor.status().episodes) == 1


def test_a_return_after_the_hold_is_a_new_cause() -> None:
    traffic = Traffic()
    traffic.run(20)
    assert alarm_count(traffic.run(40, x0=0.8)) == 1
    traffic.run(60)
    traffic.tick += 1441  # a day of minutes
    assert alarm_count(traffic.run(40, x0=0.8)) == 1
    assert len(traffic.monitor.status().episodes) == 2


def test_a_person_closes_an_episode_once() -> None:
    traffic = Traffic()
    traffic.run(20)
    traffic.run(20, x0=1.0)
    (episode,) = traffic.monitor.status().episodes
    assert [change.kind for change in traffic.monitor.close_episode(episode.id, "ada")] == ["closed"]
    (closed,) = traffic.monitor.status().episodes
    assert (closed.open, closed.closed_by) == (False, "ada")
    with pytest.raises(StateError, match="no open episode"):
        traffic.monitor.close_episode(episode.id, "ada")


def test_the_same_ticks_give_the_same_episode_ids() -> None:
    one, other = Traffic(), Traffic()
    for traffic in (one, other):
        traffic.run(20)
        traffic.run(20, x0=1.0)
    assert one.monitor.status() == other.monitor.status()
    assert one.monitor.status().episodes[0].id.startswith(one.monitor.profile.hash[:12])


@pytest.mark.long
def test_stable_stretches_close_nothing_by_mistake() -> None:
    traffic = Traffic()
    traffic.run(20)
    traffic.run(10, x0=0.6)
    assert [change.kind for change in changes(traffic.run(800, x0=0.6)) if "closed" in change.kind] == []


@pytest.mark.long
def test_a_drift_that_changes_its_shape_has_not_ended() -> None:
    rng = np.random.default_rng(5)
    profile = build_profile({"c": np.full(4000, 5.0), "x": rng.normal(size=4000)}, exchangeable=True)
    monitor = DriftMonitor(profile, SETTINGS)
    results: list[TickResult] = []

    def serve(ticks: int, value: float) -> list[TickResult]:
        first = len(results)
        for _ in range(ticks):
            counts = TickCounts(profile)
            counts.add(Batch({"c": np.full(5, value), "x": rng.normal(size=5)}, 5))
            results.append(monitor.close_tick(len(results), counts.take()))
        return results[first:]

    assert not changes(serve(100, 5.0))
    for value in (4.0, 6.0, 4.5, 1e6, 4.0, 5.5):
        serve(100, value)
    assert [change.kind for change in changes(results)] == ["opened"]
    assert DriftMonitor.from_state(profile, SETTINGS, monitor.state()).state() == monitor.state()
    assert [change.kind for change in changes(serve(100, 5.0))] == ["feature_closed", "closed"]
    assert alarm_count(results) == 1
