"""Reads the metrics that the table shows from the text of a sidecar or of the controller. Pure.

The text may come from any server that answers at the address. A line that no metric of this table begins is skipped
before it is parsed, because the metrics of features can be thousands of lines.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple

from prometheus_client.parser import text_string_to_metric_families

from ..errors import PilotfishError, escape_unprintable
from ..telemetry import cluster_names, names, resource_names

Buckets = Mapping[float, float]  # upper bound in seconds -> requests up to it

PROBES = "probes"  # the route of health checks
FAILED = frozenset({"5xx", "none"})
USES: Mapping[str, str] = {
    "cpu": "pilotfish_cpu_seconds_total",
    "gpu": "pilotfish_gpu_seconds_total",
    "cost": "pilotfish_cost_total",
}
_USE_OF = {name: key for key, name in USES.items()}
# tokens of prompt and completion in responses that were read; exchanges of language models, those of them whose tokens
# are counted, and their cost
TOKEN_USES = ("tokens", "language", "counted", "token_cost")
ALL_USES = (*USES, *TOKEN_USES)
_DURATION = f"{names.DURATION.name}_bucket"
_WANTED = tuple(
    sorted(
        {
            cluster_names.SYNC_INFO.name,
            names.BLIND.name,
            names.DURATION.name,
            names.EVIDENCE.name,
            names.EPISODES_OPEN.name,
            names.MODEL_INFO.name,
            names.PROXY_START.name,
            names.PROXY_UP.name,
            names.REQUESTS.name,
            resource_names.TOKENS.name,
            resource_names.TOKEN_EXCHANGES.name,
            *USES.values(),
        }
    )
)


_WANTED_BYTES = tuple(name.encode() for name in _WANTED)


class ExpositionError(PilotfishError):
    """The text is not that of metrics."""


@dataclass(frozen=True, slots=True)
class RouteCounts:
    """Counters of one route. `uses` has the seconds, costs and tokens that are known, by `ALL_USES`."""

    requests: float = 0.0
    failed: float = 0.0
    buckets: Buckets = field(default_factory=dict)
    uses: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SidecarMetrics:
    """What one sidecar exports at one moment.

    Attributes:
        started: start of the proxy in epoch seconds; None without a counter page.
        up: whether the proxy's heartbeat is recent; the counters stand still otherwise.
        monitor: the ModelMonitor that the sidecar follows; empty without one.
        evidence: the largest evidence ratio of drift; None where no profile is in force.
        blind: reasons for which traffic is not measured.
    """

    model: str = ""
    version: str = ""
    monitor: str = ""
    started: float | None = None
    up: bool = False
    routes: Mapping[str, RouteCounts] = field(default_factory=dict)
    evidence: float | None = None
    episodes: int = 0
    blind: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MonitorDrift:
    """The largest evidence ratio and the open episodes of one version of a monitored model."""

    evidence: float | None = None
    episodes: int = 0


class Value(NamedTuple):
    """One sample: name, labels and value."""

    name: str
    labels: Mapping[str, str]
    value: float


def is_wanted(line: bytes) -> bool:
    """Return whether a line is of a metric of the table."""
    return line.startswith(_WANTED_BYTES)


def parse(text: str) -> list[Value]:
    """Return the samples of the table's metrics, with printable labels; raise ExpositionError for damaged text."""
    lines = [line for line in text.split("\n") if line.startswith(_WANTED)]
    try:
        return [
            Value(sample.name, {key: escape_unprintable(label) for key, label in sample.labels.items()}, sample.value)
            for family in text_string_to_metric_families("\n".join(lines))
            for sample in family.samples
        ]
    except ValueError as error:
        raise ExpositionError("the metrics cannot be read; check what answers there") from error


def sidecar_metrics(values: Iterable[Value]) -> SidecarMetrics:
    """Return what a sidecar exports, without health checks; raise ExpositionError if no sidecar answered."""
    plain: dict[str, float] = {}
    info: dict[str, str] = {}
    counts: dict[str, _Counting] = defaultdict(_Counting)
    evidence: list[float] = []
    episodes, blind = 0, []
    for name, labels, value in values:
        route = labels.get("route", "")
        if name in (names.MODEL_INFO.name, cluster_names.SYNC_INFO.name):
            info |= labels
        elif name == names.EVIDENCE.name:
            evidence.append(value)
        elif name == names.EPISODES_OPEN.name:
            episodes += int(value)
        elif name == names.BLIND.name:
            blind += [labels.get("reason", "")] if value > 0 else []
        elif name in (names.PROXY_START.name, names.PROXY_UP.name):
            plain[name] = value
        elif route not in ("", PROBES):
            counts[route].add(name, labels, value)
    if names.PROXY_UP.name not in plain:
        raise ExpositionError("these are not the metrics of a sidecar; give the --admin address of one")
    for found in counts.values():
        if "language" in found.uses and "cost" in found.uses:
            found.uses["token_cost"] = found.uses["cost"]
    known = {use for found in counts.values() for use in found.uses}
    return SidecarMetrics(
        model=info.get("model", ""),
        version=info.get("version", ""),
        monitor=info.get("monitor", ""),
        started=plain.get(names.PROXY_START.name),
        up=plain.get(names.PROXY_UP.name) == 1,
        routes={route: found.counts(known) for route, found in counts.items() if found.requests},
        evidence=max(evidence, default=None),
        episodes=episodes,
        blind=tuple(sorted(blind)),
    )


def drift_by_monitor(values: Iterable[Value]) -> dict[tuple[str, str, str], MonitorDrift]:
    """Return the drift of each (namespace, monitor, version) that the controller exports."""
    found: dict[tuple[str, str, str], MonitorDrift] = defaultdict(MonitorDrift)
    for name, labels, value in values:
        key = (labels.get("namespace", ""), labels.get("monitor", ""), labels.get("version", ""))
        before = found[key]
        if name == names.EVIDENCE.name:
            found[key] = MonitorDrift(max(before.evidence or 0.0, value), before.episodes)
        elif name == names.EPISODES_OPEN.name:
            found[key] = MonitorDrift(before.evidence, before.episodes + int(value))
    return dict(found)


@dataclass
class _Counting:
    """Collects the counters of one route."""

    requests: float = 0.0
    failed: float = 0.0
    buckets: dict[float, float] = field(default_factory=dict)
    uses: dict[str, float] = field(default_factory=dict)

    def add(self, name: str, labels: Mapping[str, str], value: float) -> None:
        if name == names.REQUESTS.name:
            self.requests += value
            self.failed += value if labels.get("code") in FAILED else 0.0
        elif name == _DURATION:
            with suppress(ValueError):
                self.buckets[float(labels.get("le", ""))] = value
        elif name in _USE_OF:
            self._use(_USE_OF[name], value)
        elif name == resource_names.TOKENS.name and labels.get("kind") in ("prompt", "completion"):
            self._use("tokens", value)
        elif name == resource_names.TOKEN_EXCHANGES.name:
            self._use("language", value)
            self._use("counted", value if labels.get("outcome") == "counted" else 0.0)

    def _use(self, use: str, value: float) -> None:
        self.uses[use] = self.uses.get(use, 0.0) + value

    def counts(self, known: set[str]) -> RouteCounts:
        """Return the counters; a use that only other routes have is 0 here."""
        return RouteCounts(self.requests, self.failed, self.buckets, {use: self.uses.get(use, 0.0) for use in known})
