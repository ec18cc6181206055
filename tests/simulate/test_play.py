"""The loop of a simulation, with policies that are written down in advance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.control.scale.facts import ScaleFacts
from pilotfish.sidecar.simulate.outcome import Outcome, missed_minutes
from pilotfish.sidecar.simulate.plant import STEP, Service
from pilotfish.sidecar.simulate.play import Played, play
from pilotfish.sidecar.simulate.policies import ReplicaDecision
from pilotfish.sidecar.simulate.trace import LoadTrace
from tests.support.examples import examples

SERVICE = Service(service_time=0.2, slots=4, startup=30.0, target=1.0)


class Script:
    """A policy that sets the next of `numbers`, and keeps the facts that it saw."""

    interval = 15.0

    def __init__(self, numbers: Sequence[int]) -> None:
        self._numbers = list(numbers)
        self.seen: list[ScaleFacts] = []
        self.made: list[tuple[int, int, float]] = []

    def decide(self, facts: ScaleFacts) -> ReplicaDecision:
        pods = tuple(replace(pod, values=dict(pod.values)) for pod in facts.pods)  # facts are valid until the next ones
        self.seen.append(replace(facts, pods=pods))
        return ReplicaDecision(self._numbers.pop(0) if self._numbers else facts.spec_replicas, "script", "")

    def applied(self, before: int, after: int, at: float) -> None:
        self.made.append((before, after, at))


def load(*rates: float, step: float = 60.0, gaps: tuple[tuple[float, float], ...] = ()) -> LoadTrace:
    return LoadTrace(np.arange(len(rates)) * step, np.array(rates, dtype=float), gaps=gaps)


def same(one: Played, other: Played) -> bool:
    columns = ("arrived", "completed", "inside", "slow", "latency", "replicas", "ready")
    return one.changes == other.changes and all(np.array_equal(getattr(one, c), getattr(other, c)) for c in columns)


def test_a_play_follows_from_its_seed() -> None:
    trace = load(20, 40, 20, 60)
    one, again, other = (play(trace, SERVICE, Script([3, 2, 4]), 2, seed) for seed in (1, 1, 2))
    assert same(one, again)
    assert not same(one, other)


@given(st.lists(st.integers(0, 9), max_size=12), st.lists(st.floats(0, 200), min_size=2, max_size=5))
@settings(max_examples=examples(30), deadline=None)
def test_pod_hours_are_the_replicas_over_time_and_changes_are_those_of_the_policy(
    numbers: list[int], rates: list[float]
) -> None:
    script = Script(numbers)
    played = play(load(*rates), SERVICE, script, 2)
    hours, last, replicas = 0.0, 0.0, 2
    for before, after, at in script.made:
        assert before == replicas
        hours += replicas * (at - last) / 3600
        last, replicas = at, after
    hours += replicas * (len(played.arrived) * STEP - last) / 3600
    outcome = Outcome.of(played, SERVICE)
    assert outcome.pod_hours == pytest.approx(hours)
    assert outcome.changes == len(script.made)


def test_the_policy_decides_each_interval_and_sees_what_the_pods_send() -> None:
    script = Script([3])
    play(load(20, 20), SERVICE, script, 2)
    assert [facts.at for facts in script.seen] == [15.0, 30.0, 45.0, 60.0]
    first, second = script.seen[:2]
    assert [pod.ready for pod in first.pods] == [True, True]
    assert first.pods[0].values["concurrency"].value == pytest.approx(20 * 0.2 / 2, rel=0.5)
    assert set(first.pods[0].values) == {"concurrency", "cpu", "latency", "requestRate"}
    assert [(pod.ready, pod.answering, bool(pod.values)) for pod in second.pods] == [(True, True, True)] * 2 + [
        (False, False, False)
    ]
    assert script.seen[-1].pods[2].ready


def test_pods_send_nothing_in_a_gap_and_its_minutes_are_not_judged() -> None:
    script = Script([])
    trace = load(2000, 2000, 2000, 2000, 2000, gaps=((60.0, 180.0),))
    played = play(trace, SERVICE, script, 1)
    silent = [facts.at for facts in script.seen if not any(pod.values for pod in facts.pods)]
    assert silent == [75.0, 90.0, 105.0, 120.0, 135.0, 150.0, 165.0, 180.0]
    missed, judged = missed_minutes(played, SERVICE)
    assert judged.tolist() == [True, False, False, True]
    assert missed.tolist() == [True, False, False, True]


def test_a_minute_without_requests_is_not_missed() -> None:
    played = play(load(0, 0, 0), SERVICE, Script([0]), 1)
    assert Outcome.of(played, SERVICE).missed_minutes == 0


def test_a_change_and_its_opposite_are_a_reversal() -> None:
    outcome = Outcome.of(play(load(1, 1, 1), SERVICE, Script([3, 4, 2, 2, 5]), 2), SERVICE)
    assert (outcome.changes, outcome.reversals, outcome.lowest, outcome.highest) == (4, 2, 2, 5)
