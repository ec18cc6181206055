"""The recommenders of the benchmark, and the grid of their settings.

VPA        the VerticalPodAutoscaler: our recommender without its additions, and without a cooldown
Pilotfish  with the additions: what the CPU limit hides, and memory that a kill asked for
COMPILED   the VerticalPodAutoscaler itself, compiled from its module, with the defaults of its flags
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, astuple, dataclass
from itertools import product
from pathlib import Path

import numpy as np

from pilotfish.sidecar.control.reasons import Reason
from pilotfish.sidecar.control.resize.plan import ResizePlan, ResourceName
from pilotfish.sidecar.control.resize.recommender import ResourceRecommendation, observe, recommend
from pilotfish.sidecar.control.resize.state import ResizeState
from pilotfish.sidecar.control.resize.usage import ContainerUsage, OomKill
from pilotfish.sidecar.settings.resources import CpuRange, MemoryRange, Resources
from tests.benchmarks.resizing.play import CONTAINER, GIB, Played, play, watch
from tests.benchmarks.resizing.traces import trace
from tests.support.vertical import Vertical, running_vertical

VPA, PILOTFISH, COMPILED = "VPA", "Pilotfish", "compiled"
CONTENDERS = (VPA, PILOTFISH)
MAX_CORES, MAX_MEMORY = 64.0, int(64 * GIB)
PERCENTILES, MARGINS, HALF_LIVES = (0.9, 0.99), (0.15, 0.5, 1.0), (86400.0, 1200.0, 300.0)


@dataclass(frozen=True, slots=True)
class Choice:
    """The setting of a recommender for CPU. Memory keeps the defaults, or stays as it is."""

    percentile: float = 0.9
    margin: float = 0.15
    half_life: float = 86400.0
    memory: bool = True

    def settings(self, contender: str) -> Resources:
        """Return the block of the document for it; without the additions unless it is for Pilotfish."""
        cpu = CpuRange(
            max=MAX_CORES,
            percentile=self.percentile,
            margin=self.margin,
            half_life=self.half_life,
            raise_when_throttled=contender == PILOTFISH,
        )
        if contender == PILOTFISH:
            memory = MemoryRange(max=MAX_MEMORY) if self.memory else None
            return Resources(container=CONTAINER, cpu=cpu, memory=memory)
        memory = MemoryRange(max=MAX_MEMORY, after_oom_kill=0.0) if self.memory else None
        return Resources(container=CONTAINER, cpu=cpu, memory=memory, cooldown=0.0)


GRID = tuple(Choice(*one, memory=False) for one in product(PERCENTILES, MARGINS, HALF_LIVES))


class Own:
    """Our recommender."""

    def __init__(self, settings: Resources) -> None:
        self.settings = settings
        self._plan, self._state = ResizePlan.of(settings), ResizeState()

    def look(
        self, usage: ContainerUsage, kills: Sequence[OomKill], now: float, latency: float
    ) -> ResourceRecommendation:
        """Return the recommendation after one sample."""
        self._state = observe(self._state, self._plan, [usage], kills, now, latency)
        return recommend(self._plan, self._state, now)


class Compiled:
    """The recommender of the VerticalPodAutoscaler, in a child process."""

    def __init__(self, settings: Resources, vertical: Vertical) -> None:
        self.settings, self._vertical = settings, vertical
        vertical.begin(settings)

    def look(
        self, usage: ContainerUsage, kills: Sequence[OomKill], now: float, latency: float
    ) -> ResourceRecommendation:
        """Return the recommendation after one sample. It knows no latency."""
        del latency
        found = self._vertical.step([usage], kills, now)
        return ResourceRecommendation(
            container=CONTAINER,
            target=_amounts(found.target),
            lower=_amounts(found.lower),
            upper=_amounts(found.upper),
            uncapped=_amounts(found.uncapped),
            confidence_days=0.0,
            samples=0,
            reason=Reason.RESIZING,
            text="",
        )


def _amounts(found: dict[str, int]) -> dict[ResourceName, float]:
    return {"cpu": found["cpu"] / 1000, "memory": float(found["memory"])}


@dataclass(frozen=True, slots=True)
class Run:
    """What one recommender with one choice did with one trace, with limits of `ratio` times the requests."""

    trace: str
    contender: str
    choice: Choice
    ratio: float
    played: Played


def run(name: str, contender: str, choice: Choice, ratio: float) -> Run:
    """Play one trace."""
    settings = choice.settings(contender)
    if contender != COMPILED:
        return Run(name, contender, choice, ratio, play(trace(name), Own(settings), ratio))
    with running_vertical() as vertical:
        return Run(name, contender, choice, ratio, play(trace(name), Compiled(settings, vertical), ratio))


def watched(name: str, contender: str) -> float:
    """Return what is recommended for a pod whose limit is its median demand, by what is recommended without a limit."""
    found, settings = trace(name), Choice(memory=False).settings(contender)
    limits = float(np.median(found.cores)), MAX_CORES
    limited, free = (watch(found, Own(settings), max(limit, 0.001)) for limit in limits)
    return limited / free


def run_all(wanted: Sequence[tuple[str, str, Choice, float]], store: Path, jobs: int) -> list[Run]:
    """Play all, with results kept in the folder `store`."""
    store.mkdir(parents=True, exist_ok=True)
    paths = [
        store / "_".join(map(str, (name, contender, *astuple(choice), f"{ratio}.json")))
        for name, contender, choice, ratio in wanted
    ]
    missing = [(one, path) for one, path in zip(wanted, paths, strict=True) if not path.exists()]
    if missing:
        with ProcessPoolExecutor(jobs) as pool:
            columns = zip(*(one for one, _ in missing), strict=True)
            for found, (_, path) in zip(pool.map(run, *columns), missing, strict=True):
                path.write_text(json.dumps(asdict(found.played)))
    return [Run(*one, Played(**json.loads(path.read_text()))) for one, path in zip(wanted, paths, strict=True)]


def means(runs: Sequence[Run]) -> tuple[float, float]:
    """Return relative core-hours and the share of throttled minutes; each trace has the same weight."""
    cost = sum(relative_cost(one) for one in runs) / len(runs)
    return cost, sum(one.played.throttled / one.played.minutes for one in runs) / len(runs)


def relative_cost(one: Run) -> float:
    """Return the requested core-hours, divided by those that the trace uses."""
    return one.played.core_hours / (float(trace(one.trace).cores.sum()) / 60)
