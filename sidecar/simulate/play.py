"""The loop of a simulation: load arrives, the service serves it, and a policy decides on the replicas.

Everything follows from the arguments. Arrivals are Poisson numbers from `seed`, so two policies that play the same
trace with the same seed meet the same requests.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .observer import PlantObserver
from .plant import STEP, Plant, Service, StepResult
from .policies import ReplicaPolicy
from .trace import Floats, LoadTrace

UTILIZATION_START = 0.7  # of the slots: how busy the replicas are at the start, if the caller gives no number
REPORT_EVERY = 2000  # steps between two reports of the progress
Progress = Callable[[float], None]


@dataclass(frozen=True)
class ReplicaChange:
    """One change of the number of replicas."""

    at: float
    before: int
    after: int
    reason: str
    text: str


@dataclass(frozen=True)
class Played:
    """What a policy did with a trace: one value for each step of STEP seconds from `start`.

    `known` is False in the gaps of the trace. `slow` is the share of slow responses, `latency` the quantile of the
    service level in seconds.
    """

    start: float
    known: NDArray[np.bool_]
    changes: tuple[ReplicaChange, ...]
    arrived: Floats
    completed: Floats
    given_up: Floats
    inside: Floats
    slow: Floats
    latency: Floats
    replicas: Floats
    ready: Floats


def arrivals(trace: LoadTrace, seed: int) -> tuple[Floats, NDArray[np.bool_]]:
    """Return the number of requests in each step, and whether the trace has data there."""
    steps = max(1, int(trace.seconds // STEP))
    middles = trace.start + (np.arange(steps) + 0.5) * STEP
    counts = np.random.default_rng(seed).poisson(trace.rates_at(middles) * STEP).astype(float)
    return counts, trace.known_at(middles)


def first_replicas(trace: LoadTrace, service: Service, minimum: int, maximum: int) -> int:
    """Return the number of replicas that the load at the start keeps busy to 70 %, within the bounds."""
    wanted = float(trace.rates[0]) / service.capacity / UTILIZATION_START
    return int(np.clip(np.ceil(wanted), max(minimum, 1), maximum))


def play(
    trace: LoadTrace,
    service: Service,
    policy: ReplicaPolicy,
    replicas: int,
    seed: int = 0,
    progress: Progress | None = None,
) -> Played:
    """Return what happens if `policy` scales `service`, which starts with `replicas` ready ones, under `trace`."""
    counts, known = arrivals(trace, seed)
    plant = Plant(service, replicas, trace.start)
    observer = PlantObserver(plant)
    every = max(1, round(policy.interval / STEP))
    columns = tuple(array("d") for _ in range(8))  # a long trace has millions of steps
    changes: list[ReplicaChange] = []
    for place, (count, has_data) in enumerate(zip(counts.tolist(), known.tolist(), strict=True)):
        now = trace.start + place * STEP
        pods = len(plant.replicas)
        one = plant.step(count, now)
        row = (one.arrived, one.completed, one.given_up, one.inside, one.slow, _latency(plant, one), pods, one.ready)
        for column, value in zip(columns, row, strict=True):
            column.append(value)
        if has_data:
            observer.send(one)
        if (place + 1) % every == 0:
            change = _decide(observer, policy, now + STEP)
            if change is not None:
                changes.append(change)
        if progress is not None and place % REPORT_EVERY == 0:
            progress(place / len(counts))
    return Played(trace.start, known, tuple(changes), *(np.array(column) for column in columns))


def _latency(plant: Plant, result: StepResult) -> float:
    """Return the quantile of the service level, in seconds; the timeout of the clients without a ready replica."""
    if not result.ready:
        return plant.service.gives_up_after
    return min(plant.queue.latency(result.inside / result.ready), plant.service.gives_up_after)


def _decide(observer: PlantObserver, policy: ReplicaPolicy, now: float) -> ReplicaChange | None:
    plant = observer.plant
    before = len(plant.replicas)
    decision = policy.decide(observer.facts(now))
    if decision.desired == before:
        return None
    plant.scale(decision.desired, now)
    policy.applied(before, decision.desired, now)
    return ReplicaChange(now, before, decision.desired, decision.reason, decision.text)
