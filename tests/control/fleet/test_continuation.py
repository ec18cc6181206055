"""A leader that crashes is replaced by one that continues to the bit, and nothing acknowledged is ever needed again."""

from __future__ import annotations

from functools import cache
from random import Random

import numpy as np
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pilotfish.detectors.detection.monitor import DriftMonitor
from pilotfish.detectors.detection.results import Alarm, EpisodeChange, TickResult
from pilotfish.detectors.summaries.counts import Counts
from pilotfish.sidecar.control.fleet.detector import FleetDetector
from pilotfish.sidecar.control.fleet.rules import FleetRules
from pilotfish.sidecar.control.fleet.watermark import ExpectedPods
from tests.control.fleet.simulated import (
    SETTINGS,
    START,
    SimulatedPod,
    counts_of,
    end_of,
    rows,
    small_profile,
)
from tests.support.examples import examples

PROFILE = small_profile()
MOST_TICKS = 90  # that pass in one history; pods resend for longer
PATIENT = FleetRules(grace=1e9, resend=7200, stored_bytes=4000)  # ticks wait for all pods; not all counts are stored


@cache
def made(shift: float) -> list[Counts]:
    """Return the counts of some rows, made once because counting takes most of the time."""
    random = np.random.default_rng(round(shift) + 5)
    return [counts_of(PROFILE, rows(random, size, shift)) for size in [*range(12)] * 3]


class FleetMachine(RuleBasedStateMachine):
    """Pods that come, go and restart; a leader that publishes what it has stored, and crashes at any step.

    Published results must be those of one detector that gets the rows of all pods.
    """

    fleet_rules = PATIENT

    @initialize(seed=st.integers(0, 999))
    def begin(self, seed: int) -> None:
        self.random = Random(seed)
        self.tick = START
        self.names = 0
        self.pods: dict[str, SimulatedPod] = {}
        self.since: dict[str, float] = {}
        self.leaving: dict[str, SimulatedPod] = {}
        self.open: dict[str, Counts] = {}
        self.alone = DriftMonitor(PROFILE, SETTINGS)
        self.sums: dict[int, Counts] = {}
        self.expected: list[Alarm | EpisodeChange] = []
        self.published: list[Alarm | EpisodeChange] = []
        self.closings: list[tuple[int, Counts]] = []
        self.checkpoint: bytes | None = None
        self.lead(FleetDetector(PROFILE, SETTINGS, rules=self.fleet_rules))
        for _ in range(3):
            self.arrive()

    def lead(self, fleet: FleetDetector) -> None:
        for pod in self.leaving.values():
            pod.said = False
        self.fleet, self.waiting = fleet, list[TickResult]()

    @property
    def now(self) -> float:
        return end_of(self.tick - 1) + 3

    # --- the pods

    @rule()
    def arrive(self) -> None:
        uid = f"pod-{self.names}"
        self.names += 1
        self.pods[uid] = SimulatedPod(uid, complete_through=self.tick - 1)
        self.since[uid] = self.now

    @precondition(lambda self: len(self.pods) > 1)
    @rule(which=st.integers(0, 9))
    def leave(self, which: int) -> None:
        """A pod ends: it closes its tick and stays until everything is acknowledged."""
        uid = sorted(self.pods)[which % len(self.pods)]
        pod = self.leaving[uid] = self.pods.pop(uid)
        self.close(pod)
        pod.complete_through, pod.leaving = self.tick - 1, True

    @rule(which=st.integers(0, 9))
    def restart(self, which: int) -> None:
        """A pod loses its checkpoint after it has closed its tick; the tick goes on in a new epoch."""
        pod = self.pods[sorted(self.pods)[which % len(self.pods)]]
        self.open[pod.uid] = self.random.choice(made(0.0))
        self.close(pod)
        pod.complete_through = self.tick - 1
        pod.epoch = str(int(pod.epoch) + 1)

    @precondition(lambda self: self.tick < START + MOST_TICKS)
    @rule(ticks=st.integers(1, 5))
    def serve(self, ticks: int) -> None:
        """Some ticks pass in which all pods get rows; the rows drift from the tenth tick on, and recover."""
        for _ in range(ticks):
            drifted = (self.tick - START) % 40 >= 10 and (self.tick - START) % 40 < 25
            for pod in self.pods.values():
                self.open[pod.uid] = self.random.choice(made(1.5 if drifted else 0.0))
                self.close(pod)
            self.tick += 1

    def close(self, pod: SimulatedPod) -> None:
        counts = self.open.pop(pod.uid, Counts.empty(PROFILE))
        pod.close(self.tick, counts)
        self.sums[self.tick] = self.sums.get(self.tick, Counts.empty(PROFILE)) + counts

    # --- the messages

    @rule(which=st.integers(0, 9), only=st.sampled_from([None, None, 1]), lost=st.booleans())
    def send(self, which: int, only: int | None, lost: bool) -> None:
        present = {**self.pods, **self.leaving}
        self.send_from(present[sorted(present)[which % len(present)]], only=only, lost=lost)

    @rule()
    def send_all(self) -> None:
        for pod in [*self.pods.values(), *self.leaving.values()]:
            self.send_from(pod)

    def send_from(self, pod: SimulatedPod, *, only: int | None = None, lost: bool = False) -> None:
        pod.send(self.fleet, self.now, only=only, acknowledge=not lost)

    # --- the controller

    @rule()
    def advance(self) -> None:
        pods = ExpectedPods({uid: since for uid, since in self.since.items() if uid in {**self.pods, **self.leaving}})
        self.waiting += self.fleet.advance(self.now, pods)

    @rule()
    def store(self) -> None:
        """Store the state, then publish."""
        self.checkpoint = self.fleet.state()
        for uid in [uid for uid, pod in self.leaving.items() if pod.said and not pod.unacknowledged]:
            del self.leaving[uid]
        self.fleet.checkpointed(self.fleet.revision)
        for result in self.waiting:
            self.published += [*result.alarms, *result.changes]
        self.waiting = []

    @rule()
    def crash(self) -> None:
        if self.checkpoint is None:
            self.lead(FleetDetector(PROFILE, SETTINGS, rules=self.fleet_rules))
        else:
            self.lead(FleetDetector.from_state(PROFILE, SETTINGS, self.checkpoint, rules=self.fleet_rules))

    @invariant()
    def published_results_are_those_of_one_detector(self) -> None:
        if not hasattr(self, "fleet"):
            return
        for tick in sorted(self.sums):
            if tick < self.tick:
                result = self.alone.close_tick(tick, self.sums.pop(tick))
                self.expected += [*result.alarms, *result.changes]
        assert self.published == self.expected[: len(self.published)]

    def teardown(self) -> None:
        """Let everything arrive: the state is that of the one detector, to the bit."""
        if not hasattr(self, "fleet"):
            return
        for _ in range(3):
            self.send_all()
            self.advance()
            self.store()
        self.published_results_are_those_of_one_detector()
        assert self.published == self.expected
        ours, theirs = self.fleet.monitor.state(), self.alone.state()
        assert {**ours, "tick": 0} == {**theirs, "tick": 0}  # ticks without rows have a number only
        assert self.fleet.status().refused == {}
        assert all(not pod.unacknowledged for pod in self.pods.values())


TestFleet = FleetMachine.TestCase
TestFleet.settings = settings(
    max_examples=examples(40), stateful_step_count=30, deadline=None, phases=[Phase.reuse, Phase.generate]
)
