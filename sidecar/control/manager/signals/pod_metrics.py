"""CPU and memory of pods by metrics.k8s.io, and their requests, as a HorizontalPodAutoscaler reads them.

    PodMetrics of the target --> usage of the chosen containers, and their requests --> recommender

Without `container`, all containers of a pod count but Pilotfish's: their use follows the traffic, not the model. With
it, one container counts, as in the metric type ContainerResource. A pod without a current value is missing; what a
missing pod means is decided by the recommender.

Source: k8s.io/kubernetes/pkg/controller/podautoscaler, metrics/client.go and replica_calculator.go.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ....errors import quote_value
from ....kube.client import Kube
from ....kube.errors import ForbiddenError, KubeError, NotFoundError
from ....kube.objects import POD_METRICS
from ....kube.read import select
from ....podspec.quantity import quantity
from ....settings.scaling import CpuSignal, MemorySignal, signal_id
from ....settings.units import read_duration
from ...scale.facts import Sample
from ..pods import INJECTED_SELECTOR, OWN_CONTAINERS, epoch_seconds, running_containers
from ..resizing_sources import PodMetricsReading
from ..scaling_sources import SOURCE_SECONDS, SignalReading, SignalRequest
from ..world import Item, PodSource

MAX_AGE = 120.0  # seconds; metrics-server measures every 15 to 60 s
WINDOW = 30.0  # seconds, where an object names none
FRESH_SECONDS = 10.0  # until a list is read again; less than the interval of scaling


@dataclass(frozen=True, slots=True)
class Wanted:
    """A resource, `cpu` or `memory`, of one container; of all containers but Pilotfish's if `container` is empty."""

    resource: str
    container: str = ""


@dataclass
class PodMetricsReader:
    """Reads the PodMetrics of the pods with a sidecar, once for all monitors of a namespace.

    `clock` returns epoch seconds. A list is used for FRESH_SECONDS, also one that could not be read.
    """

    kube: Kube
    clock: Callable[[], float]
    _known: dict[str, PodMetricsReading] = field(default_factory=dict)
    _locks: dict[str, asyncio.Lock] = field(default_factory=dict)

    async def read(self, namespace: str) -> PodMetricsReading:
        """Return the PodMetrics of a namespace, within SOURCE_SECONDS."""
        try:
            async with asyncio.timeout(SOURCE_SECONDS), self._locks.setdefault(namespace, asyncio.Lock()):
                known, now = self._known.get(namespace), self.clock()
                if known is None or not known.at <= now < known.at + FRESH_SECONDS:
                    known = self._known[namespace] = await self._list(namespace, now)
                return known
        except TimeoutError as error:
            return PodMetricsReading(at=self.clock(), problem=_problem(error))

    async def _list(self, namespace: str, now: float) -> PodMetricsReading:
        try:
            query = select(INJECTED_SELECTOR, "")
            found = await self.kube.request("GET", POD_METRICS.path(namespace), query=query)
        except KubeError as error:
            return PodMetricsReading(at=now, problem=_problem(error))
        return PodMetricsReading(found, now)


class PodMetricsSource:
    """Reads the signals of types `cpu` and `memory`. `pods` has the requests of the pods."""

    def __init__(self, reader: PodMetricsReader, pods: PodSource) -> None:
        self._reader = reader
        self._pods = pods

    async def read(self, wanted: SignalRequest) -> SignalReading:
        """Return the use and the requests of each pod, within SOURCE_SECONDS."""
        scaling = wanted.document.spec.scaling
        signals = {
            signal_id(signal): Wanted(type_, signal.container or "")
            for signal in (scaling.signals if scaling else ())
            for kind, type_ in ((CpuSignal, "cpu"), (MemorySignal, "memory"))
            if isinstance(signal, kind)
        }
        if not signals:
            return SignalReading()
        namespace = wanted.key.namespace
        reading = await self._reader.read(namespace)
        if reading.problem:
            return SignalReading(problems=dict.fromkeys(signals, reading.problem))
        pods = [item for item in self._pods.pods_in(namespace) if item["metadata"]["name"] in wanted.pods]
        used = {name: usage(reading.found, pods, one, wanted.now) for name, one in signals.items()}
        return SignalReading(
            by_pod={name: one.values for name, one in used.items()},
            requests={name: one.requests for name, one in used.items()},
            problems={name: one.problem for name, one in used.items() if one.problem},
        )


