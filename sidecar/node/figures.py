"""The node: reads all sources, and builds the figures of one pod from them.

`run` follows the samples of the GPUs. Cgroups are read when a pod asks, since only some pods do. With many pods, each
one is told to ask less often, so that the cost of the node is bounded.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from ..callers.errors import RefusedRequestError
from ..resources.gpu.meter import GpuUse
from ..resources.gpu.problems import GpuReason
from ..resources.gpu.sample import GpuSample
from ..resources.pod.figures import PodFigures
from ..resources.processes import PROC
from ..tasks import cancel_all, keep_running
from .allocations import Allocations, Device, Units, resolve
from .cgroup_tree import CgroupTree
from .containers import ContainerReader
from .pod_counters import PodCaller, PodCounters, gpu_figures
from .problems import NodeProblem, NodeReason
from .processes import ProcessPods

_LOG = logging.getLogger("pilotfish.node")

SAMPLE_SECONDS = 1.0
KUBELET_SECONDS = 10.0  # between two questions to the kubelet
WALK_SECONDS = 30.0  # between two walks through the cgroups
LEAST_WALK_SECONDS = 2.0  # for a pod that is not known yet
PODS_A_SECOND = 20.0  # that are answered: 110 pods ask every 5.5 s


class GpuFeed(Protocol):
    """The samples of the GPUs; a GpuSampler."""

    @property
    def latest(self) -> GpuSample:
        """The last sample."""

    @property
    def use(self) -> GpuUse:
        """The sums."""

    @property
    def restarts(self) -> Mapping[GpuReason, int]:
        """How often the sampling process ended."""

    async def run(self) -> None:
        """Sample until the task is cancelled."""


class Kubelet(Protocol):
    """The answers of the kubelet; a KubeletSource."""

    allocations: Allocations
    problem: NodeProblem | None

    async def refresh(self) -> None:
        """Ask again."""


class Slices(Protocol):
    """The UUIDs of devices of claims; a SliceSource."""

    uuids: dict[Device, str]
    problem: NodeProblem | None

    async def refresh(self, devices: frozenset[Device]) -> None:
        """List again if one is not known."""


@dataclass
class NodeFigures:
    """The figures of the pods of the node `name`. Run `run`; then ask `of`."""

    name: str
    gpu: GpuFeed
    kubelet: Kubelet
    slices: Slices
    tree: CgroupTree
    proc: Path = PROC
    clock: Callable[[], float] = time.monotonic
    units: Units = field(default_factory=Units)
    counters: PodCounters = field(default_factory=lambda: PodCounters(uuid.uuid4().hex[:12]))
    pods: int = 0

    def __post_init__(self) -> None:
        self._processes = ProcessPods(self.proc)
        self._containers = ContainerReader(self.proc)
        self._walk_at = self._kubelet_at = float("-inf")
        self._use = GpuUse()
        self._sample: GpuSample | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Follow the sources until `stop` is set."""
        work = {"sampling of GPUs": self.gpu.run, "following the node": self._follow}
        tasks = [asyncio.create_task(keep_running(what, run, stop)) for what, run in work.items()]
        await stop.wait()
        await cancel_all("the node", tasks)

    async def _follow(self) -> None:
        while True:
            await self.step()
            await asyncio.sleep(SAMPLE_SECONDS)

    async def step(self) -> None:
        """Take what is new of each source."""
        now = self.clock()
        if now >= self._kubelet_at:
            self._kubelet_at = now + KUBELET_SECONDS
            await self.kubelet.refresh()
            await self.slices.refresh(self.kubelet.allocations.dynamic)
        if now >= self._walk_at + WALK_SECONDS:
            await self._walk()
        self._count_gpus()
        self.counters.drop_absent(now)

    def _count_gpus(self) -> None:
        sample = self.gpu.latest
        if sample is self._sample:
            return
        before, self._use, self._sample = self._use, self.gpu.use, sample
        self.units = resolve(self.kubelet.allocations, sample, self.slices.uuids) if sample.devices else self.units
        if self.counters.entries:
            places = self._processes.place({pid for pid, _ in self._use.present})
            self.counters.add(before, self._use, places, self.units)

    async def _walk(self) -> None:
        self._walk_at = self.clock()
        self.pods = await asyncio.to_thread(self.tree.walk)

    async def of(self, pod: PodCaller) -> PodFigures:
        """Return the figures of a pod; raise RefusedRequestError if it is not on this node."""
        if not self.tree.has(pod.uid) and self.clock() >= self._walk_at + LEAST_WALK_SECONDS:
            await self._walk()
        if self.pods and not self.tree.has(pod.uid):
            raise RefusedRequestError(
                f"the pod of the token has no cgroup on the node {self.name}; send the request to the node of the pod",
                status=404,
                reason="other_node",
            )
        entry = self.counters.ask(pod, self.clock())
        groups, whole = self.tree.containers(pod.uid), self.tree.pod(pod.uid)
        containers = tuple(self._containers.read(groups))
        network = self._containers.network(groups)
        return PodFigures(
            node=self.name,
            next_seconds=self.interval,
            containers=containers,
            oom_kills=self._containers.oom_kills(whole),
            received=network[0] if network else None,
            sent=network[1] if network else None,
            gpu=gpu_figures(entry, self.gpu.latest, self.gpu.use, self.gpu.restarts),
            problems=tuple(self._sentences(pod)),
        )

    @property
    def interval(self) -> float:
        """The seconds after which a pod shall ask again."""
        return max(SAMPLE_SECONDS, len(self.counters.entries) / PODS_A_SECOND)

    def problems(self) -> tuple[NodeProblem, ...]:
        """Return which sources are not available."""
        found = [self.kubelet.problem, self.slices.problem]
        if not self.tree.usable:
            found.append(NodeProblem(NodeReason.NO_CGROUPS))
        elif not self.pods:
            found.append(NodeProblem(NodeReason.NO_PODS))
        if self._containers.hidden:
            found.append(NodeProblem(NodeReason.CONTAINERS_HIDDEN, self._containers.hidden))
        return tuple(one for one in found if one is not None)

    def _sentences(self, pod: PodCaller) -> list[str]:
        """Return what is missing in the figures of a pod; without details, which are those of the node."""
        found = [one.reason.meaning for one in self.problems()]
        unknown = self.units.unknown.get(pod.owner)
        if unknown:
            found.append(
                f"the driver does not list devices that the kubelet gave to the pod: {', '.join(sorted(unknown))}"
            )
        return found
