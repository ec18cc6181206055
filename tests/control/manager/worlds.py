"""A small world for the runtime of a monitor: a clock, pods, a store, and executors that only remember."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np

from pilotfish.detectors.batch import Batch
from pilotfish.detectors.profile.profile import Profile
from pilotfish.detectors.reference.build import build_profile
from pilotfish.detectors.summaries.counts import Counts, TickCounts
from pilotfish.sidecar.control.app import Lane
from pilotfish.sidecar.control.executor import Done, Dropped, Executor, Outcome
from pilotfish.sidecar.control.intent import Intent
from pilotfish.sidecar.control.ledger import IntentLedger
from pilotfish.sidecar.control.manager.audit import Audit
from pilotfish.sidecar.control.manager.key import MonitorKey
from pilotfish.sidecar.control.manager.pod_index import PodIndex
from pilotfish.sidecar.control.manager.resizing_sources import NamespaceLimits, PodMetricsReading
from pilotfish.sidecar.control.manager.scaling_sources import SignalSource
from pilotfish.sidecar.control.manager.scaling_targets import ScalingTargets
from pilotfish.sidecar.control.manager.selectors import Selector, from_object
from pilotfish.sidecar.control.manager.signal_book import SignalBook
from pilotfish.sidecar.control.manager.switch import KillSwitch
from pilotfish.sidecar.control.manager.trouble import TroubleError
from pilotfish.sidecar.control.manager.world import Item, TargetWorkload, World
from pilotfish.sidecar.control.scale.target import TargetFacts
from pilotfish.sidecar.control.situation import RetrainingFacts
from pilotfish.sidecar.control.store import MemoryStore
from pilotfish.sidecar.control.workload.managed_fields import FieldWriter
from pilotfish.sidecar.kube.errors import NotLeaderError
from pilotfish.sidecar.settings.document import ProfileSource, TargetRef
from pilotfish.sidecar.sync.counts import encode_counts
from pilotfish.sidecar.sync.messages import Pod, SyncRequest, TickReport

TICK = 60.0
NOON = 1_800_000_000.0
KEY = MonitorKey("team", "delays", "5d0b5c1e-0000-4000-8000-000000000001")
KUBECTL, OWN = FieldWriter("kubectl", "Update"), FieldWriter("pilotfish", "Update", "scale")
LABELS = {"app": "delays", "pilotfish.dev/injected": "true", "pilotfish.dev/model-version": "7"}


@cache
def reference(shift: float = 0.0) -> Profile:
    """A profile of one column."""
    random = np.random.default_rng(1)
    return build_profile({"x": random.normal(loc=shift, size=5000)}, exchangeable=True, version="7")


@cache
def counts(seed: int, *, drifted: bool) -> Counts:
    """The counts of a tick with 100 rows."""
    counting = TickCounts(reference())
    rows = np.random.default_rng(seed).normal(loc=1.0 if drifted else 0.0, size=100)
    counting.add(Batch({"x": rows}, 100))
    return counting.take()


def monitor_item(generation: int = 1, *, key: MonitorKey = KEY, **spec: object) -> dict[str, Any]:
    """A ModelMonitor as the API server returns it."""
    return {
        "apiVersion": "pilotfish.dev/v1alpha1",
        "kind": "ModelMonitor",
        "metadata": {
            "name": key.name,
            "namespace": key.namespace,
            "uid": key.uid,
            "generation": generation,
            "resourceVersion": str(generation),
        },
        "spec": {
            "mode": "act",
            "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "delays"},
            "profiles": [{"version": "7", "configMap": "delays-profile"}],
            "drift": {"tick": f"{TICK:g}s"},
            "retrain": {"webhook": {"url": "https://hooks.example/delays"}, "cooldown": "1h"},
            **spec,
        },
    }


def pod_item(name: str, *, ready: bool = True, **labels: str) -> dict[str, Any]:
    """A pod of the target, ready for an hour."""
    status = {"type": "Ready", "status": str(ready), "lastTransitionTime": "2027-01-15T07:00:00Z"}
    return {
        "metadata": {"name": name, "namespace": "team", "uid": f"uid-{name}", "labels": {**LABELS, **labels}},
        "status": {"phase": "Running", "conditions": [status]},
    }


def profile_map(profile: Profile) -> dict[str, Any]:
    """A ConfigMap with a profile."""
    return {"binaryData": {"profile.json": base64.b64encode(profile.to_bytes()).decode()}}


def report_of(
    pod: str, ticks: Iterable[int], *, drifted_from: int = 1 << 60, key: MonitorKey = KEY, **fields: Any
) -> SyncRequest:
    """The report of a pod for closed ticks."""
    profile, ticks = reference(), tuple(ticks)
    reports = tuple(
        TickReport(tick=tick, sequence=1, counts=encode_counts(counts(tick, drifted=tick >= drifted_from)))
        for tick in ticks
    )
    values = {"profile_hash": profile.hash, "generation": 1, "epoch": "1", "tick_seconds": TICK, **fields}
    return SyncRequest(
        pod=Pod(namespace=key.namespace, name=pod, uid=f"uid-{pod}"),
        monitor=key.name,
        complete_through=max(ticks, default=-1),
        ticks=reports,
        **values,
    )


@dataclass
class Receiver:
    """An executor that remembers the ids that it applied, with the order of its outcomes."""

    seen: list[str] = field(default_factory=list)
    bodies: set[str] = field(default_factory=set)
    outcomes: list[Outcome] = field(default_factory=list)

    async def apply(self, intent: Intent, now: float) -> Outcome:
        self.seen.append(intent.id)
        self.bodies.add(str(intent.desired))
        return self.outcomes.pop(0) if self.outcomes else Done("http_200")


@dataclass
class Workload:
    """The scaled workload, and the executor that changes it. `trouble` is why it cannot be read."""

    replicas: int = 3
    writer: FieldWriter = KUBECTL
    fields: dict[str, Any] = field(default_factory=dict)  # of TargetFacts
    trouble: TroubleError | None = None
    outcomes: list[Outcome] = field(default_factory=list)  # of the next attempts; then they succeed
    applied: list[int] = field(default_factory=list)

    def facts(self, now: float) -> TargetFacts:
        if self.trouble is not None:
            raise self.trouble
        values = {"writers": (self.writer,), "status_replicas": self.replicas, **self.fields}
        return TargetFacts(
            kind="Deployment",
            name="delays",
            uid="u",
            resource_version="1",
            spec_replicas=self.replicas,
            at=now,
            **values,
        )

    def set(self, replicas: int, manager: str = "kubectl", at: float | None = None) -> None:
        """Set the replicas as another client does."""
        self.replicas, self.writer = replicas, FieldWriter(manager, "Update", "scale", at)

    async def apply(self, intent: Intent, now: float) -> Outcome:
        assert isinstance(intent.desired, int)
        outcome = self.outcomes.pop(0) if self.outcomes else Done(intent.why)
        if isinstance(outcome, Done):
            if self.replicas == intent.desired:
                return outcome
            if self.replicas != intent.observed:
                return Dropped("conflict")
            self.applied.append(intent.desired)
            self.replicas, self.writer = intent.desired, OWN
        return outcome


class NoObjects:
    """A watcher where retrainings create no objects."""

    facts: tuple[RetrainingFacts, ...] = ()

    def follow(self, ledger: IntentLedger) -> None:
        """Follow nothing."""

    async def run(self, stop: asyncio.Event) -> None:
        """Wait until `stop` is set."""
        await stop.wait()


@dataclass
class SmallWorld:
    """What survives a crash of the controller: store, receiver, objects of the API server; and the time."""

    now: float = NOON
    store: MemoryStore = field(default_factory=MemoryStore)
    receiver: Receiver = field(default_factory=Receiver)
    pods: PodIndex = field(default_factory=PodIndex)
    leading: bool = True
    contact: float = 0.0
    events: list[tuple[str, str]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    status: dict[str, Any] = field(default_factory=dict)
    kill_switch: KillSwitch = field(default_factory=lambda: KillSwitch(None))
    profile: Profile = field(default_factory=reference)
    replicas: int = 0
    uninjected: list[dict[str, Any]] = field(default_factory=list)
    services: list[dict[str, Any]] = field(default_factory=list)
    lists: list[str] = field(default_factory=list)  # what was listed
    target: Workload = field(default_factory=Workload)
    signals: SignalBook = field(default_factory=SignalBook)
    scaling_targets: ScalingTargets = field(default_factory=ScalingTargets)
    sources: list[SignalSource] = field(default_factory=list)
    node: Executor = field(default_factory=Receiver)
    metrics: PodMetricsReading = field(default_factory=PodMetricsReading)
    limits: NamespaceLimits = field(default_factory=lambda: NamespaceLimits(version=(1, 36)))

    def world(self) -> World:
        """A world for one process."""
        return World(
            clock=lambda: self.now,
            monotonic=lambda: self.now,
            contact_age=lambda: self.contact,
            check_leading=self._check,
            pods=self.pods,
            find_target=self.find_target,
            read_target=self.read_target,
            read_pod_metrics=self.read_pod_metrics,
            read_limits=self.read_limits,
            list_uninjected=self.list_uninjected,
            list_services=self.list_services,
            find_pod=self.find_pod,
            fetch_profile=self._fetch,
            store=self.store,
            lanes=lambda _monitor, _key: {
                "retrain": Lane(self.receiver, "hooks.example"),
                "scale": Lane(self.target, "Deployment delays"),
                "resize": Lane(self.node, "Deployment delays"),
            },
            watch=lambda _key: NoObjects(),
            alerts=lambda _key, _now: (),
            write_status=self._write,
            record=self._record,
            audit=Audit("test", lambda: self.now, self.lines.append),
            kill_switch=self.kill_switch,
            signals=self.signals,
            scaling_targets=self.scaling_targets,
            signal_sources=self.sources,
        )

    @property
    def writes(self) -> int:
        """The number of states that were written."""
        return self.store.writes

    def add_pods(self, *names: str) -> None:
        """Add ready pods of the target."""
        for name in names:
            self.pods.change("ADDED", pod_item(name))

    def _check(self) -> None:
        if not self.leading:
            raise NotLeaderError("another process leads")

    async def find_target(self, _namespace: str, _target: TargetRef) -> TargetWorkload:
        return TargetWorkload(from_object({"matchLabels": {"app": "delays"}}), self.replicas)

    async def read_target(self, namespace: str, target: TargetRef, *, scaled: bool) -> TargetFacts:
        return self.target.facts(self.now)

    async def read_pod_metrics(self, _namespace: str) -> PodMetricsReading:
        self.lists.append("metrics")
        return self.metrics

    async def read_limits(self, _namespace: str, _nodes: Iterable[str]) -> NamespaceLimits:
        return self.limits

    async def list_uninjected(self, _namespace: str, _selector: Selector) -> list[dict[str, Any]]:
        self.lists.append("pods")
        return self.uninjected

    async def list_services(self, _namespace: str) -> list[dict[str, Any]]:
        self.lists.append("services")
        return self.services

    async def find_pod(self, namespace: str, name: str) -> Item | None:
        return next((item for item in self.pods.pods_in(namespace) if item["metadata"]["name"] == name), None)

    async def _fetch(self, _key: MonitorKey, _source: ProfileSource) -> bytes:
        return self.profile.to_bytes()

    async def _write(self, item: Item, status: Mapping[str, Any]) -> None:
        self.status = dict(status)
        item["metadata"]["resourceVersion"] += "w"

    def _record(self, _regarding: Item, reason: str, _action: str, note: str, _type: str) -> None:
        self.events.append((reason, note))
