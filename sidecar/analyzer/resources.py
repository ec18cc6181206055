"""Joins the analyzer with the sampling of resources: the document's prices in, metrics and block of the report out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from prometheus_client.metrics_core import Metric as Family

from ..report.blocks.resources import ResourceReport
from ..report.schema import Report
from ..resources import collector, reporting
from ..resources.accounts import USAGE, CostRules
from ..resources.gpu import collector as gpu_collector
from ..resources.gpu.sampler import GpuSampler
from ..resources.watch import ResourceWatch
from ..resources.work import WorkMeter
from ..settings.document import ModelMonitor
from .node_client import NodeClient
from .options import Options


class AnalyzerResources:
    """What the analyzer shows of resources. Run `run` beside the worker."""

    def __init__(self, options: Options, document: Callable[[], ModelMonitor | None], work: WorkMeter) -> None:
        self._document = document
        self._gpu = GpuSampler()
        node = NodeClient(options.node) if options.node is not None else None
        self._watch = ResourceWatch(
            options.resources, options.shared, options.base_folder, self._rules, self._gpu, node, work
        )

    async def run(self) -> None:
        """Sample until it is cancelled."""
        await self._watch.run()

    def collectors(self) -> tuple[Callable[[], Iterator[Family]], ...]:
        """Return the collectors of this moment, for one scrape."""
        view = self._watch.view
        own = partial(collector.collect, view, self._rules().prices)
        if view.gpu is None:
            return (own,)
        return own, partial(gpu_collector.collect, view.gpu, view.gpu_use, view.gpu_restarts)

    def throttled(self) -> tuple[int, int] | None:
        """Return for how many nanoseconds the CPU limit has stopped the model so far, and when that was read.

        The time is monotonic, in nanoseconds. Return None if it is not known.
        """
        view = self._watch.view
        if view.model is None or view.model.throttled_ns is None:
            return None
        return view.totals.get(USAGE, "model", "throttled"), view.model.at_ns

    def gpu_time(self) -> tuple[int, int] | None:
        """Return for how many nanoseconds a kernel of the model ran on its GPUs so far, and the time of the GPUs.

        Return None if it is not known.
        """
        return self._watch.view.gpu_time

    def report(self, report: Report) -> ResourceReport:
        """Return the block of the report."""
        return reporting.resource_report(self._watch.view, report, self._rules().prices)

    def _rules(self) -> CostRules:
        document = self._document()
        if document is None:
            return CostRules()
        spec = document.spec
        return CostRules(model=spec.model, prices=spec.prices, attribution=spec.attribution)
