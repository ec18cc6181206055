"""Samples model server and Pilotfish once a second, and adds the windows to the totals. Runs in the analyzer.

    options -> source -> groups --(cgroup, /proc)--+
    proxy --(counter page)--------------------------+--> UsageWindow -> Accounts -> file -> ResourceView -> metrics,
    driver --(NVML)--> gpu.sampler -----------------+                                                       report
    worker --(records)--> WorkMeter ----------------+
    node --(TLS)--> pod.figures --> pod.usage ------+   instead of groups and driver, with the source `node`

The file is written before a view is shown, so that no counter falls after a restart.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from ..channel import PAGE_FILE
from ..channel.in_flight import answered_growth, exchange_growth, in_flight_growth
from ..channel.page import PageError, PageSnapshot
from ..channel.page_reader import PageReader
from ..report.blocks.resources import ResourceSource, SourceReason
from ..tasks import keep_running
from .accounts import CPU, ENERGY, GPU, MEMORY, Accounts, CostRules, UsageWindow
from .gpu.meter import GpuUse
from .gpu.problems import GpuReason
from .gpu.sample import GpuSample
from .gpu.sampler import GpuSampler
from .gpu_use import UNMEASURED, ModelGpuUse
from .groups import Group, find_group, read_mounts, sample_group
from .model_gpus import local_gpu_use
from .pod.figures import ContainerFigures, PodFigures
from .pod.gpus import read_use
from .pod.reading import NodeReading, NodeSource
from .pod.usage import Of, PodUsage
from .processes import ProcessStat, ancestors, list_processes, tree
from .source import Found, SourceOptions, choose
from .totals import TOTALS_FILE, ResourceTotals, load_totals, store_totals
from .usage import UsageMeter, UsageSample
from .work import WorkMeter

_LOG = logging.getLogger("pilotfish.resources")

SECONDS = 1.0
SEARCH_NS = 10 * 10**9  # between two searches for processes, or longer:
SEARCH_SHARE = 500  # times the CPU time of a search, so that searching takes 0.2 % of a core on any machine
STARTING = ResourceSource(kind="none", reason=SourceReason.STARTING.value, text=SourceReason.STARTING.meaning)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceView:
    """What metrics and report show: source, totals, last samples, notes. It does not change.

    `pids` are the processes of the model server, `page` is the newest counter page. `containers` are those of the pod,
    with the source `node`. `gpu_restarts` counts the ends of the sampling process of the GPUs, by reason.
    `completion_weights` has the cost of a completion token in prompt tokens, by model version, where it is known.
    `gpu_time` has the ns in which a kernel of the model ran on its GPUs, and those of the GPUs, since the start of the
    analyzer; None while they are not measured.
    """

    source: ResourceSource = STARTING
    totals: ResourceTotals = field(default_factory=ResourceTotals)
    model: UsageSample | None = None
    model_cores: float | None = None
    own: UsageSample | None = None
    own_cores: float | None = None
    gpu: GpuSample | None = None
    gpu_use: GpuUse = field(default_factory=GpuUse)
    gpu_restarts: Mapping[GpuReason, int] = field(default_factory=dict)
    gpu_time: tuple[int, int] | None = None
    containers: tuple[ContainerFigures, ...] = ()
    pids: frozenset[int] = frozenset()
    page: PageSnapshot | None = None
    notes: tuple[str, ...] = ()
    completion_weights: Mapping[tuple[str, str], float] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sampled:
    """One sample of model server and Pilotfish; `gpu_growth` is what the model's GPUs did since the previous one."""

    usage: Mapping[Of, UsageSample | None]
    gpu: GpuSample | None = None
    gpu_use: GpuUse = field(default_factory=GpuUse)
    gpu_growth: ModelGpuUse = UNMEASURED
    gpu_restarts: Mapping[GpuReason, int] = field(default_factory=dict)
    pids: frozenset[int] = frozenset()
    containers: tuple[ContainerFigures, ...] = ()
    notes: tuple[str, ...] = ()


