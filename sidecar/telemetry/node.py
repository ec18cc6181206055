"""The metrics of `pilotfish node`: who asks, what the kubelet answers, and what is missing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from . import cluster_names, node_names, process


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeScrape:
    """The node's Pilotfish at the time of a scrape.

    Attributes:
        pods, callers, gpus: numbers.
        requests: by status and reason.
        kubelet: questions by method and outcome.
        devices: by resource and state.
        problems: reasons.
        certificates: when each certificate expires, in epoch seconds, by name.
    """

    pods: int
    callers: int
    gpus: int
    requests: Mapping[tuple[str, str], int]
    kubelet: Mapping[tuple[str, str], int]
    devices: Mapping[tuple[str, str], int]
    problems: tuple[str, ...] = ()
    certificates: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class NodeCollector(Collector):
    """Reads the node's Pilotfish once per scrape."""

    read: Callable[[], NodeScrape]

    def collect(self) -> Iterable[Family]:
        """Yield every family that has samples."""
        families = (*process.own_process(), *_families(self.read()))
        return (family for family in families if family.samples)


def _families(reading: NodeScrape) -> Iterator[Family]:
    numbers = ((node_names.PODS, reading.pods), (node_names.CALLERS, reading.callers), (node_names.GPUS, reading.gpus))
    for metric, value in numbers:
        number = metric.gauge()
        number.add_metric((), value)
        yield number
    devices = node_names.DEVICES.gauge()
    for labels, amount in sorted(reading.devices.items()):
        devices.add_metric(labels, amount)
    yield devices
    for metric, counts in ((node_names.REQUESTS, reading.requests), (node_names.KUBELET_REQUESTS, reading.kubelet)):
        counter = metric.counter()
        for labels, amount in sorted(counts.items()):
            counter.add_metric(labels, amount)
        yield counter
    problems = node_names.PROBLEM.gauge()
    for reason in sorted(set(reading.problems)):
        problems.add_metric((reason,), 1)
    yield problems
    expiry = cluster_names.CERTIFICATE_EXPIRY.gauge()
    for name, at in sorted(reading.certificates.items()):
        expiry.add_metric((name,), at)
    yield expiry
