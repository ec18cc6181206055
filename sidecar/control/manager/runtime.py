"""One monitor in the leader: loads its state, advances detection once a second, stores checkpoints, and acts.

    stored state --load--> MonitorCore <--sync-- pods
    each second: pods of the mirror, ticks that close --> checkpoint, if due --> published report --> Acting, status

An alarm is published once the checkpoint that contains it is stored. A write by another process is a conflict: then
this process forgets what it knows, loads the state again, and the pods send again what was not acknowledged.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

from ....detectors.errors import DetectorError
from ...errors import PilotfishError
from ...report.control_status import ControlStatus
from ...report.schema import BlindSpot, Report
from ...sync.messages import Signals, SyncRequest, SyncResponse
from ...tasks import cancel_all, keep_running, pause
from ..errors import StoreConflictError, StoreError
from ..ledger import IntentLedger, LedgerEntry
from ..outbox import Step, ignore_step
from ..reasons import Reason
from ..workload.hold import Hold
from .accepted import document_bytes
from .acting import Acting, ActingFacts
from .announcing import EventAnnouncer
from .blindness import blind_spots
from .bypass import BypassWatch
from .conditions import MonitorView
from .core import MonitorCore
from .facts import OLDEST_CONTACT, stop_reason
from .injection import InjectionWatch
from .key import MonitorKey
from .pods import MonitoredPod, monitored_pods
from .refreshing import Refresher
from .resizing import ResizeWatch
from .resizing_invalid import InvalidMember, invalid_finding, pool_of
from .resizing_status import ResizingFinding, resizing_finding
from .scaling import ScalingWatch
from .scaling_status import ScalingFinding, scaling_finding
from .status_writer import StatusWriter
from .storing import CheckpointFile
from .switch import is_paused
from .target_watch import TargetWatch
from .trouble import Trouble
from .world import Item, World

_LOG = logging.getLogger("pilotfish.control")
TURN = 1.0  # seconds between two turns
SETTLING_SECONDS = 30.0  # after which a new leader writes a status although not everything was read


@dataclass(kw_only=True)
class MonitorRuntime:
    """The monitor `key`. `item` is its newest object.

    `step` is called where a crash has a visible result.
    """

    key: MonitorKey
    world: World
    item: Item
    step: Step = ignore_step
    core: MonitorCore = field(init=False)
    published: Report | None = None
    control: ControlStatus | None = None
    loaded: bool = False
    problem: str = ""

    def __post_init__(self) -> None:
        self.core = MonitorCore(self.key, self.world.clock())
        self.file = CheckpointFile(self.key, self.world.store)
        self.refresher = Refresher(self.key, self.world)
        self.announcer = EventAnnouncer(self.key, self.world)
        self.writer = StatusWriter(self.key, self.world)
        self.injection = InjectionWatch(self.key.namespace, self.world)
        self.bypass = BypassWatch(self.key.namespace, self.world)
        targets = TargetWatch(self.key, self.world)
        self.resizing = ResizeWatch(self.key, self.world, targets)
        self.invalid = InvalidMember(self.key, self.world)
        self.scaling = ScalingWatch(self.key, self.world, targets)
        self._raw = b""
        self._seen: object = None
        self._targeted: dict[str, MonitoredPod] = {}
        self._claims_seen = -1
        self._began = self.world.monotonic()

    @property
    def facts(self) -> ActingFacts | None:
        """What the control loop may act on; None until something is published."""
        if self.core.document is None or self.published is None:
            return None
        scale, resize = self.scaling.view(paused=self.paused), self.resizing.view(paused=self.paused)
        return ActingFacts(self.core.document, self.published, self.blind, self.paused, scale, resize)

    @property
    def signals(self) -> Mapping[str, tuple[float, Signals]]:
        """The newest load by pod, with the time of its arrival."""
        return self.world.signals.newest(self.core.pods)

    @property
    def replicas(self) -> ScalingFinding | None:
        """The replicas of the target, held until they were read once; None without a block `spec.scaling`."""
        document = self.core.document
        if self.scaling.latest is None and document is not None and document.monitor.spec.scaling is not None:
            return ScalingFinding(held=Hold(Reason.WAITING))
        view = self.scaling.view(paused=self.paused)
        return scaling_finding(view, self.scaling.latest, self.control, self.world.clock())

    @property
    def resources(self) -> ResizingFinding | None:
        """The resources of the target's container; None without a block `spec.resources`."""
        watch, document = self.resizing, self.core.document
        if document is None and self.core.problem:
            return invalid_finding(self.item, self.core.problem)
        settings = document.monitor.spec.resources if document is not None else None
        if watch.latest is None and settings is not None:
            return ResizingFinding(container=settings.container, held=Hold(Reason.WAITING))
        view = watch.view(paused=self.paused)
        return resizing_finding(view, watch.latest, self.control, watch.resized_at, self.world.clock())

    @property
    def pool(self) -> str | None:
        """The pool of CPU that the document in force names, or the newest one while none is in force; else None."""
        return pool_of(self.core.document, self.item)

    @property
    def paused(self) -> bool:
        """Whether the monitor's annotation pauses it."""
        return is_paused(self.item["metadata"].get("annotations"))

    @property
    def blind(self) -> tuple[BlindSpot, ...]:
        """What of the fleet is not measured."""
        return tuple(blind_spots(self.core, self.refresher.trouble, self.bypass.text, self.world.clock()))

    @property
    def knows_pods(self) -> bool:
        """Whether it is known which pods the target selects: those of its selector, or none, if it does not exist."""
        trouble = self.refresher.trouble
        missing = trouble is not None and trouble.reason is Reason.TARGET_NOT_FOUND
        return self.refresher.selector is not None or missing

    @property
    def settled(self) -> bool:
        """Whether target, pods, profiles and ledger were read once, so that the status of a former leader may change.

        After SETTLING_SECONDS, the status shows what is missing.
        """
        if self.core.document is None or self.world.monotonic() - self._began >= SETTLING_SECONDS:
            return self.loaded or bool(self.problem)
        return self.loaded and self.refresher.done and self.control is not None

    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop` is set, then store the last state; cancel it to leave without a write."""
        acting = Acting(
            key=self.key,
            world=self.world,
            facts=lambda: self.facts,
            changed=self._changed,
            publish=self._publish_control,
            follow=self.follow,
            step=self.step,
        )
        work = {
            "its control loop": acting.run,
            "reading its target and profiles": self._refresh,
            "watching its replicas": self._watch_replicas,
            "watching its resources": self._watch_resources,
        }
        tasks = [
            asyncio.create_task(keep_running(f"monitor {self.key}: {what}", partial(run, stop), stop))
            for what, run in work.items()
        ]
        try:
            while not stop.is_set():
                try:
                    await self.turn()
                except Exception:
                    _LOG.exception("monitor %s: a turn failed; the next one tries again", self.key)
                await pause(stop, TURN)
            await asyncio.gather(*tasks)
            if self.loaded and self.core.document is not None:
                await self.checkpoint()
        finally:
            await cancel_all(f"monitor {self.key}", tasks)

    async def turn(self) -> None:
        """Load the state, if that is still to do; advance, and store and publish what has changed."""
        if not self.loaded and not await self._load():
            return
        self.observe()
        now = self.world.clock()
        for version, result in self.core.advance(now):
            self.announcer.closed_tick(version, result)
        document = self.core.document
        tick = document.drift.tick_seconds if document is not None else TURN
        if self.core.dirty or self.file.due(self.world.monotonic(), tick):
            await self.checkpoint()
        elif self.loaded:
            self._publish(self.core.report(self.core.primary))
        self.announcer.blind_spots(self.blind, self.item)
        self.announcer.scaling(self.replicas, self.item)
        self.announcer.resizing(self.resources, self.item)
        if self.settled:
            await self.writer.write(self.item, self.view())

    def observe(self) -> None:
        """Take the newest document and pods from the mirrors."""
        raw = document_bytes(self.item)
        if raw != self._raw:
            self._raw, before = raw, self.core.problem
            self.core.use_document(raw)
            if self.core.problem and self.core.problem != before:
                self.world.audit.record("document_refused", self.key, reason=self.core.problem)
            elif not self.core.problem:
                self.world.audit.record("document", self.key, generation=self.item["metadata"].get("generation"))
            self.refresher.wake()
        self._observe_pods()

    def _observe_pods(self) -> None:
        """Take the pods of the target that follow this monitor, if something about them has changed."""
        selector, claims = self.refresher.selector, self.world.claims
        if self.core.document is None:
            return
        namespace, version = self.key.namespace, self.core.document.monitor.spec.model.version
        seen = self.world.pods.revision(namespace), selector, version
        if seen != self._seen:
            pods = self.world.pods.pods_in(namespace) if selector is not None else ()
            self._targeted = monitored_pods(pods, selector, version) if selector is not None else {}
            claims.claim(self.key, self.item["metadata"].get("creationTimestamp") or "", self._targeted)
        elif claims.revision(namespace) == self._claims_seen:
            return
        self._seen, self._claims_seen = seen, claims.revision(namespace)
        self.core.use_pods({uid: pod for uid, pod in self._targeted.items() if claims.owner(uid) == self.key})
        if self.core.unprofiled:
            self.refresher.wake()

    async def checkpoint(self) -> None:
        """Store the state and publish its report; after a conflict, load the state again in the next turn."""
        taken = self.core.snapshot()
        self.step("checkpoint.save")
        try:
            await self.file.save(taken.data, self.world.monotonic())
        except StoreConflictError as error:
            _LOG.warning("monitor %s: %s; it is loaded again", self.key, error)
            self._forget()
        except StoreError as error:
            self.core.dirty = True
            self.file.problem = str(error)
        else:
            self.step("checkpoint.saved")
            self.file.problem = ""
            for detector, revision in taken.revisions:
                detector.checkpointed(revision)
            self._publish(taken.report)

    def sync(self, request: SyncRequest) -> SyncResponse:
        """Take the report of a pod."""
        return self.core.receive(request, self.world.clock())

    def take_signals(self, signals: Signals) -> None:
        """Take the load of a pod; the newest one of each pod is kept."""
        if signals.pod.uid in self.core.pods:
            self.world.signals.take(signals, self.world.clock())

    async def offer(self, pod_uid: str, profile_hash: str, body: bytes) -> None:
        """Freeze the learned profile `body`, if the version of the pod has none yet; raise StoreError."""
        pod = self.core.pods.get(pod_uid)
        state = self.core.versions.get(pod.version) if pod is not None else None
        if pod is None or (state is not None and state.profile is not None):
            return
        if await self.refresher.freeze(self.core, pod.version, body):
            self.world.audit.record(
                "profile_frozen", self.key, version=pod.version, profile_hash=profile_hash, pod=pod.name
            )

    def view(self) -> MonitorView:
        """Return everything that the status of the monitor shows."""
        core, contact_age = self.core, self.world.contact_age()
        return MonitorView(
            generation=self.item["metadata"].get("generation") or 0,
            document=core.document,
            troubles=tuple(self._troubles()),
            versions=tuple(core.versions.values()),
            wanted=core.wanted,
            served=core.served,
            primary=core.primary,
            fleet=core.status(core.primary),
            heard=core.heard,
            expected=sum(pod.since is not None for pod in core.pods.values()),
            clock_off=core.clock_off,
            injection=self.injection.finding,
            bypass_trouble=self.bypass.trouble,
            shared=len(self._targeted) - len(core.pods),
            report=self.published,
            blind=self.blind,
            control=self.control,
            stopped=stop_reason(killed=self.world.kill_switch.on(), paused=self.paused),
            loaded=self.loaded,
            contact_lost=contact_age > OLDEST_CONTACT,
            scaling=self.replicas,
            resizing=self.resources,
        )

    def _troubles(self) -> Iterator[Trouble]:
        """Yield what prevents the monitor from working, the most important first."""
        if self.core.problem:
            yield Trouble(Reason.DOCUMENT_INVALID, self.core.problem)
        if problem := self.problem or self.file.problem:
            yield Trouble(Reason.CHECKPOINT_FAILED, problem)
        if self.refresher.trouble is not None:
            yield self.refresher.trouble

    async def _load(self) -> bool:
        try:
            data = await self.file.load()
        except StoreError as error:
            self.problem = str(error)
            return False
        if data is not None:
            try:
                self.core.restore(data)
            except (PilotfishError, DetectorError) as error:
                _LOG.error("monitor %s: %s", self.key, error)
                self.world.audit.record("state_lost", self.key, reason=str(error))
                self.core = MonitorCore(self.key, self.world.clock())
        self.problem, self.loaded = "", True
        return True

    def _forget(self) -> None:
        self.core = MonitorCore(self.key, self.world.clock())
        self.loaded, self._raw, self._seen = False, b"", None
        self.refresher = self.refresher.renewed()

    async def _refresh(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            if self.loaded:
                await self.refresh()
            await self.refresher.wait(stop)

    async def _watch_replicas(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            if self.loaded:
                await self.scaling.look(self.core, self.refresher.selector)
            await pause(stop, self.scaling.wait)

    async def _watch_resources(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            if self.loaded:
                await self.turn_resources()
            await pause(stop, TURN)

    async def turn_resources(self) -> None:
        """Look at the resources if that is due; without any valid document, they stay and count in their pool."""
        if self.core.document is None and self.core.problem:
            await self.invalid.turn(self.item)
        else:
            await self.resizing.turn(self.core, self.refresher.selector)

    def follow(self, ledger: IntentLedger) -> None:
        """Take what was changed of replicas and resources from `ledger`."""
        self.scaling.follow(ledger)
        self.resizing.follow(ledger)

    async def refresh(self) -> None:
        """Read target and profiles, and look for pods without a sidecar and for Services that go past the proxies."""
        await self.refresher.refresh(self.core, self.observe)
        if self.refresher.selector is not None:
            present = sum(not pod.ending for pod in self._targeted.values())
            await self.injection.look(self.refresher.selector, self.refresher.replicas, present)
            await self.bypass.look(self.core.pods.values(), self.signals)

    def _publish(self, report: Report | None) -> None:
        if report is not None:
            self.announcer.published(report, self.item)
            self.published = report

    def _publish_control(self, status: ControlStatus) -> None:
        self.control = status

    def _changed(self, entry: LedgerEntry) -> None:
        self.announcer.intent(entry, self.item)
