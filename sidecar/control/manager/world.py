"""What a monitor's runtime needs from outside: mirrors of the API server, the store, and the effects that it causes.

`app.py` builds one World for the process; tests build small ones. Everything that may wait is a coroutine.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ...kube.errors import KubeError
from ...settings.document import ModelMonitor, ProfileSource, TargetRef
from ..app import Lane
from ..ledger import IntentLedger
from ..retrain.alerts import AlertFacts
from ..scale.target import TargetFacts
from ..situation import RetrainingFacts
from ..store import StateStore
from .audit import Audit
from .claims import Claims
from .key import MonitorKey
from .pools import PoolBook
from .resizing_sources import NamespaceLimits, PodMetricsReading
from .scaling_sources import SignalSource
from .scaling_targets import ScalingTargets
from .selectors import Selector
from .signal_book import SignalBook
from .switch import KillSwitch

Item = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class TargetWorkload:
    """The workload of a monitor: the selector of its pods, and how many of them it has, by its status."""

    selector: Selector
    replicas: int = 0


RecordEvent = Callable[[Item, str, str, str, str], None]  # object, reason, action, note, type


class RetrainingWatcher(Protocol):
    """Reads the objects of the retrainings of one monitor; `retrain.watcher.ObjectWatcher` in a cluster."""

    @property
    def facts(self) -> tuple[RetrainingFacts, ...]:
        """The objects that are followed, as they were read last."""

    def follow(self, ledger: IntentLedger) -> None:
        """Follow the objects that are running by `ledger`."""

    async def run(self, stop: asyncio.Event) -> None:
        """Read the objects until `stop` is set."""


class PodSource(Protocol):
    """The pods with a sidecar by namespace; `revision` changes when one of them changes."""

    def pods_in(self, namespace: str) -> Sequence[Item]:
        """Return the pods of a namespace."""

    def revision(self, namespace: str) -> int:
        """Return a number that changes with the pods of a namespace."""


class ReadTarget(Protocol):
    """Reads the targets of all monitors; `ScaleTargetReader.read` in a cluster."""

    async def __call__(self, namespace: str, target: TargetRef, *, scaled: bool) -> TargetFacts:
        """Return the facts about a target, with its replicas if it is `scaled`; raise TroubleError."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The surroundings of all runtimes.

    Attributes:
        clock, monotonic: epoch seconds, and seconds that never jump.
        contact_age: seconds since the API server was last heard.
        check_leading: raises NotLeaderError when this process must not act.
        pods: the pods with a sidecar, as objects of the API server.
        find_target: the workload of a target; raises TroubleError.
        read_target: a target, and everything that decides whether it may be changed.
        read_pod_metrics: the use of all containers of a namespace, by metrics.k8s.io.
        read_limits: what limits the resources of the pods of a namespace, on these nodes.
        signal_sources: where scaling signals come from, besides the pods.
        list_uninjected: metadata of pods that a selector selects and that have no sidecar; raises TroubleError.
        list_services: the Services of a namespace; raises TroubleError.
        find_pod: a whole pod, None if it does not exist; raises TroubleError.
        fetch_profile: the bytes of a profile from a ConfigMap or URL; raises TroubleError.
        store: the states of all monitors.
        lanes: the executors that a document configures.
        watch: what reads the objects of a monitor's retrainings.
        alerts: the alerts of a monitor at a time in epoch seconds.
        write_status: replaces the status of an object, unless it has changed since; raises KubeError.
        record: records an Event; it never fails and never waits.
        claims: which monitor each pod follows.
        scaling_targets: which monitor scales each workload.
        signals: the newest load of each pod.
        pools: the pools of CPU, and what each monitor has of them.
    """

    clock: Callable[[], float]
    monotonic: Callable[[], float]
    contact_age: Callable[[], float]
    check_leading: Callable[[], object]
    pods: PodSource
    find_target: Callable[[str, TargetRef], Awaitable[TargetWorkload]]
    read_target: ReadTarget
    read_pod_metrics: Callable[[str], Awaitable[PodMetricsReading]]
    read_limits: Callable[[str, Iterable[str]], Awaitable[NamespaceLimits]]
    list_uninjected: Callable[[str, Selector], Awaitable[Sequence[Item]]]
    list_services: Callable[[str], Awaitable[Sequence[Item]]]
    find_pod: Callable[[str, str], Awaitable[Item | None]]
    fetch_profile: Callable[[MonitorKey, ProfileSource], Awaitable[bytes]]
    store: StateStore
    lanes: Callable[[ModelMonitor, MonitorKey], Mapping[str, Lane]]
    watch: Callable[[MonitorKey], RetrainingWatcher]
    alerts: Callable[[MonitorKey, float], tuple[AlertFacts, ...]]
    write_status: Callable[[Item, Mapping[str, Any]], Awaitable[None]]
    record: RecordEvent
    audit: Audit
    kill_switch: KillSwitch
    signal_sources: Sequence[SignalSource] = ()
    claims: Claims = field(default_factory=Claims)
    scaling_targets: ScalingTargets = field(default_factory=ScalingTargets)
    signals: SignalBook = field(default_factory=SignalBook)
    pools: PoolBook = field(default_factory=PoolBook)

    def may_act(self) -> bool:
        """Return whether this process leads now."""
        try:
            self.check_leading()
        except KubeError:
            return False
        return True
