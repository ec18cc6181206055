"""Recommendations from use, by the recommender of the controller itself. Pure.

A container that a ModelMonitor names has the settings of its `spec.resources`. Any other one has those of the
VerticalPodAutoscaler: its percentiles and margins, no maximum, and its minimum for a pod, shared by the containers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from msgspec import structs

from ..control.resize.plan import ResizePlan
from ..control.resize.recommender import observe, recommend
from ..control.resize.state import ResizeState
from ..control.resize.usage import ContainerUsage, OomKill
from ..podspec.quantity import quantity
from ..settings.resources import CpuRange, MemoryRange, Resources
from .recommended import ContainerRecommendation, Source, exact
from .throttling import LIVE, ThrottlingCount, ThrottlingSource
from .workload import Container, MeasuredWorkload, pod_uid, statuses

POD_MIN_CPU, POD_MIN_MEMORY = 0.025, 250 * 2**20  # pod-recommendation-min-* of the VPA
MAX_CPU, MAX_MEMORY = 1e4, 2**50  # more than a node has


@dataclass(frozen=True, slots=True)
class UseSample:
    """The largest use of a container over all pods at one time, in cores and bytes; None if it is not known."""

    at: float
    cpu: float | None
    memory: float | None


class ContainerHistory:
    """Takes the use of one container in the order of time, and recommends at the end. `use` is what it took."""

    def __init__(self, workload: MeasuredWorkload, container: Container) -> None:
        self._plan = ResizePlan.of(settings_of(workload, container))
        self._state = ResizeState()
        self._name = container.name
        self._kills = sorted(oom_kills(workload, container), key=lambda kill: kill.at)
        self._last = 0.0
        self._throttling = ThrottlingCount()
        self.use: list[UseSample] = []

    def add(self, usages: Sequence[ContainerUsage]) -> None:
        """Add what was measured at one time, of all containers."""
        own = [one for one in usages if one.container == self._name]
        if own:
            self._last = own[0].at
            kills = [kill for kill in self._kills if kill.at <= self._last]
            self._kills = self._kills[len(kills) :]
            self.use.append(UseSample(self._last, *(_largest(values) for values in _by_resource(own))))
            self._throttling.add(own)
            self._state = observe(self._state, self._plan, own, kills, self._last)

    def recommended(self, source: Source, throttling: ThrottlingSource = LIVE) -> ContainerRecommendation | None:
        """Return the recommendation; None if nothing was measured. `throttling` says where that is from."""
        if not self._last:
            return None
        found = recommend(self._plan, self._state, self._last)
        target = exact(found.target)
        if not target:
            return None
        return ContainerRecommendation(
            source=source,
            target=target,
            lower=exact(found.lower),
            upper=exact(found.upper),
            confidence_days=found.confidence_days,
            samples=found.samples,
            uncapped=exact(found.uncapped),
            throttling=replace(
                self._throttling.result(self._name, throttling),
                decides=found.throttled,
                needs_latency=self._plan.raises and self._plan.latency is not None,
            ),
        )


def _by_resource(usages: Sequence[ContainerUsage]) -> Iterator[list[float | None]]:
    yield [one.cpu_cores for one in usages]
    yield [one.memory_bytes for one in usages]


def _largest(values: Sequence[float | None]) -> float | None:
    return max((one for one in values if one is not None), default=None)


def settings_of(workload: MeasuredWorkload, container: Container) -> Resources:
    """Return the settings of the recommender for a container, with CPU and memory."""
    own = workload.resources
    chosen = own if own is not None and own.container == container.name else None
    share = max(1, len(workload.containers()))
    return structs.replace(
        chosen or Resources(container=container.name),
        cpu=(chosen and chosen.cpu) or CpuRange(max=MAX_CPU, min=POD_MIN_CPU / share),
        memory=(chosen and chosen.memory) or MemoryRange(max=MAX_MEMORY, min=POD_MIN_MEMORY // share),
    )


def oom_kills(workload: MeasuredWorkload, container: Container) -> Iterator[OomKill]:
    """Yield the last kill of the container in each running pod, by the pod's status.

    The memory is the limit, else the request, that the container has now.
    """
    sides = container.amounts("limits"), container.amounts("requests")
    memory = next((found for side in sides if (found := quantity(side.get("memory")))), None)
    for pod in workload.pods if memory else ():
        for one in statuses(pod):
            ended = (one.get("lastState") or {}).get("terminated") or {}
            at = _time(ended.get("finishedAt"))
            if one.get("name") == container.name and ended.get("reason") == "OOMKilled" and at:
                yield OomKill(pod_uid=pod_uid(pod), container=container.name, memory_bytes=int(memory or 0), at=at)


def _time(text: object) -> float:
    try:
        return datetime.fromisoformat(str(text)).timestamp()
    except ValueError:
        return 0.0
