"""Random histories of the use of one container, for the comparison with the VerticalPodAutoscaler and for laws."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from pilotfish.sidecar.control.resize.plan import ResizePlan
from pilotfish.sidecar.control.resize.recommender import observe
from pilotfish.sidecar.control.resize.state import ResizeState
from pilotfish.sidecar.control.resize.usage import ContainerUsage, OomKill
from pilotfish.sidecar.settings.resources import CpuRange, MemoryRange, Resources

CONTAINER = "c"
BEGUN = 1_500_000_000.0  # in the past: the VerticalPodAutoscaler reads the real clock for when a history was created
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
GIB = 2**30


def as_vertical(percentile: float = 0.9, margin: float = 0.15, **ranges: CpuRange | MemoryRange) -> Resources:
    """Return settings without our additions: the recommendation is that of the VerticalPodAutoscaler."""
    cpu = CpuRange(max=64, percentile=percentile, margin=margin, raise_when_throttled=False)
    memory = MemoryRange(max=512 * GIB, percentile=percentile, margin=margin, after_oom_kill=0)
    blocks = {"cpu": cpu, "memory": memory} | ranges
    return Resources(container=CONTAINER, **blocks)  # type: ignore[arg-type]


def usage(
    at: float,
    cores: float | None = None,
    memory: float | None = None,
    pod: str = "a",
    throttled: float | None = None,
    *,
    request: float | None = None,
    limit: float | None = None,
) -> ContainerUsage:
    """Return the use of the container in a pod."""
    return ContainerUsage(
        pod_uid=pod,
        container=CONTAINER,
        cpu_cores=cores,
        memory_bytes=memory,
        throttled_ratio=throttled,
        cpu_request=request,
        cpu_limit=limit,
        at=at,
    )


def observed(plan: ResizePlan, usages: Sequence[ContainerUsage], state: ResizeState | None = None) -> ResizeState:
    """Return the state after `usages`, each observed at its time."""
    found = ResizeState() if state is None else state
    for one in usages:
        found = observe(found, plan, [one], [], one.at)
    return found


@dataclass(frozen=True, slots=True)
class Observation:
    """What is seen at one time, and the names of all pods that exist then."""

    now: float
    usages: tuple[ContainerUsage, ...] = ()
    kills: tuple[OomKill, ...] = ()
    pods: tuple[str, ...] = ()


class RandomHistory:
    """Pods that come and go, with loads that jump, samples that are missing, late or repeated, and kills."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self._now = BEGUN + self._random.randrange(259200)  # whole seconds, as timestamps of Kubernetes
        self._created = 0
        self._pods: list[str] = []
        self._levels: dict[str, tuple[float, float]] = {}
        self._interval = self._random.choice((15.0, MINUTE, 5 * MINUTE, HOUR, 7 * HOUR))

    def steps(self, count: int) -> Iterator[Observation]:
        """Yield `count` observations, in the order of time."""
        for _ in range(count):
            yield from self._gap()
            self._now += round(self._interval * self._random.uniform(0.5, 1.5))
            self._rollout()
            yield self._observation()

    def _gap(self) -> Iterator[Observation]:
        if self._random.random() < 0.02:
            days = self._random.choice((0.5, 1.7, 6.0, 9.0, 120.0))
            self._now += days * DAY
            if days > 8:  # the history is forgotten, and a new pod has a new interval
                self._pods = []
            yield Observation(self._now, pods=tuple(self._pods))

    def _rollout(self) -> None:
        if not self._pods or self._random.random() < 0.03:
            self._pods = [self._new() for _ in range(self._random.choice((1, 1, 2, 3, 8)))]
        elif self._random.random() < 0.05 and len(self._pods) > 1:
            self._pods.pop(self._random.randrange(len(self._pods)))

    def _new(self) -> str:
        self._created += 1
        name = f"pod-{self._created}"
        self._levels[name] = (self._random.choice((0.0, 0.005, 0.2, 3, 40)), self._random.choice((1e6, 3e8, 5e10)))
        return name

    def _observation(self) -> Observation:
        random = self._random
        usages, kills = [], []
        for pod in self._pods:
            cores, memory = self._levels[pod]
            if random.random() < 0.05:
                cores *= random.uniform(0.1, 10)
                memory *= random.uniform(0.3, 3)
                self._levels[pod] = cores, memory
            at = self._now - random.choice((0.0, 0.0, 10.0, 30.0, 2 * self._interval))
            cpu = round(min(cores * random.lognormvariate(0, 0.3), 5000) * 1000) / 1000
            used = int(min(memory * random.lognormvariate(0, 0.1), 9e12))
            usages.append(
                usage(
                    at,
                    None if random.random() < 0.05 else cpu,
                    None if random.random() < 0.05 else used,
                    pod,
                )
            )
            if random.random() < 0.03:
                limit = int(used * random.uniform(0.5, 2))
                kills.append(OomKill(pod_uid=pod, container=CONTAINER, memory_bytes=limit, at=self._now))
        return Observation(self._now, tuple(usages), tuple(kills), tuple(self._pods))
