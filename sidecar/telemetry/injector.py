"""The metrics of the injector: reviews, injections, the age of what it knows, and its certificates."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from . import cluster_names, process
from .metric import Metric


@dataclass(frozen=True, slots=True, kw_only=True)
class InjectorReading:
    """The injector at the time of a scrape.

    Attributes:
        ready: whether it serves.
        reviews: reviews by outcome.
        injections: pods by mode and reason.
        sized: pods with recommended resources by outcome and reason.
        bounds: the upper bounds of the buckets, in seconds.
        times: reviews by bucket, with one more for longer times.
        seconds: the sum of their times.
        objects: mirrored objects by kind.
        ages: seconds since the API server sent something about a kind.
        repairs: writes over changes of others, by object.
        outdated: objects whose bundle is not the present one, by kind.
        certificates: when each certificate expires, in epoch seconds, by name.
        api_errors: failed requests to the API server by verb and reason.
    """

    ready: bool
    reviews: Mapping[str, int]
    injections: Mapping[tuple[str, str], int]
    bounds: Sequence[float]
    times: Sequence[int]
    seconds: float
    objects: Mapping[str, int] = field(default_factory=dict)
    ages: Mapping[str, float] = field(default_factory=dict)
    repairs: Mapping[str, int] = field(default_factory=dict)
    outdated: Mapping[str, int] = field(default_factory=dict)
    certificates: Mapping[str, float] = field(default_factory=dict)
    api_errors: Mapping[tuple[str, str], int] = field(default_factory=dict)
    sized: Mapping[tuple[str, str], int] = field(default_factory=dict)


@dataclass(frozen=True)
class InjectorCollector(Collector):
    """Reads the injector once per scrape."""

    read: Callable[[], InjectorReading]

    def collect(self) -> Iterable[Family]:
        """Yield every family that has samples."""
        families = (*process.own_process(), *_families(self.read()))
        return (family for family in families if family.samples)


def _families(reading: InjectorReading) -> Iterator[Family]:
    yield _gauge(cluster_names.INJECTOR_READY, {"": float(reading.ready)})
    yield _counter(cluster_names.REVIEW_OUTCOMES, reading.reviews)
    yield _counter(cluster_names.INJECTIONS, reading.injections)
    yield _counter(cluster_names.SIZED_PODS, reading.sized)
    times = cluster_names.REVIEW_SECONDS.histogram()
    counts = tuple(accumulate(reading.times))
    labels = [*(f"{bound:g}" for bound in reading.bounds), "+Inf"]
    times.add_metric((), list(zip(labels, counts, strict=True)), reading.seconds)
    yield times
    yield _gauge(cluster_names.MIRROR_OBJECTS, reading.objects)
    yield _gauge(cluster_names.MIRROR_AGE, reading.ages)
    yield _counter(cluster_names.BUNDLE_REPAIRS, reading.repairs)
    yield _gauge(cluster_names.BUNDLE_OUTDATED, reading.outdated)
    yield _gauge(cluster_names.CERTIFICATE_EXPIRY, reading.certificates)
    yield _counter(cluster_names.API_ERRORS, reading.api_errors)


def _gauge(metric: Metric, values: Mapping[str, float] | Mapping[str, int]) -> GaugeMetricFamily:
    family = metric.gauge()
    for label, value in values.items():
        family.add_metric((label,) if metric.labels else (), value)
    return family


def _counter(metric: Metric, values: Mapping[str, int] | Mapping[tuple[str, str], int]) -> CounterMetricFamily:
    family = metric.counter()
    for key, value in values.items():
        family.add_metric((key,) if isinstance(key, str) else key, value)
    return family
