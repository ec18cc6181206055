"""The use of one container in the pods of a target: CPU, memory, and throttling where a sidecar sees it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from ...errors import number
from ...podspec.amounts import ContainerResources
from ..resize.usage import ContainerUsage
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
    missing = len(pods) - len(usages)
    problem = f"metrics.k8s.io has no current use of the container in {number(missing, 'pod')}" if missing else ""
    memory = {one.pod_uid: one.memory_bytes for one in usages if one.memory_bytes is not None}
    return UsageReading(tuple(usages), problem, memory)


def _in_force(item: Item, container: str, side: Literal["requests", "limits"]) -> float | None:
    """Return the CPU that the node enforces now, in cores; that of the spec if it reports none."""
    status = next((one for one in statuses_of(item) if one.get("name") == container), {})
    given = status.get("resources")
    found = ContainerResources.of(given) if isinstance(given, dict) else resources_of(item, container)
    amount = found.amount(side, "cpu")
    return float(amount) if amount is not None else None


def _throttled(load: Arrived | None, now: float) -> float | None:
    return load[1].throttled if load is not None and now - load[0] <= RECENT_SECONDS else None
