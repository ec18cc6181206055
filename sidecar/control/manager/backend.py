"""The controller behind the HTTP server: passes each request to the runtime of its monitor."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version

import msgspec

from ...callers.errors import RefusedRequestError
from ...settings.document import Metrics
from ...sync.messages import Pod, Signals, SyncRequest, SyncResponse
from ...telemetry.fleet import ControllerReading, MonitorReading, ReplicasReading
from ...telemetry.resizing import ResourcesReading
from ..retrain.alerts import AlertBook, AlertError, parse_alerts
from .monitors import Monitors
from .pods import releases
from .resizing_status import ResizingFinding
from .runtime import MonitorRuntime
from .scaling_answer import scale_answer
from .scaling_status import ScalingFinding
from .server.backend import AlertsAnswer, ControllerState, MayCreate, MonitorPods, ScaleAnswer

STARTING_RETRY = 2.0  # seconds
OWN_RELEASE = version("pilotfish")
UNSEEN = (
    "the controller does not see this pod; give it the label pilotfish.dev/injected=true, or check the controller's "
    "--watch-namespace"
)


@dataclass
class ControllerBackend:
    """Implements `server.backend.Backend`.

    `leads` returns whether this process leads; `monitors` returns the runtimes of this leadership, None in a standby.
    `book` has the alerts of all monitors. `failures` returns the failed requests to the API server by verb and error.
    """

    leads: Callable[[], bool]
    monitors: Callable[[], Monitors | None]
    clock: Callable[[], float]
    problems: Callable[[], tuple[str, ...]]
    book: AlertBook
    failures: Callable[[], Mapping[tuple[str, str], int]]

    @property
    def leading(self) -> bool:
        """Whether this process leads now."""
        return self.leads() and self.monitors() is not None

    def state(self) -> ControllerState:
        """Return the state for `/readyz`."""
        monitors = self.monitors()
        if not self.leading or monitors is None:
            return ControllerState(role="standby", problems=self.problems())
        role = "leader" if monitors.mirrors.synced else "starting"
        return ControllerState(role=role, contact_age=monitors.mirrors.age(), problems=self.problems())

    def reading(self) -> ControllerReading:
        """Return the values of one scrape."""
        monitors = self.monitors()
        if monitors is None:
            return ControllerReading(now=self.clock(), leading=False)
        return ControllerReading(
            now=self.clock(),
            leading=self.leading,
            contact_age=monitors.mirrors.age(),
            api_errors=self.failures(),
            release=OWN_RELEASE,
            sidecars=releases(monitors.mirrors.pods.objects.values()),
            monitors=tuple(_reading(runtime) for runtime in monitors.runtimes.values() if runtime.loaded),
        )

    def knows(self, namespace: str, monitor: str) -> bool:
        """Return whether this ModelMonitor exists."""
        monitors = self.monitors()
        return monitors is not None and (namespace, monitor) in monitors.runtimes

    def has_pod(self, namespace: str, monitor: str, uid: str) -> bool:
        """Return whether the pod exists and belongs to this ModelMonitor."""
        monitors = self.monitors()
        runtime = monitors.runtimes.get((namespace, monitor)) if monitors is not None else None
        return runtime is not None and uid in runtime.core.pods

    def pods_of(self, namespace: str, monitor: str) -> MonitorPods | None:
        """Return the pods of a monitor that have sent counts; None for an unknown monitor."""
        monitors = self.monitors()
        runtime = monitors.runtimes.get((namespace, monitor)) if monitors is not None else None
        if runtime is None:
            return None
        core = runtime.core
        return MonitorPods(
            uids=frozenset(core.pods.keys() & core.synced),
            unsynced=frozenset(core.pods.keys() - core.synced),
            left=bool(core.departed.keys() & core.synced),
        )

    def monitor_of(self, pod: Pod, named: str) -> str:
        """Return the name of the monitor that `pod` follows: the one that it named, or the one that targets it."""
        monitors = self.monitors()
        owner = monitors.world.claims.owner(pod.uid) if monitors is not None and not named else None
        return owner.name if owner is not None and owner.namespace == pod.namespace else named

    async def sync(self, request: SyncRequest) -> SyncResponse:
        """Take the counts of a pod; return acknowledgements and what the pod should use.

        Counts that were made for the monitor that the pod followed before are passed to that one.
        """
        monitors, namespace = self._synced(), request.pod.namespace
        followed = monitors.of_uid(request.monitor_uid)
        if request.monitor:
            runtime = self._runtime(namespace, request.monitor)
            monitors.world.claims.name(runtime.key, request.pod.uid)
        elif name := self._chosen(request, followed):
            runtime = self._runtime(namespace, name)
        else:
            unseen = not monitors.mirrors.index.has(namespace, request.pod.name)
            return SyncResponse(problem=UNSEEN if unseen else "")
        answer = runtime.sync(request)
        if followed is None or followed is runtime or followed.key.namespace != namespace or not followed.loaded:
            return answer
        return msgspec.structs.replace(answer, acknowledged=followed.sync(request).acknowledged)

    def _chosen(self, request: SyncRequest, followed: MonitorRuntime | None) -> str:
        """Return the name of the monitor for a pod that names none; empty if no monitor targets it.

        A pod stays with the monitor that it follows until the target of that one is known.
        """
        if followed is not None and followed.key.namespace == request.pod.namespace and not followed.knows_pods:
            return followed.key.name
        return self.monitor_of(request.pod, "")

    async def signals(self, signals: Signals) -> None:
        """Take the load of a pod; that of a pod without a monitor is ignored."""
        if name := self.monitor_of(signals.pod, signals.monitor):
            self._runtime(signals.pod.namespace, name).take_signals(signals)

    async def profile(self, pod: Pod, profile_hash: str) -> bytes | None:
        """Return the JSON of a profile that a monitor of `pod` uses; None for any other hash."""
        for runtime in self._runtimes_of(pod):
            for state in runtime.core.versions.values():
                if state.profile is not None and state.profile.hash == profile_hash:
                    return state.raw
        return None

    async def offer_profile(self, pod: Pod, profile_hash: str, body: bytes) -> None:
        """Freeze a learned profile for the monitors of the pod that have none for its version."""
        for runtime in self._runtimes_of(pod):
            await runtime.offer(pod.uid, profile_hash, body)

    async def alerts(self, body: bytes, may_create: MayCreate) -> AlertsAnswer:
        """Take the body of an Alertmanager webhook."""
        try:
            found = parse_alerts(body)
        except AlertError as error:
            raise RefusedRequestError(str(error), reason="unreadable") from error
        allowed = {place: await may_create(*place) for place in {alert.monitor for alert in found} if all(place)}
        if allowed and not any(allowed.values()):
            raise RefusedRequestError(
                "the caller may not create modelmonitors/alerts in the namespace of any alert; grant it by a Role",
                status=403, reason="forbidden",
            )  # fmt: skip
        known = [alert for alert in found if allowed.get(alert.monitor) and self.knows(*alert.monitor)]
        self.book.take(known, self.clock())
        unknown = sorted({"/".join(place) for place, may in allowed.items() if may and not self.knows(*place)})
        problems = tuple(f"there is no ModelMonitor {name}; correct the labels of the alert" for name in unknown[:5])
        return AlertsAnswer(accepted=len(known), ignored=len(found) - len(known), problems=problems)

    def scale(self, namespace: str, monitor: str) -> ScaleAnswer | None:
        """Return the recommended replicas of a monitor; None for an unknown one."""
        runtime = self._synced().runtimes.get((namespace, monitor))
        return None if runtime is None else scale_answer(runtime.replicas)

    def _synced(self) -> Monitors:
        monitors = self.monitors()
        if monitors is None or not monitors.reconciled:
            raise RefusedRequestError(
                "the controller has not read all ModelMonitors yet; send the request again",
                status=503, reason="starting", retry_after=STARTING_RETRY,
            )  # fmt: skip
        return monitors

    def _runtime(self, namespace: str, monitor: str) -> MonitorRuntime:
        runtime = self._synced().runtimes.get((namespace, monitor))
        if runtime is None:
            raise RefusedRequestError(
                "there is no ModelMonitor with this name in the pod's namespace; create it, or correct --monitor",
                status=404, reason="unknown_monitor",
            )  # fmt: skip
        if not runtime.loaded:
            raise RefusedRequestError(
                "the stored state of the monitor is not loaded yet; send the request again",
                status=503, reason="starting", retry_after=STARTING_RETRY,
            )  # fmt: skip
        return runtime

    def _runtimes_of(self, pod: Pod) -> Iterator[MonitorRuntime]:
        monitors = self.monitors()
        for (namespace, _), runtime in tuple(monitors.runtimes.items() if monitors is not None else ()):
            if namespace == pod.namespace and pod.uid in runtime.core.pods:
                yield runtime


def _reading(runtime: MonitorRuntime) -> MonitorReading:
    core = runtime.core
    fleets = {version: fleet for version in core.versions if (fleet := core.status(version)) is not None}
    primary = core.status(core.primary)
    reports = (core.report(version) for version in fleets)
    refused: Counter[str] = Counter()
    for fleet in fleets.values():
        refused.update({str(reason): amount for reason, amount in fleet.refused.items()})
    metrics = core.document.monitor.spec.metrics if core.document else Metrics()
    return MonitorReading(
        namespace=runtime.key.namespace,
        monitor=runtime.key.name,
        reports=tuple(report for report in reports if report is not None),
        control=runtime.control,
        pods_expected=sum(fleet.expected for fleet in fleets.values()),
        pods_heard=sum(fleet.heard for fleet in fleets.values()),
        holding=primary.holding or "" if primary is not None else "",
        dropped_ticks=sum(fleet.dropped_ticks for fleet in fleets.values()),
        refused_reports=refused,
        checkpoint_bytes=runtime.file.size or None,
        blind=frozenset(spot.reason for spot in runtime.blind),
        features=metrics.features,
        details=metrics.details,
        replicas=_replicas(runtime.replicas),
        resources=_resources(runtime.resources),
    )


def _resources(found: ResizingFinding | None) -> ResourcesReading | None:
    if found is None:
        return None
    known = found.recommendation
    bounds: dict[str, dict[str, float]] = {"target": {kind: float(value) for kind, value in found.target.items()}}
    if known is not None:
        given = {"lower": known.lower, "upper": known.upper, "uncapped": known.uncapped}
        bounds |= {name: {str(kind): value for kind, value in values.items()} for name, values in given.items()}
    return ResourcesReading(
        container=found.container,
        bounds=bounds,
        requests=found.requests,
        held=found.held.reason if found.held is not None else "",
        states=found.states,
        resized_at=found.resized_at,
    )


def _replicas(found: ScalingFinding | None) -> ReplicasReading | None:
    if found is None:
        return None
    return ReplicasReading(
        current=found.current,
        desired=None if found.published and found.withheld else found.desired,
        held=found.held.reason if found.held is not None else "",
        ratios=found.ratios,
        scaled_at=found.scaled_at,
    )
