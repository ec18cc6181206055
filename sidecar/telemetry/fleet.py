"""The metrics of the controller: the report of each monitor, its pods and checkpoint, and what the server was asked.

Where a metric means the same as in a sidecar, it is the same metric, from the same collector, with the labels
`namespace`, `monitor` and, for results of detection, `version` in addition. Only names of existing ModelMonitors and
values of tables become labels, so their number is bounded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from ..report.control_status import ControlStatus
from ..report.schema import BLIND_REASONS, FLEET_BLIND_REASONS, Report
from . import cluster_names, control, detection, labels, names, process, scaling_names
from .metric import Metric
from .resizing import ResourcesReading, resource_families
from .scrape import ScrapeInput

MAX_RELEASES = 10
_SHARED_REASONS = ("idle", "no_profile")  # of sidecars that a fleet has, too


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicasReading:
    """The replicas of a monitor's target at the time of a scrape; None for what is not known.

    `held` is why they are not changed to `desired`, empty if they are. `ratios` has each signal's value relative to its
    target. `scaled_at` is when they were changed last, in epoch seconds.
    """

    current: int | None = None
    desired: int | None = None
    held: str = ""
    ratios: Mapping[str, float] = field(default_factory=dict)
    scaled_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorReading:
    """One monitor at the time of a scrape.

    Attributes:
        reports: the report of each model version for which a detector runs; `Report.version` tells them apart.
        control: the status of the monitor's control loop; None without a loop.
        pods_expected: pods that should report.
        pods_heard: those of them that reported lately.
        holding: the reason why ticks wait now; empty if none waits.
        dropped_ticks: ticks that were closed without their rows.
        refused_reports: reports that were not counted, by reason.
        checkpoint_bytes: size of the last checkpoint; None before the first one.
        blind: reasons of the present blind spots of the fleet.
        features: the features that are exported: all, drifted or none (`spec.metrics.features`).
        details: those of them that also have intervals and a distribution (`spec.metrics.details`).
        replicas: those of the target; None without a block `spec.scaling`.
        resources: those of the target's container; None without a block `spec.resources`.
    """

    namespace: str
    monitor: str
    reports: tuple[Report, ...] = ()
    control: ControlStatus | None = None
    pods_expected: int = 0
    pods_heard: int = 0
    holding: str = ""
    dropped_ticks: int = 0
    refused_reports: Mapping[str, int] = field(default_factory=dict)
    checkpoint_bytes: int | None = None
    blind: frozenset[str] = frozenset()
    features: str = "all"
    details: str = "drifted"
    replicas: ReplicasReading | None = None
    resources: ResourcesReading | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ControllerReading:
    """The controller at the time of a scrape.

    Attributes:
        now: epoch seconds.
        leading: whether this process is the leader.
        contact_age: seconds since the API server was last heard; None if never.
        api_errors: failed requests to the API server by verb and reason.
        release: of the controller.
        sidecars: pods with a sidecar, by its release.
        monitors: the monitors of which this process is the leader and has loaded the state; none in a standby. Without
            its state, a counter would be 0 in one scrape and continue in the next.
    """

    now: float
    leading: bool
    contact_age: float | None = None
    api_errors: Mapping[tuple[str, str], int] = field(default_factory=dict)
    release: str = ""
    sidecars: Mapping[str, int] = field(default_factory=dict)
    monitors: tuple[MonitorReading, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerReading:
    """The HTTP server of the controller at the time of a scrape.

    Attributes:
        requests: requests by namespace, monitor, path, outcome and reason. Namespace and monitor are empty when the
            caller or the monitor is not known.
        labels: labels by namespace, monitor and outcome.
        reviews: TokenReviews and SubjectAccessReviews by kind and outcome.
        cached: entries of the cache of both, by kind.
        connections: open connections.
        certificates: when each certificate expires, in epoch seconds, by name.
    """

    requests: Mapping[tuple[str, str, str, str, str], int] = field(default_factory=dict)
    labels: Mapping[tuple[str, str, str], int] = field(default_factory=dict)
    reviews: Mapping[tuple[str, str], int] = field(default_factory=dict)
    cached: Mapping[str, int] = field(default_factory=dict)
    connections: int = 0
    certificates: Mapping[str, float] = field(default_factory=dict)


def collect(reading: ControllerReading, server: ServerReading) -> Iterator[Family]:
    """Yield every family that has samples, each once, with the samples of all monitors."""
    merged: dict[str, Family] = {}
    for family in (*process.own_process(), *_controller(reading), *_server(server)):
        _merge(merged, family, {})
    for monitor in reading.monitors:
        identity = {"namespace": monitor.namespace, "monitor": monitor.monitor}
        for family in (*_fleet(monitor), *_replicas(monitor), *_resources(monitor)):
            _merge(merged, family, {})
        for report in monitor.reports:
            given = ScrapeInput(
                report=report,
                page=None,
                control=None,
                now=reading.now,
                features=monitor.features,
                details=monitor.details,
            )
            warnings = _gauge(names.WARNINGS, [((), float(len(report.warnings)))])
            for family in (*detection.collect(given), *labels.performance(report), warnings):
                _merge(merged, family, {**identity, "version": report.version})
        _merge(merged, _blind(monitor.blind), identity)
        if monitor.control is not None:
            for family in control.families(monitor.control):
                _merge(merged, family, identity)
    yield from (family for family in merged.values() if family.samples)


def _merge(merged: dict[str, Family], family: Family, identity: Mapping[str, str]) -> None:
    """Add the samples of `family` with the labels `identity`; a label that a sample has already stays."""
    target = merged.setdefault(family.name, family)
    samples = [sample._replace(labels={**identity, **sample.labels}) for sample in family.samples]
    if target is family:
        target.samples[:] = samples
    else:
        target.samples.extend(samples)


def _controller(reading: ControllerReading) -> Iterator[Family]:
    yield _gauge(cluster_names.LEADER, [((), float(reading.leading))])
    if reading.contact_age is not None:
        yield _gauge(cluster_names.API_CONTACT_AGE, [((), reading.contact_age)])
    yield _counter(cluster_names.API_ERRORS, reading.api_errors.items())
    yield from _sidecars(reading)


def _sidecars(reading: ControllerReading) -> Iterator[Family]:
    """Yield the sidecars by release. Labels of pods can hold anything, so only the most frequent releases are shown."""
    ordered = sorted(reading.sidecars.items(), key=lambda item: (-item[1], item[0]))
    shown, others = ordered[:MAX_RELEASES], sum(amount for _, amount in ordered[MAX_RELEASES:])
    values = [((release,), float(amount)) for release, amount in shown]
    yield _gauge(cluster_names.SIDECARS, [*values, *([(("other",), float(others))] if others else [])])
    outdated = sum(amount for release, amount in ordered if release not in ("", reading.release))
    if reading.leading:
        yield _gauge(cluster_names.SIDECARS_OUTDATED, [((), float(outdated))])


def _server(server: ServerReading) -> Iterator[Family]:
    yield _counter(cluster_names.CONTROL_REQUESTS, server.requests.items())
    yield _counter(cluster_names.CONTROL_LABELS, server.labels.items())
    yield _counter(cluster_names.REVIEWS, server.reviews.items())
    yield _gauge(cluster_names.REVIEWS_CACHED, (((kind,), float(amount)) for kind, amount in server.cached.items()))
    yield _gauge(cluster_names.CONTROL_CONNECTIONS, [((), float(server.connections))])
    yield _gauge(cluster_names.CERTIFICATE_EXPIRY, (((name,), at) for name, at in server.certificates.items()))


def _fleet(monitor: MonitorReading) -> Iterator[Family]:
    key = (monitor.namespace, monitor.monitor)
    pods = [((*key, "expected"), monitor.pods_expected), ((*key, "heard"), monitor.pods_heard)]
    yield _gauge(cluster_names.PODS, pods)
    yield _gauge(cluster_names.HOLDING, [((*key, monitor.holding), 1.0)] if monitor.holding else ())
    yield _counter(cluster_names.DROPPED_TICKS, [(key, monitor.dropped_ticks)])
    refused = (((*key, reason), amount) for reason, amount in monitor.refused_reports.items())
    yield _counter(cluster_names.REFUSED_REPORTS, refused)
    if monitor.checkpoint_bytes is not None:
        yield _gauge(cluster_names.CHECKPOINT_BYTES, [(key, float(monitor.checkpoint_bytes))])


def _replicas(monitor: MonitorReading) -> Iterator[Family]:
    key, found = (monitor.namespace, monitor.monitor), monitor.replicas
    if found is None:
        return
    for metric, value in (
        (scaling_names.REPLICAS, found.current),
        (scaling_names.DESIRED_REPLICAS, found.desired),
        (scaling_names.LAST_SCALED, found.scaled_at),
    ):
        yield _gauge(metric, [(key, float(value))] if value is not None else ())
    yield _gauge(scaling_names.SIGNAL_RATIO, (((*key, signal), ratio) for signal, ratio in found.ratios.items()))
    yield _gauge(scaling_names.SCALING_HELD, [((*key, found.held), 1.0)] if found.held else ())


def _resources(monitor: MonitorReading) -> Iterator[Family]:
    if monitor.resources is not None:
        yield from resource_families(monitor.namespace, monitor.monitor, monitor.resources)


def _blind(present: frozenset[str]) -> Family:
    """Return one sample per reason that a fleet can have, so that an alert resolves."""
    reasons = sorted({*FLEET_BLIND_REASONS, *_SHARED_REASONS, *(present & BLIND_REASONS.keys())})
    return _gauge(names.BLIND, [((reason,), float(reason in present)) for reason in reasons])


def _gauge(metric: Metric, values: Iterable[tuple[tuple[str, ...], float]]) -> Family:
    family = metric.gauge()
    for key, value in values:
        family.add_metric(key, value)
    return family


def _counter(metric: Metric, values: Iterable[tuple[tuple[str, ...], int]]) -> Family:
    family = metric.counter()
    for key, value in values:
        family.add_metric(key, value)
    return family


@dataclass(frozen=True)
class FleetCollector(Collector):
    """Reads controller and server once per scrape."""

    controller: Callable[[], ControllerReading]
    server: Callable[[], ServerReading]

    def collect(self) -> Iterable[Family]:
        """Yield every family that has samples."""
        return collect(self.controller(), self.server())
