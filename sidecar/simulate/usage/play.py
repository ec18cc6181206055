"""The loop of a replay: requests come, pods serve them, and a policy decides on the resources of the pods.

Everything follows from the arguments. Arrivals are Poisson numbers from `seed`, the same for all policies.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...control.resize.pool.member import PoolLoad
from ...control.resize.usage import ContainerUsage, OomKill
from ...settings.resources import Resources
from ..errors import TraceError
from ..plant import STEP
from ..trace import Floats
from .plant import PodStep, SimulatedPod
from .policies import ResourcePolicy, UsageFacts
from .trace import UsageTrace

ASSUMED_SECONDS = 0.1  # of CPU for a request, if the file has no request rate
REPORT_EVERY = 2000  # steps between two reports of the progress
PARALLELISM = 1.0  # cores that a request uses at once
FIELDS = 7


@dataclass(frozen=True)
class SimulatedModel:
    """One monitor of a replay.

    `seconds` is the CPU time of a request. `cpu` (cores) and `memory` (bytes) are the requests of a pod at the start.
    `limit_ratio` is its CPU limit relative to its request. `clients`, at the times of the trace, makes the load a
    closed loop: each sends a request when the one before is answered. The CPU of the trace then has no effect.
    """

    trace: UsageTrace
    settings: Resources
    pods: int
    seconds: float
    cpu: float
    memory: float
    limit_ratio: float = 1.0
    clients: Floats | None = None


@dataclass(frozen=True)
class PlayedUsage:
    """What happened to one monitor: one value for each step of STEP seconds.

    `wanted` and `cores` are cores of all pods, `memory` the bytes that they request, `latency` a mean in seconds.
    `throttled` is the share of time in which a pod wanted more cores, `down` whether a kill for memory stopped one.
    """

    known: NDArray[np.bool_]
    wanted: Floats
    arrived: Floats
    given_up: Floats
    latency: Floats
    cores: Floats
    memory: Floats
    throttled: Floats
    down: Floats
    kills: int
    resizes: int


def span_of(models: Mapping[str, SimulatedModel]) -> tuple[float, int]:
    """Return the start and the number of steps of the time that all traces have; raise TraceError."""
    start = max(model.trace.start for model in models.values())
    end = min(model.trace.end for model in models.values())
    if end - start < STEP:
        raise TraceError("the monitors have no time in common; give samples of all monitors over the same time")
    return start, int((end - start) // STEP)


def play_usage(
    models: Mapping[str, SimulatedModel],
    policy: ResourcePolicy,
    startup: float,
    seed: int = 0,
    progress: Callable[[float], None] | None = None,
) -> dict[str, PlayedUsage]:
    """Return what happens to each model if `policy` sets the resources; `startup` is in seconds."""
    start, steps = span_of(models)
    every = max(1, round(policy.interval / STEP))
    running = {
        name: _Running(name, model, start, steps, startup, seed + place)
        for place, (name, model) in enumerate(sorted(models.items()))
    }
    for step in range(steps):
        now = start + step * STEP
        for one in running.values():
            one.step(step, now)
        if (step + 1) % every == 0:
            policy.decide({name: one.facts(now + STEP) for name, one in running.items()}, now + STEP)
        if progress is not None and step % REPORT_EVERY == 0:
            progress(step / steps)
    return {name: one.played(policy.resizes[name]) for name, one in running.items()}


class _Running:
    """One model during a replay."""

    def __init__(self, name: str, model: SimulatedModel, start: float, steps: int, startup: float, seed: int) -> None:
        middles = start + (np.arange(steps) + 0.5) * STEP
        self._model, self._startup = model, startup
        self._known = model.trace.known_at(middles)
        self._wanted = model.trace.at(model.trace.cpu, middles)
        chance = np.random.default_rng(seed)
        self._counts = chance.poisson(self._wanted / model.seconds * STEP).astype(float) / model.pods
        self._clients = None if model.clients is None else model.trace.at(model.clients, middles) / model.pods
        memory = model.trace.memory
        self._memory = model.trace.at(memory, middles) if memory is not None else np.zeros(steps)
        self._pods = [
            SimulatedPod(f"{name}-{number}", model.cpu, model.memory, model.limit_ratio) for number in range(model.pods)
        ]
        self._columns = tuple(array("d") for _ in range(FIELDS))
        self._kills: list[OomKill] = []
        self._sent: list[list[PodStep]] = []
        self._memory_used = self._cpu_wanted = 0.0
        self._killed = 0

    def step(self, step: int, now: float) -> None:
        """Play one step."""
        count, wanted = float(self._counts[step]), float(self._memory[step])
        for pod in self._pods:
            if wanted > pod.memory and now >= pod.down_until:
                self._killed += 1
                self._kills.append(
                    OomKill(pod_uid=pod.uid, container=self._model.settings.container, memory_bytes=pod.memory, at=now)
                )
                pod.kill(now + self._startup, now)
        cores, memory = sum(pod.cpu for pod in self._pods), sum(pod.memory for pod in self._pods)
        if self._clients is None:
            found = [pod.step(count, self._model.seconds, PARALLELISM, now) for pod in self._pods]
        else:
            clients = float(self._clients[step])
            found = [pod.step_closed(clients, self._model.seconds, PARALLELISM, now) for pod in self._pods]
            count = sum(one.completed for one in found) / len(found)
        row = (
            count * len(found),
            sum(one.given_up for one in found),
            sum(one.latency for one in found) / len(found),
            cores,
            memory,
            sum(one.throttled for one in found) / len(found),
            float(any(now < pod.down_until for pod in self._pods)),
        )
        for column, value in zip(self._columns, row, strict=True):
            column.append(value)
        if self._known[step]:
            self._sent.append(found)
            self._memory_used = wanted
            self._cpu_wanted += count * self._model.seconds / STEP

    def facts(self, now: float) -> UsageFacts:
        """Return what was observed since the last facts; nothing if the trace has a gap there."""
        sent, kills, cpu_wanted = self._sent, tuple(self._kills), self._cpu_wanted
        self._sent, self._kills, self._cpu_wanted = [], [], 0.0
        if not sent:
            return UsageFacts(pods=self._pods, kills=kills)
        steps, container = len(sent), self._model.settings.container
        has_memory = self._model.trace.memory is not None
        usages = [
            ContainerUsage(
                pod_uid=pod.uid,
                container=container,
                cpu_cores=sum(found[place].cpu for found in sent) / steps,
                memory_bytes=min(self._memory_used, pod.memory) if has_memory else None,
                throttled_ratio=sum(found[place].throttled for found in sent) / steps,
                cpu_request=pod.cpu,
                cpu_limit=pod.cpu * pod.limit_ratio,
                at=now,
            )
            for place, pod in enumerate(self._pods)
        ]
        flat = [one for found in sent for one in found]
        completed = sum(one.completed for one in flat)
        load = PoolLoad(
            cpu=sum(one.cpu for one in flat) / steps,
            rate=completed / (steps * STEP),
            in_flight=sum(one.inside for one in flat) / steps,
            limit=sum(pod.allocated * pod.limit_ratio for pod in self._pods),
            at=now,
        )
        latency = sum(one.latency * one.completed for one in flat) / completed if completed else None
        return UsageFacts(
            pods=self._pods, usages=usages, kills=kills, load=load, latency=latency, wanted=cpu_wanted / steps
        )

    def played(self, resizes: int) -> PlayedUsage:
        """Return what happened."""
        arrived, given_up, latency, cores, memory, throttled, down = (np.array(column) for column in self._columns)
        return PlayedUsage(
            self._known, self._wanted, arrived, given_up, latency, cores, memory, throttled, down, self._killed, resizes
        )
