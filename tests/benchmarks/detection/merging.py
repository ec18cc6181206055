"""Many pods, one result: they send in any order, twice, after restarts, to a leader that is killed."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Sequence
from functools import reduce
from operator import add
from typing import Any

import numpy as np

from pilotfish.detectors.batch import Batch
from pilotfish.detectors.detection.monitor import DriftMonitor
from pilotfish.detectors.profile.profile import Profile
from pilotfish.detectors.reference.build import build_profile
from pilotfish.detectors.summaries.counts import Counts, TickCounts
from tests.benchmarks.detection.results import every
from tests.benchmarks.detection.runner import Case
from tests.benchmarks.detection.traffic import columns_only, settings

TICKS, CHANGE, ROWS, FEATURES, REFERENCE = 60, 30, 2000, 8, 10_000
BUDGET = 1000.0
Message = tuple[tuple[str, int], int, Counts]  # (pod, epoch), sequence, cumulative counts of the tick


def run(seeds: Sequence[int], *, pods: int) -> list[bool]:
    """For each seed: whether state, alarms and listing are, to the bit, those of one process that never stopped."""
    rng = np.random.default_rng(6)
    data = {f"x{i}": rng.normal(size=REFERENCE) for i in range(FEATURES)}
    profile = columns_only(build_profile(data, exchangeable=True))
    return [_leader(profile, seed, pods) == _alone(profile, seed) for seed in seeds]


def _alone(profile: Profile, seed: int) -> tuple[str, list[Any]]:
    monitor, counts = DriftMonitor(profile, settings(BUDGET)), TickCounts(profile)
    alarms: list[Any] = []
    for tick in range(TICKS):
        counts.add(Batch(_rows(seed, tick), ROWS))
        alarms += monitor.close_tick(tick, counts.take()).alarms
    return _fingerprint(monitor), alarms


def _leader(profile: Profile, seed: int, pods: int) -> tuple[str, list[Any]]:
    rng = np.random.default_rng([seed, pods])
    killed = int(rng.integers(CHANGE // 2, TICKS))
    monitor = DriftMonitor(profile, settings(BUDGET))
    alarms: list[Any] = []
    for tick in range(TICKS):
        if tick == killed:  # another leader goes on from the state
            stored = pickle.dumps(monitor.state())
            monitor = DriftMonitor.from_state(profile, settings(BUDGET), pickle.loads(stored))
        messages = _messages(profile, _rows(seed, tick), pods, rng)
        alarms += monitor.close_tick(tick, fold(messages)).alarms
    return _fingerprint(monitor), alarms


def fold(messages: Sequence[Message]) -> Counts:
    """The largest message of each pod and epoch, added up."""
    latest: dict[tuple[str, int], Counts] = {}
    for key, _, counts in messages:
        latest[key] = latest[key].maximum(counts) if key in latest else counts
    return reduce(add, latest.values())


def _messages(profile: Profile, rows: dict[str, np.ndarray], pods: int, rng: np.random.Generator) -> list[Message]:
    """What the pods send: cumulative counts twice a tick, some twice over, in any order; some pods restart half-way."""
    owner = rng.integers(pods, size=ROWS)
    restarted = rng.random(pods) < 0.1
    messages: list[Message] = []
    for pod in np.unique(owner).tolist():
        mine = np.flatnonzero(owner == pod)
        halves = [_counted(profile, rows, half) for half in np.array_split(mine, 2)]
        if restarted[pod]:
            sent = [((f"pod-{pod}", epoch), 1, half) for epoch, half in enumerate(halves)]
        else:
            sent = [((f"pod-{pod}", 0), 1, halves[0]), ((f"pod-{pod}", 0), 2, halves[0] + halves[1])]
        messages += sent + sent[: int(rng.integers(3))]
    return [messages[i] for i in rng.permutation(len(messages))]


def _counted(profile: Profile, rows: dict[str, np.ndarray], which: np.ndarray) -> Counts:
    counts = TickCounts(profile)
    counts.add(Batch({name: values[which] for name, values in rows.items()}, len(which)))
    return counts.take()


def _rows(seed: int, tick: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng([seed, tick, 7])
    columns = {f"x{i}": rng.normal(size=ROWS) for i in range(FEATURES)}
    columns["x3"] += 0.2 * (tick >= CHANGE)
    return columns


def _fingerprint(monitor: DriftMonitor) -> str:
    status = monitor.status()
    return hashlib.sha256(repr((_plain(monitor.state()), status.families, status.episodes)).encode()).hexdigest()


def _plain(value: Any) -> Any:
    """The state with sorted keys, so that equal states have equal texts."""
    if isinstance(value, dict):
        return [(key, _plain(value[key])) for key in sorted(value)]
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def cases(quick: bool) -> list[Case]:
    return [
        Case(
            name=f"{pods:,} pod{'s' * (pods > 1)}: random order, duplicates, restarts, the leader killed",
            target="state, alarm tick and listing identical to the bit",
            measure=run,
            judge=every,
            runs=1 if quick else 3,
            options={"pods": pods},
        )
        for pods in (1, 7, 1000)
    ]
