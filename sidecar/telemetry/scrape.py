"""The input of one scrape: all sources, read once, before the collectors run."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from prometheus_client.metrics_core import Metric as Family

from ..channel.page import PageSnapshot
from ..report.blocks.resources import ResourceReport
from ..report.control_status import ControlStatus
from ..report.schema import BlindSpot, Report
from ..report.sync_status import SyncStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class ScrapeInput:
    """The sources of one scrape.

    Attributes:
        report: the current report.
        page: the counter page; None without a proxy. Read it after `report`, otherwise the accounting does not add up.
        control: the status of the control loop; None without a loop.
        sync: the state of the sync with the controller; None without one.
        now: epoch seconds.
        memory_limit: limit of this process in bytes; 0 without a limit.
        blind: the present blind spots.
        features: the features that are exported: all, drifted or none (`spec.metrics.features`).
        details: those of them that also have intervals and a distribution (`spec.metrics.details`).
        extra: collectors of layers above this one, such as those of GPUs; each is called once.
        resources: what model server and Pilotfish use; None where that is not sampled.
        ready: the same as `ready` of `GET /readyz`.
    """

    report: Report
    page: PageSnapshot | None
    control: ControlStatus | None
    now: float
    memory_limit: int = 0
    blind: tuple[BlindSpot, ...] = ()
    ready: bool = True
    sync: SyncStatus | None = None
    features: str = "all"
    details: str = "drifted"
    extra: tuple[Callable[[], Iterable[Family]], ...] = ()
    resources: ResourceReport | None = None