class ResourceWatch:
    """Samples while `run` runs. `rules` returns what the document in force says; `work` has what records hold."""

    def __init__(
        self,
        options: SourceOptions,
        shared: Path,
        state: Path,
        rules: Callable[[], CostRules],
        gpu: GpuSampler | None = None,
        node: NodeSource | None = None,
        work: WorkMeter | None = None,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._options = options
        self._page_reader = PageReader(shared / PAGE_FILE)
        self._path = state / TOTALS_FILE
        self._rules = rules
        self._gpu = gpu
        self._work = work or WorkMeter()
        self._node = node
        self._pod = PodUsage()
        self._reading: NodeReading | None = NodeReading() if node is not None else None
        self._clock = clock
        totals, self._damage = load_totals(self._path)
        self._accounts = Accounts(totals)
        self._page: PageSnapshot | None = None
        self._gpu_use = GpuUse()
        self._gpu_time = 0, 0
        self._found = Found(STARTING)
        self._model: Group | None = None
        self._own: Group | None = None
        self._meters: dict[Of, UsageMeter] = {"model": UsageMeter(), "pilotfish": UsageMeter()}
        self._sampled_at: int | None = None
        self._search_at = 0
        self._named_at: int | None = None  # when the process of `--upstream-pid` was started
        self._problem = ""
        self._failed = False
        self._view = ResourceView(totals=totals.copy())

    @property
    def view(self) -> ResourceView:
        """What is shown at present."""
        return self._view

    async def run(self) -> None:
        """Sample until it is cancelled. The GPUs are sampled from the first moment with the source `local` on."""
        gpu: asyncio.Task[None] | None = None
        await asyncio.to_thread(self.begin)
        try:
            while True:
                try:
                    await self.step()
                except Exception:  # a defect here must not end the analyzer
                    if not self._failed:
                        _LOG.exception("cannot sample resources; this is a defect, please report it")
                    self._failed = True
                if gpu is None and self._gpu is not None and self._found.source.kind == "local":
                    gpu = asyncio.create_task(keep_running("sampling of GPUs", self._gpu.run))
                await asyncio.sleep(SECONDS)
        finally:
            if self._node is not None:
                await self._node.close()
            if gpu is not None:
                gpu.cancel()
                with suppress(asyncio.CancelledError):
                    await gpu

    def begin(self) -> None:
        """Begin the first window now: the first search can take seconds, in which exchanges end."""
        self._page, self._sampled_at = self._read_page(), self._clock()

    async def step(self) -> None:
        """Ask the node if there is one, and take one sample just after it, so that both are of one moment."""
        if self._node is not None:
            self._take(await self._node.ask())
        await asyncio.to_thread(self.sample)

    def _take(self, reading: NodeReading) -> None:
        """Take what is known of the node; the source is chosen again if the node begins or ceases to answer."""
        before, self._reading = self._reading, reading
        if reading.figures is None:  # what happens until the next figures belongs to no window
            self._pod = PodUsage()
        if before is None or (before.figures is None, before.reason) != (reading.figures is None, reading.reason):
            self._search_at = 0

    def sample(self) -> None:
        """Take one sample of everything, and show it. With the source `node`, a window ends with new figures."""
        now = self._clock()
        if now >= self._search_at:
            began = time.thread_time_ns()
            self._search()
            self._search_at = now + max(SEARCH_NS, SEARCH_SHARE * (time.thread_time_ns() - began))
        if self._found.source.kind != "node":
            sampled = self._sample_local()
        elif self._reading is not None and self._reading.figures is not None and self._reading.fresh:
            sampled = self._sample_pod(self._reading.figures)
        else:
            return
        page = self._read_page()
        before, self._page = self._page, page or self._page
        since, self._sampled_at = self._sampled_at, now
        growths = {of: meter.add(sampled.usage[of]) for of, meter in self._meters.items()}
        elapsed = now - since if since is not None else 0
        if elapsed > 0:
            measured, unused = _measured(growths["model"], sampled, elapsed)
            window = UsageWindow(
                elapsed_ns=elapsed,
                in_flight=in_flight_growth(before, page) if before and page else None,
                exchanges=exchange_growth(before, page) if before and page else {},
                measured=measured,
                unused=unused,
                usage={(of, name): amount for of, grown in growths.items() for name, amount in grown.items()},
                answered=answered_growth(before, page) if before and page else {},
                work=self._work.take(),
            )
            self._accounts.add(window, self._rules())
        self._show(sampled)

    def _search(self) -> None:
        """Find the source and the processes of both groups again."""
        processes = self._without_successor(list_processes())
        mounts = read_mounts()
        pilotfish = tree([self._options.root], processes)
        own = pilotfish | ancestors(self._options.root, processes)
        found = choose(self._options, processes, own, self._reading)
        if (found.source.kind, found.source.reason, found.source.pid) != (
            self._found.source.kind, self._found.source.reason, self._found.source.pid
        ):  # fmt: skip
            _LOG.info("resources: source %s: %s", found.source.kind, found.source.text)
        self._found = found
        model = tree(found.pids, processes)
        self._model = find_group(found.pids, processes, mounts, pilotfish - model)
        self._own = find_group([self._options.root], processes, mounts, model)

    def _without_successor(self, processes: dict[int, ProcessStat]) -> dict[int, ProcessStat]:
        """Leave out a later process that has the id of the one that `--upstream-pid` named."""
        named = processes.get(self._options.pid) if self._options.pid is not None else None
        if named is None:
            return processes
        if self._named_at is None:
            self._named_at = named.started
        return (
            processes
            if named.started == self._named_at
            else {pid: one for pid, one in processes.items() if pid != named.pid}
        )

    def _sample_local(self) -> _Sampled:
        now = self._clock()
        usage: dict[Of, UsageSample | None] = {
            "model": sample_group(self._model, now) if self._model is not None else None,
            "pilotfish": sample_group(self._own, now) if self._own is not None else None,
        }
        if self._model is not None and usage["model"] is None:  # it has ended; perhaps another one runs already
            self._search_at = 0
        pids = self._model.pids if self._model is not None else frozenset[int]()
        before, self._gpu_use = self._gpu_use, self._gpu.use if self._gpu is not None else GpuUse()
        if self._gpu is None or self._found.source.kind != "local":
            return _Sampled(usage=usage, pids=pids)
        sample = self._gpu.latest
        growth = local_gpu_use(before, self._gpu_use, sample, pids, self._options.gpus)
        return _Sampled(
            usage=usage,
            gpu=sample,
            gpu_use=self._gpu_use,
            gpu_growth=growth,
            gpu_restarts=self._gpu.restarts,
            pids=pids,
            notes=growth.notes,
        )

    def _sample_pod(self, figures: PodFigures) -> _Sampled:
        usage, growth = self._pod.add(figures, self._clock()), self._pod.gpu_growth(figures)
        gpu = figures.gpu
        return _Sampled(
            usage=usage,
            gpu=gpu.sample if gpu is not None else None,
            gpu_use=read_use(gpu) if gpu is not None else GpuUse(),
            gpu_growth=growth,
            gpu_restarts=gpu.restarts if gpu is not None else {},
            pids=frozenset(one.pid for one in gpu.processes) if gpu is not None else frozenset(),
            containers=figures.containers,
            notes=(*figures.problems, *growth.notes),
        )

    def _read_page(self) -> PageSnapshot | None:
        try:
            return self._page_reader.read()
        except PageError:  # the report has it as a blind spot
            return None

    def _show(self, sampled: _Sampled) -> None:
        problem = ""
        totals = self._accounts.totals.copy()
        try:
            store_totals(self._path, totals)
        except OSError as error:
            problem = f"the totals of resources cannot be stored and are not updated: {error.strerror}"
            totals = self._view.totals
        if problem and problem != self._problem:
            _LOG.warning("%s", problem)
        self._problem = problem
        self._view = ResourceView(
            source=self._found.source,
            totals=totals,
            model=sampled.usage["model"],
            model_cores=self._meters["model"].cores,
            own=sampled.usage["pilotfish"],
            own_cores=self._meters["pilotfish"].cores,
            gpu=sampled.gpu,
            gpu_use=sampled.gpu_use,
            gpu_restarts=sampled.gpu_restarts,
            gpu_time=self._grown_gpu_time(sampled.gpu_growth),
            containers=sampled.containers,
            pids=sampled.pids,
            page=self._page,
            notes=tuple(filter(None, (self._damage, problem, *sampled.notes))),
            completion_weights=self._accounts.completion_weights(self._rules()),
        )

    def _grown_gpu_time(self, growth: ModelGpuUse) -> tuple[int, int] | None:
        if growth.busy_ns is None or growth.card_ns is None:
            return None
        self._gpu_time = self._gpu_time[0] + growth.busy_ns, self._gpu_time[1] + growth.card_ns
        return self._gpu_time


def _measured(growth: dict[str, int], sampled: _Sampled, elapsed: int) -> tuple[dict[str, int], dict[str, int]]:
    """Return the use of the model server in a window by resource, and the part of it that nobody used."""
    measured, unused = dict[str, int](), dict[str, int]()
    model, gpus = sampled.usage["model"], sampled.gpu_growth
    if "cpu" in growth:
        measured[CPU] = growth["cpu"]
    if model is not None and model.memory is not None:
        measured[MEMORY] = model.memory * elapsed // 10**9
    if gpus.busy_ns is not None and gpus.card_ns is not None:
        measured[GPU], unused[GPU] = gpus.busy_ns, max(0, gpus.card_ns - gpus.busy_ns)
    if gpus.energy_uj is not None:
        measured[ENERGY] = gpus.energy_uj
    return measured, unused
