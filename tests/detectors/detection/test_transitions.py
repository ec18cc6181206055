"""Every change of an episode's phase is in the table that docs/detection.md draws, and every row of it occurs."""

from __future__ import annotations

import numpy as np
import pytest

from pilotfish.detectors.batch import Batch, Floats
from pilotfish.detectors.detection.episodes import KEPT, SECONDARY_FAMILIES, TRANSITIONS, EpisodeHistory, Transition
from pilotfish.detectors.detection.episodes import Episode as StoredEpisode
from pilotfish.detectors.detection.monitor import DriftMonitor
from pilotfish.detectors.detection.results import EpisodeStatus, TickResult
from pilotfish.detectors.reference.build import build_profile
from pilotfish.detectors.settings import DriftSettings
from pilotfish.detectors.summaries.counts import TickCounts

# Alarms are frequent, so that a few thousand ticks see every transition; the cosines would only cost time.
SETTINGS = DriftSettings(per_seconds=60 * 100.0, tolerance=0, ignore=tuple(f"cosine:{i}" for i in range(32)))
DRIFTS: tuple[dict[str, float], ...] = (
    {}, {}, {"a": 0.8}, {"correlation": -0.8}, {"correlation": 0.0}, {"c": 1.0}, {"a": 0.8, "correlation": 0.0},
)  # fmt: skip
DAY = 1500  # ticks, after which a return is a new cause


def related_rows(
    random: np.random.Generator, rows: int, a: float = 0.0, c: float = 0.0, correlation: float = 0.8
) -> dict[str, Floats]:
    first = random.normal(size=rows)
    second = correlation * first + (1 - correlation**2) ** 0.5 * random.normal(size=rows)
    third = 0.6 * second + 0.8 * random.normal(size=rows)
    return {"a": first + a, "b": second, "c": third + c}


def phase(episode: EpisodeStatus) -> str:
    if not episode.open:
        return "closed"
    return "attached" if episode.part_of is not None and episode.family in SECONDARY_FAMILIES else "open"


def phases(monitor: DriftMonitor) -> dict[str, str]:
    return {episode.id: phase(episode) for episode in monitor.status().episodes}


def events(result: TickResult, episode: str, *, dropped: bool) -> list[str]:
    """The events of an episode in a tick, in their order."""
    found = [change.kind for change in result.changes if change.episode_id == episode]
    alarmed = episode in {alarm.episode_id for alarm in result.alarms} and "opened" not in found
    return [*found, *["alarm"] * alarmed, *["dropped"] * dropped]


def paths(source: str, names: list[str], target: str) -> list[list[Transition]]:
    """Return every path through the table from one phase to another by these events."""
    ways: list[tuple[str, list[Transition]]] = [(source, [])]
    for name in names:
        ways = [
            (move.target, [*taken, move])
            for at, taken in ways
            for move in TRANSITIONS
            if (move.source, move.event) == (at, name)
        ]
    return [taken for at, taken in ways if at == target]


@pytest.mark.long
def test_every_change_of_a_monitor_is_in_the_table_and_every_row_of_it_happens() -> None:
    random = np.random.default_rng(2)
    profile = build_profile(related_rows(random, 6000), exchangeable=True)
    monitor, counting = DriftMonitor(profile, SETTINGS), TickCounts(profile)
    before: dict[str, str] = {}
    seen: set[Transition] = set()
    tick = 0
    for _ in range(20):
        drift = DRIFTS[random.integers(len(DRIFTS))]
        for _ in range(int(random.integers(5, 36))):
            counting.add(Batch(related_rows(random, 25, **drift), 25))
            result = monitor.close_tick(tick, counting.take())
            tick += 1
            after = phases(monitor)
            for episode in before.keys() | after.keys():
                happened = events(result, episode, dropped=episode not in after)
                found = paths(before.get(episode, ""), happened, after.get(episode, ""))
                assert found, f"{before.get(episode)} -> {happened} -> {after.get(episode)}"
                seen.update(found[0] if len(found) == 1 else ())
            before = after
        still_open = [name for name, found in before.items() if found != "closed"]
        if random.random() < 0.3 and still_open:
            (change,) = monitor.close_episode(still_open[0])
            seen.update(paths(before[still_open[0]], [change.kind], "closed")[0])
            before = phases(monitor)
        tick += DAY * int(random.random() < 0.2)
    assert {move for move in TRANSITIONS if move.event != "dropped"} <= seen


def test_the_oldest_closed_episodes_are_dropped() -> None:
    history = EpisodeHistory()
    for number in range(KEPT + 2):
        history.add(StoredEpisode(f"e{number}", "features", number, number, number, closed_tick=number))
    assert [episode.phase for episode in history.episodes] == ["closed"] * KEPT
    assert history.episodes[0].id == "e2"