@dataclass(frozen=True, slots=True)
class Usage:
    """The use of one resource by pod name and the requests of the pods, in cores or bytes.

    `problem` is why values are missing; empty if none is.
    """

    values: Mapping[str, Sample] = field(default_factory=dict)
    requests: Mapping[str, float] = field(default_factory=dict)
    problem: str = ""


def usage(metrics: object, pods: Iterable[Item], wanted: Wanted, now: float) -> Usage:
    """Return the use of `wanted` by `pods`. `metrics` is a PodMetricsList as JSON, from an API server of somebody else.

    A request that a pod lacks makes all values unusable, as for a HorizontalPodAutoscaler: the share of the other pods
    would stand for a target that they do not represent.
    """
    by_name = {
        str(_mapping(item.get("metadata")).get("name")): item for item in _mappings(_mapping(metrics).get("items"))
    }
    values: dict[str, Sample] = {}
    asked: dict[str, float] = {}
    for pod in pods:
        name = pod["metadata"]["name"]
        requests = requests_of(pod, wanted)
        if isinstance(requests, str):
            return Usage(problem=requests)
        asked[name] = sum(requests.values())
        sample = _sample(by_name.get(name), requests.keys(), wanted.resource, now)
        if sample is not None:
            values[name] = sample
    missing = len(asked) - len(values)
    if not missing:
        return Usage(values, asked)
    text = f"metrics.k8s.io has no current {wanted.resource} of {missing} of {len(asked)} pods"
    return Usage(values, asked, f"{text}; wait while they start, else check metrics-server")


def requests_of(pod: Item, wanted: Wanted) -> dict[str, float] | str:
    """Return the request of each chosen container of `pod`, or why one is missing, and what to do."""
    found: dict[str, float] = {}
    for container in running_containers(pod):
        name = container["name"]
        if name != wanted.container if wanted.container else name in OWN_CONTAINERS:
            continue
        text = ((container.get("resources") or {}).get("requests") or {}).get(wanted.resource)
        request = quantity(text)
        if not request or request < 0:
            return (
                f"container {quote_value(name)} has no {wanted.resource} request; set it, or name another container "
                "by `container` of the signal"
            )
        found[name] = float(request)
    return found or f"the pods have no container {quote_value(wanted.container)}; correct `container` of the signal"


def container_usage(metrics: object, container: str, now: float) -> dict[str, dict[str, Sample]]:
    """Return the use of one container by pod name and resource. `metrics` is as for `usage`; a missing value is absent.

    CPU is in cores and memory in bytes.
    """
    found: dict[str, dict[str, Sample]] = {}
    for item in _mappings(_mapping(metrics).get("items")):
        samples = {resource: _sample(item, [container], resource, now) for resource in ("cpu", "memory")}
        known = {resource: sample for resource, sample in samples.items() if sample is not None}
        if known:
            found[str(_mapping(item.get("metadata")).get("name"))] = known
    return found


def _sample(item: Item | None, containers: Iterable[str], resource: str, now: float) -> Sample | None:
    """Return the sum over `containers`; None if one is missing, or if the measurement is not current."""
    if item is None:
        return None
    at, window = _time(item.get("timestamp")), read_duration(item.get("window"))
    if abs(now - at) > MAX_AGE:
        return None
    containers_measured = _mappings(item.get("containers"))
    found = {str(one.get("name")): quantity(_mapping(one.get("usage")).get(resource)) for one in containers_measured}
    chosen = [found.get(name) for name in containers]
    present = [float(value) for value in chosen if value is not None and value >= 0]
    return Sample(sum(present), at, WINDOW if window is None else window) if len(present) == len(chosen) else None


def _time(value: object) -> float:
    """Return a time in epoch seconds; 0 for a value that is none."""
    try:
        return epoch_seconds(value) if isinstance(value, str) else 0.0
    except (OSError, OverflowError):
        return 0.0


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _mappings(value: object) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _problem(error: KubeError | TimeoutError) -> str:
    if isinstance(error, TimeoutError):
        return f"metrics.k8s.io did not answer within {SOURCE_SECONDS:g} s; check metrics-server"
    if isinstance(error, NotFoundError):
        return "the cluster does not serve metrics.k8s.io; install metrics-server"
    if isinstance(error, ForbiddenError):
        return "the controller may not list pods of metrics.k8s.io; grant it by a Role"
    return f"metrics.k8s.io cannot be read: {error}"
