"""A recommendation joined with its container: the resources then, the cost, and why it is not so yet. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from ..podspec.amounts import KINDS, ContainerResources
from .recommended import ContainerRecommendation
from .workload import Container, Json, MeasuredWorkload

HOURS = 720  # 30 days, for the costs
GIB = 2**30
APPLIED = frozenset(("ResizeInProgress", "Resizing", "WithinBounds"))  # reasons of the controller that ask for nothing


@dataclass(frozen=True, slots=True)
class Advice:
    """What is advised for one container; `recommended` is None if nothing is known of its use.

    Attributes:
        now: requests and limits of most pods.
        proposed: requests and limits that fit the recommendation and the rules of cluster and namespace.
        notes: what differs from the recommendation, and why.
        unapplied: why Pilotfish does not apply it; empty if it does.
    """

    workload: MeasuredWorkload
    container: Container
    now: ContainerResources
    proposed: ContainerResources
    recommended: ContainerRecommendation | None = None
    notes: Sequence[str] = ()
    unapplied: str = ""

    @property
    def is_changed(self) -> bool:
        """Whether the proposed resources differ from those now."""
        return self.proposed != self.now

    @property
    def cost(self) -> float | None:
        """The change of the cost of all pods in 30 days, by `spec.prices`; None without prices or a change."""
        prices = self.workload.prices
        hourly = {"cpu": prices.cpu_hour, "memory": prices.memory_gib_hour / GIB}
        if not self.is_changed or not any(hourly.values()):
            return None
        change = sum(
            float(self._request(self.proposed, kind) - self._request(self.now, kind)) * hourly[kind] for kind in KINDS
        )
        return change * HOURS * len(self.workload.pods)

    @staticmethod
    def _request(resources: ContainerResources, kind: str) -> Fraction:
        """Return a request; a missing one equals the limit, as in the API server."""
        return resources.requests.get(kind, resources.limits.get(kind, Fraction(0)))


def unapplied(workload: MeasuredWorkload, container: Container, recommended: ContainerRecommendation | None) -> str:
    """Return why Pilotfish does not apply a recommendation: the first reason that holds; empty if it does."""
    settings = workload.resources
    if container.is_own:
        return "the chart sets the resources of Pilotfish's sidecars: values sidecar.proxy and sidecar.analyzer"
    if workload.monitor is None:
        return "no ModelMonitor names this workload"
    if settings is None or settings.container != container.name:
        return "spec.resources of the ModelMonitor does not name this container"
    mode = settings.mode or workload.monitor.spec.mode
    if mode != "act":
        return f"the mode of spec.resources is {mode}; in the mode act, Pilotfish applies it"
    if recommended is not None and recommended.source != "status":
        return ""
    return ": ".join(filter(None, _told(workload.status.get(container.name, {}))))


def _told(entry: Json) -> Iterator[str]:
    """Yield reason and message of an entry of `status.resources`, unless it says that all is well."""
    for name in ("reason", "message"):
        value = entry.get(name)
        if isinstance(value, str) and entry.get("reason") not in APPLIED:
            yield value
