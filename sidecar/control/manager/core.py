"""The state of one monitor, without I/O and clock: document, pods, profiles, and one detector per version.

`runtime.py` owns one and feeds it. All methods return at once. The results of detection leave this module in two steps:
`snapshot` returns the state to store together with the report of exactly this state, and the runtime publishes the
report once the state is stored. The control loop therefore never acts on an alarm that a crash could take back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ....detectors.detection.results import TickResult
from ....detectors.errors import DetectorError
from ....detectors.profile.profile import Profile
from ....detectors.summaries.counts import Counts
from ...report.schema import Report
from ...settings.document import ProfileSource
from ...settings.errors import SettingsError
from ...settings.sources import source_for
from ...sync.counts import decode_counts
from ...sync.messages import Acknowledgement, MessageError, SyncRequest, SyncResponse
from ..fleet.detector import FleetDetector
from ..fleet.rules import FleetRules
from ..fleet.status import FleetStatus
from ..reasons import Reason
from . import checkpoint
from .accepted import AcceptedDocument, accept
from .key import MonitorKey
from .pods import MonitoredPod, expected_pods, primary_version
from .reporting import build_report
from .trouble import Trouble

MAX_VERSIONS = 4  # with a detector at the same time; a rollout has two
MAX_DEPARTED = 1000  # pods that no longer exist and may still send their last counts
NOT_A_POD = (
    "this pod is not among the pods of spec.targetRef of its ModelMonitor; "
    "check the selector of the workload and the label pilotfish.dev/injected"
)


@dataclass
class VersionState:
    """The detector of one version of the model, and the profile that it needs.

    `stored` is the state from a checkpoint that waits for its profile. `raw` is the JSON of the profile. `trouble` is
    why there is no profile, or why a stored state was not used.
    """

    version: str
    profile: Profile | None = None
    raw: bytes = b""
    trouble: Trouble | None = None
    detector: FleetDetector | None = None
    stored: checkpoint.DetectorCheckpoint | None = None


@dataclass(frozen=True, slots=True)
class CoreSnapshot:
    """The state of a monitor at one moment: `data` to store, and `report`, which may be published once it is stored.

    `revisions` has the detector of each version with the revision of its state in `data`.
    """

    data: bytes
    report: Report | None
    revisions: tuple[tuple[FleetDetector, int], ...]


@dataclass
class MonitorCore:
    """The state of the monitor `key`. `problem` is why the newest document is not in force, empty if it is.

    `dirty` is True when something happened that must be stored before it is published: an alarm, the change of an
    episode, another document, profile or primary version, or the last counts of a pod. `scaling` and `resizing` are
    what is stored about replicas and resources.
    """

    key: MonitorKey
    started_at: float
    document: AcceptedDocument | None = None
    problem: str = ""
    primary: str | None = None
    pods: Mapping[str, MonitoredPod] = field(default_factory=dict)
    departed: dict[str, MonitoredPod] = field(default_factory=dict)
    synced: set[str] = field(default_factory=set)  # pods that have sent something to this process
    versions: dict[str, VersionState] = field(default_factory=dict)
    dirty: bool = False
    scaling: checkpoint.ScalingCheckpoint = field(default_factory=checkpoint.ScalingCheckpoint)
    resizing: checkpoint.ResizingCheckpoint = field(default_factory=checkpoint.ResizingCheckpoint)

    def restore(self, data: bytes) -> None:
        """Continue from a stored state; raise MonitorStateError, or SettingsError for its document."""
        state = checkpoint.decode(data)
        if state.document:
            self.document = accept(state.document, f"ModelMonitor {self.key}")
        self.primary, self.scaling, self.resizing = state.primary, state.scaling, state.resizing
        for item in state.detectors:
            self.versions[item.version] = VersionState(item.version, stored=item)

    def use_document(self, raw: bytes) -> None:
        """Put the document `raw` into force; if it is invalid, set `problem`, and the one before stays in force."""
        if self.document is not None and self.document.raw == raw:
            self.problem = ""
            return
        try:
            accepted = accept(raw, f"ModelMonitor {self.key}")
        except (SettingsError, DetectorError) as error:
            self.problem = str(error)
            return
        before, self.document, self.problem, self.dirty = self.document, accepted, "", True
        if before is not None and before.drift != accepted.drift:
            for state in self.versions.values():
                self._continue(state, self._stored(state))

    def use_pods(self, pods: Mapping[str, MonitoredPod]) -> None:
        """Replace the pods of the target; the version that most of them serve becomes the primary one."""
        for uid in self.pods.keys() - pods.keys():
            self.departed[uid] = self.pods[uid]
        while len(self.departed) > MAX_DEPARTED:
            self.synced.discard(first := next(iter(self.departed)))
            del self.departed[first]
        self.pods = pods
        primary = primary_version(pods.values(), self.primary)
        if primary != self.primary:
            self.primary, self.dirty = primary, True

    @property
    def served(self) -> frozenset[str]:
        """The versions that pods of the target have."""
        return frozenset(pod.version for pod in self.pods.values())

    @property
    def wanted(self) -> dict[str, ProfileSource]:
        """The source of the profile for each version that pods serve; a version without a source is left out."""
        if self.document is None:
            return {}
        sources = self.document.monitor.spec.profiles
        found = ((version, source_for(sources, version)) for version in sorted(self.served))
        return {version: source for version, source in found if source is not None}

    @property
    def unprofiled(self) -> tuple[str, ...]:
        """The wanted versions that have no profile yet, also those with a stored state."""
        return tuple(
            version for version in self.wanted if (state := self.versions.get(version)) is None or state.profile is None
        )

    def use_profile(self, version: str, profile: Profile, raw: bytes) -> None:
        """Put `profile`, whose JSON is `raw`, into force for `version`; a detector of the same profile continues."""
        state = self.versions.setdefault(version, VersionState(version))
        state.trouble = None
        if state.detector is not None and state.profile is not None and state.profile.hash == profile.hash:
            return
        state.profile, state.raw = profile, raw
        self._continue(state, state.stored)
        self.dirty = True
        self._bound_versions()

    def lacks_profile(self, version: str, trouble: Trouble) -> None:
        """Record why there is no new profile for `version`; a profile in force stays."""
        self.versions.setdefault(version, VersionState(version)).trouble = trouble

    def receive(self, request: SyncRequest, now: float) -> SyncResponse:
        """Take the counts in `request`; return acknowledgements and what the pod should use."""
        pod = self.pods.get(request.pod.uid) or self.departed.get(request.pod.uid)
        if pod is None or self.document is None:
            return SyncResponse(
                monitor=self.key.name,
                monitor_uid=self.key.uid,
                generation=request.generation,
                problem=NOT_A_POD if self.document is not None else self.problem,
            )
        self.synced.add(pod.uid)
        own = request.monitor_uid in ("", self.key.uid)  # else the counts were made for another monitor
        state = self.versions.get(pod.version)
        acknowledged: tuple[Acknowledgement, ...] = ()
        problem = state.trouble.text if state is not None and state.trouble is not None else ""
        if own and state is not None and state.detector is not None and state.profile is not None:
            if request.profile_hash == state.profile.hash and request.tick_seconds == self.document.drift.tick_seconds:
                problem = self._count(state.detector, state.profile, pod, request, now) or problem
                acknowledged = state.detector.acknowledge(pod.uid)
            elif request.ticks:
                state.detector.refuse_profile(request.profile_hash, len(request.ticks))
        source = self.wanted.get(pod.version)
        known = own and request.generation == self.document.generation
        return SyncResponse(
            acknowledged=acknowledged,
            monitor=self.key.name,
            monitor_uid=self.key.uid,
            generation=self.document.generation,
            document=b"" if known else self.document.for_pods(pod.version),
            profile_hash=state.profile.hash if state is not None and state.profile is not None else "",
            learn=source is not None and source.learn is not None and (state is None or state.profile is None),
            problem=problem[:1000],
        )

    def advance(self, now: float) -> tuple[tuple[str, TickResult], ...]:
        """Close the ticks that may close; return their results by version."""
        found = []
        for version, state in self.versions.items():
            if state.detector is not None:
                found += [
                    (version, result)
                    for result in state.detector.advance(now, expected_pods(self.pods.values(), version))
                ]
        self.dirty = self.dirty or any(result.alarms or result.changes for _, result in found)
        return tuple(found)

    def snapshot(self) -> CoreSnapshot:
        """Return the state to store, and the report of exactly this state; `dirty` becomes False."""
        stored = [self._stored(state) for state in self.versions.values()]
        state = checkpoint.MonitorCheckpoint(
            document=self.document.raw if self.document is not None else b"",
            primary=self.primary,
            detectors=tuple(item for item in stored if item is not None),
            scaling=self.scaling,
            resizing=self.resizing,
        )
        self.dirty = False
        detectors = [state.detector for state in self.versions.values() if state.detector is not None]
        revisions = tuple((detector, detector.revision) for detector in detectors)
        return CoreSnapshot(checkpoint.encode(state), self.report(self.primary), revisions)

    def status(self, version: str | None) -> FleetStatus | None:
        """Return the status of the detector of `version`; None without one."""
        state = self.versions.get(version) if version is not None else None
        return state.detector.status() if state is not None and state.detector is not None else None

    @property
    def heard(self) -> int:
        """The number of pods that sent something lately; before a version has a detector, those that sent anything."""
        found = {version: status for version in self.versions if (status := self.status(version)) is not None}
        others = (pod for pod in self.pods.values() if pod.version not in found and pod.since is not None)
        return sum(status.heard for status in found.values()) + sum(pod.uid in self.synced for pod in others)

    @property
    def clock_off(self) -> tuple[str, ...]:
        """The names of the pods whose clock differs from the controller's."""
        detectors = (state.detector for state in self.versions.values() if state.detector is not None)
        found = (uid for detector in detectors for uid in detector.status().clock_off)
        return tuple(sorted(self.pods[uid].name for uid in found if uid in self.pods))

    def report(self, version: str | None) -> Report | None:
        """Return the report of `version`; None without a document.

        Its facts are as old as the end of the last closed tick; before the first one, as this process.
        """
        if self.document is None:
            return None
        state, status = self.versions.get(version or ""), self.status(version)
        tick = status.monitor.tick if status is not None else None
        return build_report(
            self.document,
            version or "",
            state.profile if state is not None else None,
            status.monitor if status is not None else None,
            made_at=self.started_at if tick is None else (tick + 1) * self.document.drift.tick_seconds,
            started_at=self.started_at,
        )

    def _count(
        self, detector: FleetDetector, profile: Profile, pod: MonitoredPod, request: SyncRequest, now: float
    ) -> str:
        """Pass the counts of a request to the detector; return why some cannot be read."""
        found: list[tuple[int, int, Counts | None]] = []
        problem, through = "", request.complete_through
        for report in request.ticks:
            if detector.has(pod.uid, request.epoch, report.tick, report.sequence):
                found.append((report.tick, report.sequence, None))
                continue
            try:
                found.append((report.tick, report.sequence, decode_counts(report.counts, profile)))
            except MessageError as error:  # the tick must not close as if the pod had no rows
                problem, through = str(error), min(through, report.tick - 1)
        detector.receive(pod.uid, request.epoch, found, through, now, leaving=request.leaving and not problem)
        self.dirty = self.dirty or (request.leaving and bool(found))
        return problem

    def _stored(self, state: VersionState) -> checkpoint.DetectorCheckpoint | None:
        if state.detector is None or state.profile is None:
            return state.stored
        return checkpoint.DetectorCheckpoint(
            version=state.version,
            profile_hash=state.profile.hash,
            tick_seconds=state.detector.settings.tick_seconds,
            data=state.detector.state(),
        )

    def _continue(self, state: VersionState, stored: checkpoint.DetectorCheckpoint | None) -> None:
        """Replace the detector of `state` by one for its profile and the present settings, which continues `stored`."""
        if state.profile is None or self.document is None:
            return
        drift, state.stored = self.document.drift, None
        rules = rules_of(drift.tick_seconds)
        if stored is not None and (stored.profile_hash, stored.tick_seconds) == (
            state.profile.hash,
            drift.tick_seconds,
        ):
            try:
                state.detector = FleetDetector.from_state(state.profile, drift, stored.data, rules=rules)
                return
            except DetectorError as error:
                state.trouble = Trouble(Reason.CHECKPOINT_FAILED, str(error))
        state.detector = FleetDetector(state.profile, drift, state.version, rules=rules)

    def _bound_versions(self) -> None:
        """Drop the detectors of the oldest versions that no pod serves, beyond MAX_VERSIONS."""
        served = self.served
        for version in [version for version in self.versions if version not in served]:
            if len(self.versions) > MAX_VERSIONS:
                del self.versions[version]


def rules_of(tick_seconds: float) -> FleetRules:
    """Return the rules by which ticks close; pods send about once a tick, and at least twice a minute.

    A pod without traffic claims a tick as complete some seconds after its end, whatever the tick's length.
    """
    interval = min(30.0, max(5.0, tick_seconds))
    return FleetRules(grace=3 * interval, start_up=6 * interval, heard=6 * interval)
