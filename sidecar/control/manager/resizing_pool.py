"""What a monitor publishes to its pool of CPU: all pods of its target, their load, how many may still come. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from statistics import fmean

from ...podspec.amounts import ContainerResources
from ...settings.document import ModelMonitor
from ...settings.resources import Resources
from ..resize.plan import ResourceName
from ..resize.pool.member import PoolLoad, PoolMember, PoolPod
from ..resize.recommender import ResourceRecommendation
from ..resize.refusals import Shown
from ..scale.target import TargetFacts
from .resizing_pods import pod_key, resources_of, statuses_of
from .resizing_usage import RECENT_SECONDS, UsageReading
from .scaling_pods import QUANTILES
from .selectors import Selector
from .signal_book import Arrived
from .world import Item

ENDED = frozenset(("Failed", "Succeeded"))
ENOUGH = 0.5  # of the pods, whose use must be known


def pool_member(
    monitor: ModelMonitor,
    items: Iterable[Item],
    selector: Selector,
    target: TargetFacts,
    waiting: Mapping[str, Shown],
    load: PoolLoad | None,
    *,
    acts: bool,
) -> PoolMember | None:
    """Return the member of `monitor`; None if its document names no bounds of the CPU.

    `items` are all pods of the namespace. One that is pending or ends counts, because its CPU is reserved. `waiting`
    has the resources of the changes that are decided and not made yet, by key.
    """
    settings = monitor.spec.resources
    if settings is None or settings.cpu is None:
        return None
    pods = _pods(items, selector, settings.container, waiting)
    scaling = monitor.spec.scaling
    replicas = max(target.spec_replicas, target.most_replicas, scaling.max_replicas if scaling is not None else 0)
    return PoolMember(
        pods=pods,
        minimum=settings.cpu.min,
        maximum=settings.cpu.max,
        load=load,
        acts=acts,
        may_come=max(0, replicas + target.surge - len(pods)),
        latency_target=settings.latency.target if settings.latency is not None else None,
    )


def unchanged_member(items: Iterable[Item], selector: Selector | None, container: str, replicas: int = 0) -> PoolMember:
    """Return the member of a monitor without a valid document or a target: its pods, which nobody changes.

    Without a `selector`, it has none.
    """
    pods = _pods(items, selector, container, {}) if selector is not None else ()
    cores = max((pod.requested for pod in pods), default=0.0)
    missing = max(0, replicas - len(pods))
    return PoolMember(pods=pods, minimum=cores, maximum=cores, acts=False, may_come=missing)


def pool_load(usage: UsageReading, pods: int, loads: Iterable[Arrived], now: float) -> PoolLoad | None:
    """Return the load of all running `pods` of a target together; None while the use of too few is known.

    `loads` are the newest ones of their sidecars; old ones say nothing about now. Each sum is scaled to the pods of
    which it is not known. Requests are unknown if those of too few pods are known.
    """
    known = [one.cpu_cores for one in usage.usages if one.cpu_cores is not None]
    if not known or len(known) < ENOUGH * pods:
        return None
    found = [load for at, load in loads if abs(now - at) <= RECENT_SECONDS]
    whole = pods / len(found) if found and len(found) >= ENOUGH * pods else None
    limits = [one.cpu_limit for one in usage.usages if one.cpu_cores is not None and one.cpu_limit is not None]
    return PoolLoad(
        cpu=sum(known) * pods / len(known),
        rate=whole * sum(load.requests_per_second for load in found) if whole is not None else None,
        in_flight=whole * sum(float(load.in_flight) if load.concurrency is None else load.concurrency for load in found)
        if whole is not None
        else None,
        limit=sum(limits) * pods / len(known) if len(limits) == len(known) else None,
        at=now,
    )


def with_share(found: ResourceRecommendation, cores: float) -> ResourceRecommendation:
    """Return the recommendation with the share of a pool as the CPU, which leaves no room for another amount."""
    cpu: dict[ResourceName, float] = {"cpu": cores}
    return replace(found, target={**found.target, **cpu}, lower={**found.lower, **cpu}, upper={**found.upper, **cpu})


def latency_of(settings: Resources, loads: Iterable[Sequence[Arrived]]) -> float | None:
    """Return the mean of the latency quantile over the recent loads of all pods in seconds, weighted by their requests.

    None without a latency target in the document, and without a completed request.
    """
    if settings.latency is None:
        return None
    found = [load for own in loads for _, load in own if load.requests_per_second > 0]
    name = QUANTILES[settings.latency.quantile]
    return (
        fmean([getattr(load, name) for load in found], [load.requests_per_second for load in found]) if found else None
    )


def _pods(
    items: Iterable[Item], selector: Selector, container: str, waiting: Mapping[str, Shown]
) -> tuple[PoolPod, ...]:
    return tuple(
        _pod(item, container, waiting)
        for item in items
        if (item.get("status") or {}).get("phase") not in ENDED
        and selector.matches(item["metadata"].get("labels") or {})
    )


def _pod(item: Item, name: str, waiting: Mapping[str, Shown]) -> PoolPod:
    metadata = item["metadata"]
    status = next((one for one in statuses_of(item) if one.get("name") == name), {})
    given = (
        ContainerResources.of({"requests": status.get("allocatedResources")}),
        ContainerResources.of(status.get("resources")),
    )
    held = [amount for one in given if (amount := one.requests.get("cpu")) is not None]
    pending = ContainerResources.of(waiting.get(pod_key(metadata["namespace"], item, name)))
    return PoolPod(
        uid=metadata["uid"],
        requested=float(resources_of(item, name).amount("requests", "cpu") or 0),
        allocated=float(max(held)) if held else None,
        pending=float(pending.requests.get("cpu", 0)),
    )
