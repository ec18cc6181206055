"""The use of one container in the pods of a target: CPU, memory, and throttling where a sidecar sees it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from ...errors import number
from ...podspec.amounts import ContainerResources
from ...settings.resources import Resources
from ..reasons import Reason
from ..resize.plan import ResourceName
from ..resize.recommender import DAY, ResourceRecommendation
from ..resize.usage import ContainerUsage
from ..workload.hold import Hold
from .resizing_pods import resources_of, statuses_of
from .resizing_sources import PodMetricsReading
from .signal_book import Arrived
from .signals.pod_metrics import container_usage
from .world import Item

RECENT_SECONDS = 60.0  # older loads of a sidecar say nothing about throttling now


@dataclass(frozen=True, slots=True)
class UsageReading:
    """The newest use of a container by pod; `problem` is why it is missing of pods, empty if it is not."""

    usages: tuple[ContainerUsage, ...] = ()
    problem: str = ""
    memory: Mapping[str, float] = field(default_factory=dict)  # bytes by the UID of the pod


NO_USAGE = UsageReading()


def read_usage(
    pods: Iterable[Item], container: str, metrics: PodMetricsReading, loads: Mapping[str, Arrived], now: float
) -> UsageReading:
    """Return the use of `container` in `pods` at `now`, in epoch seconds. `loads` has those of the sidecars by UID."""
    if metrics.problem:
        return UsageReading(problem=metrics.problem)
    pods, found = tuple(pods), container_usage(metrics.found, container, now)
    usages = []
    for item in pods:
        samples, uid = found.get(item["metadata"]["name"]), item["metadata"]["uid"]
        if samples is None:
            continue
        values = {kind: sample.value for kind, sample in samples.items()}
        usages.append(
            ContainerUsage(
                pod_uid=uid,
                container=container,
                cpu_cores=values.get("cpu"),
                memory_bytes=values.get("memory"),
                throttled_ratio=_throttled(loads.get(uid), now),
                cpu_request=_in_force(item, container, "requests"),
                cpu_limit=_in_force(item, container, "limits"),
                at=max(sample.at for sample in samples.values()),
            )
        )
    memory = {one.pod_uid: one.memory_bytes for one in usages if one.memory_bytes is not None}
    missing = {
        "use": len(pods) - len(usages),
        "cpu": sum(one.cpu_cores is None for one in usages),
        "memory": len(usages) - len(memory),
    }
    problem = "; ".join(
        f"metrics.k8s.io has no current {what} of the container in {number(amount, 'pod')}"
        for what, amount in missing.items()
        if amount
    )
    return UsageReading(tuple(usages), problem, memory)


def unknown_resources(
    settings: Resources, usage: UsageReading, recommendation: ResourceRecommendation, *, pooled: bool
) -> Iterator[tuple[ResourceName, Hold]]:
    """Yield the resources of the document of which too little is known while the other one may follow its use.

    A pool decides by itself how long it knows the load. Memory that a kill asked for needs no measurement, but does not
    let the CPU follow a use that was observed for less than `minHistory`.
    """
    killed = recommendation.reason is Reason.OOM_KILLED
    if settings.cpu is not None and not pooled:
        if usage.usages and all(one.cpu_cores is None for one in usage.usages):
            yield "cpu", _missing(usage)
        elif killed and recommendation.confidence_days * DAY < settings.min_history:
            yield "cpu", Hold(Reason.LOW_CONFIDENCE, "the use of CPU was observed for less than minHistory")
    if settings.memory is not None and usage.usages and not usage.memory and not killed:
        yield "memory", _missing(usage)


def _missing(usage: UsageReading) -> Hold:
    return Hold(Reason.USAGE_MISSING, f"{usage.problem}; {Reason.USAGE_MISSING.remedy}")


def _in_force(item: Item, container: str, side: Literal["requests", "limits"]) -> float | None:
    """Return the CPU that the node enforces now, in cores; that of the spec if it reports none."""
    status = next((one for one in statuses_of(item) if one.get("name") == container), {})
    given = status.get("resources")
    found = ContainerResources.of(given) if isinstance(given, dict) else resources_of(item, container)
    amount = found.amount(side, "cpu")
    return float(amount) if amount is not None else None


def _throttled(load: Arrived | None, now: float) -> float | None:
    return load[1].throttled if load is not None and now - load[0] <= RECENT_SECONDS else None
