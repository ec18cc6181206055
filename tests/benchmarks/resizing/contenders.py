"""The recommenders of the benchmark, and the choice of percentile and margin on the tuning half.

VPA        the VerticalPodAutoscaler with the defaults of its flags: our recommender without its additions
Pilotfish  with the additions: a latency target, and memory that a kill asked for
COMPILED   the VerticalPodAutoscaler itself, compiled from its module; held-out half only
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from pilotfish.sidecar.control.reasons import Reason
from pilotfish.sidecar.control.resize.plan import ResizePlan
from pilotfish.sidecar.control.resize.recommender import ResourceRecommendation, observe, recommend
from pilotfish.sidecar.control.resize.state import ResizeState
from pilotfish.sidecar.control.resize.usage import ContainerUsage, OomKill
from pilotfish.sidecar.settings.resources import CpuRange, MemoryRange, ResizeLatency, Resources
from tests.benchmarks.resizing.play import CONTAINER, GIB, TARGET, Played, play
from tests.benchmarks.resizing.traces import trace
from tests.support.vertical import Vertical, running_vertical

VPA, PILOTFISH, COMPILED = "VPA", "Pilotfish", "compiled"
MAX_CORES, MAX_MEMORY = 64.0, int(64 * GIB)
PERCENTILES = (0.8, 0.9, 0.95, 0.98, 0.99)
MARGINS = (0.0, 0.05, 0.15, 0.25)
DEFAULTS = 0.9, 0.15


@dataclass(frozen=True, slots=True)
class Choice:
    """One setting of a recommender: percentile and margin of CPU and of memory."""

    cpu: tuple[float, float] = DEFAULTS
    memory: tuple[float, float] = DEFAULTS

    def settings(self, contender: str) -> Resources:
        """Return the block of the document for it; without the additions unless it is for Pilotfish."""
        ours = contender == PILOTFISH
        (cpu, cpu_margin), (memory, memory_margin) = self.cpu, self.memory
        return Resources(
            container=CONTAINER,
            cpu=CpuRange(max=MAX_CORES, percentile=cpu, margin=cpu_margin),
            memory=MemoryRange(
                max=MAX_MEMORY,
                percentile=memory,
                margin=memory_margin,
                **({} if ours else {"after_oom_kill": 0.0}),
            ),
            latency=ResizeLatency(target=TARGET) if ours else None,
        )


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
        parts = [
            {"cpu": amounts["cpu"] / 1000, "memory": float(amounts["memory"])}
            for amounts in (found.target, found.lower, found.upper, found.uncapped)
        ]
        return ResourceRecommendation(CONTAINER, *parts, 0.0, 0, Reason.RESIZING, "")  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Run:
    """What one recommender with one choice did with one trace."""

    trace: str
    contender: str
    choice: Choice
    played: Played


def run(name: str, contender: str, choice: Choice) -> Run:
    """Play one trace."""
    settings = choice.settings(contender)
    if contender != COMPILED:
        return Run(name, contender, choice, play(trace(name), Own(settings)))
    with running_vertical() as vertical:
        return Run(name, contender, choice, play(trace(name), Compiled(settings, vertical)))


def run_all(wanted: Sequence[tuple[str, str, Choice]], store: Path, jobs: int) -> list[Run]:
    """Play all, with results kept in the folder `store`."""
    store.mkdir(parents=True, exist_ok=True)
    paths = {
        one: store / f"{one[0]}_{one[1]}_{'_'.join(map(str, (*one[2].cpu, *one[2].memory)))}.json" for one in wanted
    }
    missing = [one for one in wanted if not paths[one].exists()]
    with ProcessPoolExecutor(jobs) as pool:
        for one, found in zip(missing, pool.map(run, *zip(*missing, strict=True)) if missing else (), strict=True):
            paths[one].write_text(json.dumps(asdict(found.played)))
    return [Run(*one, Played(**json.loads(paths[one].read_text()))) for one in wanted]
