"""Pods with rows of their own, and one detector that gets all rows, to compare a fleet with."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache

import numpy as np

from pilotfish.detectors.batch import Batch
from pilotfish.detectors.profile.profile import Profile
from pilotfish.detectors.reference.build import build_profile
from pilotfish.detectors.settings import DriftSettings
from pilotfish.detectors.summaries.counts import Counts, TickCounts
from pilotfish.sidecar.control.fleet.detector import FleetDetector

TICK = 60.0
START = 30_000_000  # the first tick with rows
SETTINGS = DriftSettings(tick_seconds=TICK, false_alarms=1, per_seconds=100 * TICK)


@cache
def small_profile(seed: int = 1) -> Profile:
    """Return a profile of a number and a category."""
    random = np.random.default_rng(seed)
    columns = {"x": random.normal(size=3000), "city": random.choice(["Rome", "Bern", "Oslo"], 3000)}
    return build_profile(columns, exchangeable=True)


def rows(random: np.random.Generator, count: int, shift: float = 0.0) -> Batch:
    """Return rows like the reference, with `x` moved by `shift`."""
    columns = {"x": random.normal(shift, size=count), "city": random.choice(["Rome", "Bern", "Oslo"], count)}
    return Batch(columns, count)


def counts_of(profile: Profile, *batches: Batch) -> Counts:
    """Return the counts of all batches."""
    counting = TickCounts(profile)
    for batch in batches:
        counting.add(batch)
    return counting.take()


def total(profile: Profile, parts: Iterable[Counts]) -> Counts:
    """Return the sum of `parts`."""
    return sum(parts, Counts.empty(profile))


def same(one: Counts, other: Counts) -> bool:
    """Return whether both hold the same numbers."""
    return one.state() == other.state()


def end_of(tick: int) -> float:
    """Return the epoch seconds at which `tick` ends."""
    return (tick + 1) * TICK


@dataclass
class SimulatedPod:
    """A pod that keeps its counts until they are acknowledged, by epoch and tick."""

    uid: str
    epoch: str = "1"
    complete_through: int = START - 1
    leaving: bool = False
    said: bool = False  # that it leaves, to the present leader
    unacknowledged: dict[tuple[str, int], Counts] = field(default_factory=dict)

    def close(self, tick: int, counts: Counts) -> None:
        """Close `tick` with these counts."""
        if counts.input_rows:
            self.unacknowledged[self.epoch, tick] = counts
        self.complete_through = tick

    def send(self, fleet: FleetDetector, now: float, *, only: int | None = None, acknowledge: bool = True) -> None:
        """Send the first `only` unacknowledged ticks of each epoch, by default all; forget the acknowledged ones."""
        for epoch in {epoch for epoch, _ in self.unacknowledged} | {self.epoch}:
            ticks = [(tick, item) for (of, tick), item in self.unacknowledged.items() if of == epoch][:only]
            whole = self.complete_through if only is None else -1
            reports = [(tick, item.input_rows, item) for tick, item in ticks]
            leaving = self.leaving and only is None
            fleet.receive(self.uid, epoch, reports, whole, now, leaving=leaving)
            self.said = leaving
            for found in fleet.acknowledge(self.uid) if acknowledge else ():
                self.unacknowledged.pop((epoch, found.tick), None)
