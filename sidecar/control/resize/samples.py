"""From the use of containers to histograms: which samples count, and one memory peak for each pod and interval. Pure.

Source: model.ContainerState of the VerticalPodAutoscaler, whose order of operations this follows. In addition, a sample
that cannot be true is left out, and a clock that goes back moves the history along.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from msgspec.structs import replace

from .histogram import CPU, MEMORY, Histogram
from .plan import ResizePlan
from .state import MAX_PODS, MAX_UID, Floor, PodPeak, ResizeState, newest
from .usage import ContainerUsage, OomKill

INTERVAL = 86400.0  # seconds; each pod adds one peak of memory for each
EXPIRY = 8 * INTERVAL  # seconds without a sample after which a history, or a pod, is forgotten
MAX_AHEAD = 300.0  # seconds by which the clock of a node may differ
CPU_WEIGHT = 0.1  # of a CPU sample, half-life apart
MAX_CORES, MAX_MEMORY = 1e5, 1e14  # more than a node has: not a measurement
IN_A_ROW = 2  # throttled CPU samples of a pod are counted up to here
OOM_RATIO, OOM_BYTES = 1.2, 100 * 2**20  # the least increase after a kill for memory


def add_samples(
    state: ResizeState,
    plan: ResizePlan,
    usages: Sequence[ContainerUsage],
    kills: Sequence[OomKill],
    now: float,
    *,
    censoring: bool,
) -> ResizeState:
    """Return the state with the samples and kills of the container of `plan` at `now`, in epoch seconds.

    `censoring` is whether throttled samples of CPU are lower bounds of the demand.
    """
    book, container = _Samples(_aligned(state, now), plan, now), plan.container
    for usage in usages:
        if usage.container == container and _dated(usage.pod_uid, usage.at, now):
            book.add(usage, censored=censoring and usage.throttled)
    for kill in kills:
        if kill.container == container and _dated(kill.pod_uid, kill.at, now):
            book.add_kill(kill)
    return book.state(now)


class _Samples:
    """A state to which samples are added."""

    def __init__(self, state: ResizeState, plan: ResizePlan, now: float) -> None:
        self._before = state
        self._cpu = Histogram(CPU, state.cpu, plan.half_life("cpu"), now)
        self._memory = Histogram(MEMORY, state.memory, plan.half_life("memory"), now)
        self._pods = dict(state.pods)
        self._first, self._last, self._latest = state.first_at, state.last_at, state.latest_at
        self._samples, self._floor = state.samples, state.floor

    def state(self, now: float) -> ResizeState:
        """Return the state, without the pods that have been gone for long."""
        pods = {uid: pod for uid, pod in self._pods.items() if now - pod.seen_at < EXPIRY}
        return replace(
            self._before,
            cpu=self._cpu.state(),
            memory=self._memory.state(),
            first_at=self._first,
            last_at=self._last,
            latest_at=self._latest,
            samples=self._samples,
            pods=newest(pods, MAX_PODS),
            floor=self._floor,
        )

    def add(self, usage: ContainerUsage, *, censored: bool) -> None:
        pod = self._pods.get(usage.pod_uid, PodPeak())
        cores, memory = _plausible(usage.cpu_cores, MAX_CORES), _plausible(usage.memory_bytes, MAX_MEMORY)
        if cores is not None and usage.at > pod.cpu_at:
            millicores = -(-round(cores * 1e9) // 10**6)  # as a quantity is rounded up
            self._cpu.add(millicores / 1000, CPU_WEIGHT, usage.at, censored=censored)
            self._last, self._samples = max(self._last, usage.at), self._samples + 1
            self._first = min(self._first or usage.at, usage.at)
            pod = replace(pod, cpu_at=usage.at, throttled=min(pod.throttled + 1, IN_A_ROW) if usage.throttled else 0)
        if memory is not None and usage.at >= pod.memory_at:
            pod = self._with_memory(pod, math.ceil(memory), usage.at, killed=False)
        self._keep(usage.pod_uid, pod, usage.at)

    def add_kill(self, kill: OomKill) -> None:
        pod = self._pods.get(kill.pod_uid, PodPeak())
        if kill.at <= pod.killed_at or (pod.memory_at and kill.at < pod.memory_at - INTERVAL):
            return
        used = max(int(_plausible(kill.memory_bytes, MAX_MEMORY) or 0), pod.peak)
        needed = max(used + OOM_BYTES, int(used * OOM_RATIO))
        pod = self._with_memory(replace(pod, killed_at=kill.at), needed, kill.at, killed=True)
        self._floor = Floor(max(needed, self._floor.memory), max(kill.at, self._floor.at))
        self._keep(kill.pod_uid, pod, kill.at)

    def _keep(self, uid: str, pod: PodPeak, at: float) -> None:
        self._pods[uid] = pod
        self._latest = max(self._latest, at)

    def _with_memory(self, pod: PodPeak, used: int, at: float, *, killed: bool) -> PodPeak:
        """Return the pod with a sample of memory, which replaces the peak of the interval if it is larger."""
        until = pod.until or at
        former = max(pod.peak, pod.oom_peak)
        pod = replace(pod, memory_at=at, until=until)
        if at < until:
            if not 0 < former < used:
                return pod
            self._memory.subtract(former, 1.0, until)
        else:
            until += (math.floor((at - until) / INTERVAL) + 1) * INTERVAL
            pod = replace(pod, until=until, peak=0, oom_peak=0)
        self._memory.add(used, 1.0, until)
        return replace(pod, oom_peak=used) if killed else replace(pod, peak=used)


def _aligned(state: ResizeState, now: float) -> ResizeState:
    """Return the state at `now`: moved if the clock went back, and empty if it is too old."""
    ahead = state.latest_at - now
    if ahead > MAX_AHEAD:
        return state.moved(-ahead)
    return ResizeState() if state.last_at and now - state.last_at >= EXPIRY else state


def _dated(uid: str, at: float, now: float) -> bool:
    """Return whether a sample names its pod, and a time that can be true."""
    return len(uid) <= MAX_UID and 0 < at <= now + MAX_AHEAD


def _plausible(value: float | None, most: float) -> float | None:
    return value if value is not None and 0 <= value <= most else None
