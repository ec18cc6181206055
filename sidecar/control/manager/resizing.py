"""Watches the resources of one monitor's target: reads the use of its container, and recommends each interval.

    pods of the mirror, metrics.k8s.io, loads of the sidecars --each interval--> observe, recommend --> ResizeLook
    ResizeLook + pods + ledger --each second--> ResizeView --> ../resize/guard.py --> control loop

It observes and recommends in every mode, also where nothing may act. The state of the recommender is part of the
monitor's checkpoint, and the control loop's ledger has what was changed. Another leader therefore continues.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from ...settings.document import ModelMonitor, TargetRef
from ...settings.resources import Resources
from ..ledger import IntentLedger
from ..reasons import Reason
from ..resize.attempts import Attempts
from ..resize.guard import ResizedPod, ResizeView
from ..resize.plan import ResizePlan
from ..resize.pool.member import PoolLoad, PoolShare
from ..resize.recommender import ResourceRecommendation, observe, recommend
from ..resize.usage import OomKill
from ..resize.wish import rounded, target_of
from ..scale.target import TargetFacts
from ..situation import ACT
from ..workload.hold import Hold, hold_of
from .core import MonitorCore
from .facts import stop_reason
from .key import MonitorKey, target_key
from .resizing_effect import EffectWatch
from .resizing_memory import ResizeMemory
from .resizing_owners import withheld_resources
from .resizing_pods import ResizePlanning, present_pods
from .resizing_pool import latency_of, pool_load, pool_member, unchanged_member, with_share
from .resizing_sources import NamespaceLimits, PodMetricsReading
from .resizing_usage import NO_USAGE, UsageReading, read_usage, unknown_resources
from .resizing_views import PodViews, template_views
from .selectors import Selector
from .target_watch import SHARED_SECONDS, TargetReading, TargetWatch, unknown_fact
from .world import Item, World

_UNSURE = frozenset((Reason.LOW_CONFIDENCE, Reason.USAGE_MISSING))


@dataclass(frozen=True, slots=True, kw_only=True)
class ResizeLook:
    """What one interval has seen and computed, begun at `at` in epoch seconds; `began` is the same without clock steps.

    `reading` is that of the target; one that failed has no `target`, which stays from before. `selector` is that of the
    pods; None while it is not known. `planning` decides on them.
    """

    at: float
    began: float
    document: ModelMonitor
    settings: Resources
    reading: TargetReading
    target: TargetFacts | None = None
    selector: Selector | None = None
    usage: UsageReading = NO_USAGE
    planning: ResizePlanning | None = None
    withheld: Mapping[str, Hold] = field(default_factory=dict)
    share: PoolShare | None = None
    without_effect: tuple[str, ...] = ()

    @property
    def unknown(self) -> Hold | None:
        """What could not be read of the target or of the limits of its namespace: nothing is done without it."""
        found = unknown_fact(self.target, beside="budgets") if self.target is not None else None
        return found or (hold_of(self.planning.limits.problem) if self.planning is not None else None)

    @property
    def recommendation(self) -> ResourceRecommendation | None:
        """What `planning` is from; None before it is known."""
        return self.planning.recommendation if self.planning is not None else None


@dataclass
class ResizeWatch:
    """The resources of the monitor `key`. `latest` is the newest look, None while the document has no block for it."""

    key: MonitorKey
    world: World
    targets: TargetWatch
    latest: ResizeLook | None = None
    _core: MonitorCore | None = None  # whose checkpoint the memory is from
    _memory: ResizeMemory = field(default_factory=ResizeMemory)
    _ledger: IntentLedger | None = None
    _attempts: Attempts = field(default_factory=Attempts)  # of the ledger
    _effects: EffectWatch = field(default_factory=EffectWatch)
    _views: PodViews = field(default_factory=PodViews)

    def due(self, core: MonitorCore, selector: Selector | None) -> bool:
        """Return whether to look again: after the interval, for a new document, and at once after an OOM kill."""
        monitor, look = _monitor(core), self.latest
        if look is None or look.document is not monitor or core is not self._core:
            return look is not None or (monitor is not None and monitor.spec.resources is not None)
        if selector is not None and look.planning is None and look.reading.trouble is None:
            return True
        waited = self.world.monotonic() - look.began >= look.settings.interval
        return waited or (selector is not None and bool(self._new_kills(selector, look.settings)))

    async def turn(self, core: MonitorCore, selector: Selector | None) -> None:
        """Look again if that is due; else read the target again while a pod is to be resized."""
        if self.due(core, selector) or (self._views.wanted and await self._owned_anew()):
            await self.look(core, selector)

    async def _owned_anew(self) -> bool:
        """Take rollout, owners and pods without a node again; return whether a resource has got another owner."""
        look = self.latest
        if look is None or look.document.spec.target_ref is None:
            return False
        reading = await self.targets.read_object(look.document, look.document.spec.target_ref, SHARED_SECONDS)
        target = reading.facts
        if target is None or reading is look.reading:
            return False  # the next look reports why it cannot be read
        self.latest = replace(look, reading=reading, target=target)
        owned = withheld_resources(self.world.scaling_targets, self.key.namespace, look.document, target)
        return not owned.keys() <= look.withheld.keys()

    async def look(self, core: MonitorCore, selector: Selector | None) -> None:
        """Read the target and the use of its container, and recommend; a target that cannot be read is trouble."""
        monitor = _monitor(core)
        if monitor is None or monitor.spec.resources is None or monitor.spec.target_ref is None:
            self.latest = None
            return
        self._continue(core)
        settings, reference = monitor.spec.resources, monitor.spec.target_ref
        if self._memory.turn_to(f"{target_key(self.key.namespace, reference)}/{settings.container}"):
            self._effects, self.latest = EffectWatch(), None
        at, began, before = self.world.clock(), self.world.monotonic(), self.latest
        reading = await self.targets.read_object(monitor, reference, SHARED_SECONDS)
        found = ResizeLook(at=at, began=began, document=monitor, settings=settings, reading=reading)
        target = reading.facts
        if target is None:
            self.latest = _troubled(found, before)
            if reading.trouble is not None and reading.trouble.reason is Reason.TARGET_NOT_FOUND:
                self._publish_absent(settings, selector)
            return
        withheld = withheld_resources(self.world.scaling_targets, self.key.namespace, monitor, target)
        found = replace(found, target=target, selector=selector, withheld=withheld)
        if selector is None or self._ledger is None:
            self.latest = found
            return
        pods = self._present(selector, settings)
        nodes = [str((item.get("spec") or {}).get("nodeName") or "") for item in pods]
        metrics, limits = await asyncio.gather(
            self.world.read_pod_metrics(self.key.namespace), self.world.read_limits(self.key.namespace, nodes)
        )
        self.latest = self._recommend(found, pods, metrics, limits, selector)
        core.resizing = self._memory.stored

    def _recommend(
        self,
        found: ResizeLook,
        pods: Sequence[Item],
        metrics: PodMetricsReading,
        limits: NamespaceLimits,
        selector: Selector,
    ) -> ResizeLook:
        """Observe and recommend; there is no wait between the exchange with the pool and the result."""
        now, settings, plan = self.world.clock(), found.settings, ResizePlan.of(found.settings)
        uids = [item["metadata"]["uid"] for item in pods]
        newest, recent = self.world.signals.newest(uids), self.world.signals.recent(uids, now - settings.interval, now)
        usage, kills = read_usage(pods, settings.container, metrics, newest, now), self._new_kills(selector, settings)
        latency = latency_of(settings, recent.values())
        self._memory.state = observe(self._memory.state, plan, usage.usages, tuple(kills.values()), now, latency)
        if kills and self._core is not None:
            self._core.dirty = True
        self._memory.kills = self._memory.kills.counted(kills, self._own(selector), settings.container)
        recommendation = recommend(plan, self._memory.state, now)
        target = target_of(recommendation, settings)
        load = pool_load(usage, len(pods), newest.values(), now)
        share = self._share(found, selector, load, now)
        withheld = dict(found.withheld)
        if share is not None and share.cores is not None:
            target["cpu"] = rounded("cpu", share.cores, settings)
            recommendation = with_share(recommendation, share.cores)
        elif share is not None and share.reason is not None:
            withheld.setdefault("cpu", Hold(share.reason, share.text))
        for kind, hold in unknown_resources(settings, usage, recommendation, pooled=share is not None):
            withheld.setdefault(kind, hold)
        planning = ResizePlanning(
            settings=settings,
            recommendation=recommendation,
            target=target,
            at=now,
            limits=limits,
            memory=usage.memory,
            killed_at=self._memory.kills.last_at,
            withheld=frozenset(withheld),
            shares=share.pods if share is not None else None,
        )
        slow = settings.latency is not None and latency is not None and latency > settings.latency.target
        template = found.target.template if found.target is not None else None
        effects = self._effects.look(
            pods, usage.usages, self._attempts, template, settings.container, busy=slow or None, now=now
        )
        return replace(found, without_effect=effects, usage=usage, planning=planning, share=share, withheld=withheld)

    def _share(self, found: ResizeLook, selector: Selector, load: PoolLoad | None, now: float) -> PoolShare | None:
        """Publish the pods to the pool of the document, and return its share; None without a pool."""
        target, pool = found.target, found.settings.pool
        if pool is None or target is None:
            return None
        spec = found.document.spec
        owned = "cpu" in found.withheld or target.resources_owner is not None
        acts = (found.settings.mode or spec.mode) == ACT and found.settings.method == "inPlace" and not owned
        items = self.world.pods.pods_in(self.key.namespace)
        member = pool_member(found.document, items, selector, target, self._attempts.waiting, load, acts=acts)
        return self.world.pools.exchange(self.key, pool, member, now) if member is not None else None

    def _publish_absent(self, settings: Resources, selector: Selector | None) -> None:
        """Publish to the pool that the target does not exist: only its last pods count, and nobody waits for it."""
        if settings.pool is not None and settings.cpu is not None:
            items = self.world.pods.pods_in(self.key.namespace)
            member = unchanged_member(items, selector, settings.container)
            self.world.pools.exchange(self.key, settings.pool, member, self.world.clock())

    def _new_kills(self, selector: Selector, settings: Resources) -> dict[str, OomKill]:
        """Return the kills for memory that the recommender has not seen, by identity."""
        return self._memory.kills.unseen(self._own(selector), settings.container, self.world.clock())

    def _own(self, selector: Selector) -> list[Item]:
        """Return all pods of the target."""
        items = self.world.pods.pods_in(self.key.namespace)
        return [item for item in items if selector.matches(item["metadata"].get("labels") or {})]

    def _present(self, selector: Selector, settings: Resources) -> list[Item]:
        """Return the pods of the target that run and have the container."""
        return [*present_pods(self.world.pods.pods_in(self.key.namespace), selector, settings.container)]

    def view(self, *, paused: bool) -> ResizeView | None:
        """Return what is known about the resources now; None while the document has no `spec.resources`."""
        look, current = self.latest, _monitor(self._core)
        if look is None or current is None or current.spec.resources is None or look.document.spec.target_ref is None:
            return None
        target, reference = look.target, look.document.spec.target_ref
        owner = target.resources_owner if target is not None else None
        return ResizeView(
            key=target_key(self.key.namespace, reference),
            settings=look.settings,
            mode=current.spec.resources.mode or current.spec.mode,
            stopped=stop_reason(killed=self.world.kill_switch.on(), paused=paused),
            trouble=self._elsewhere(reference, look.settings) or hold_of(look.reading.trouble),
            contact_age=self.world.contact_age(),
            at=look.at if look.planning is not None and look.document is current else None,
            unknown=look.unknown,
            owner=Hold(owner.reason, owner.message) if owner is not None else None,
            unsure=_unsure(look),
            withheld=look.withheld,
            rollout=target.rollout if target is not None else "",
            unschedulable=target.unschedulable if target is not None else 0,
            pods=self._pods(look, self.world.clock()),
        )

    def follow(self, ledger: IntentLedger) -> None:
        """Take what was changed from `ledger`."""
        if ledger is not self._ledger:
            self._ledger, self._attempts = ledger, Attempts.of(ledger)

    @property
    def resized_at(self) -> float | None:
        """When a container was changed last, in epoch seconds; None if never."""
        return self._attempts.resized_at

    def _pods(self, look: ResizeLook, now: float) -> tuple[ResizedPod, ...]:
        """Return the pods as the guard sees them; one that has not changed since the last call is not read again."""
        planning, target, reference = look.planning, look.target, look.document.spec.target_ref
        if planning is None or look.selector is None or target is None or reference is None:
            return ()
        if look.settings.method == "rollout":
            key = f"{target_key(self.key.namespace, reference)}/{look.settings.container}"
            return template_views(target, key, planning, self._attempts, look.reading.at, now)
        return self._views.of_pods(self._present(look.selector, look.settings), planning, self._attempts, now)

    def _continue(self, core: MonitorCore) -> None:
        """Take the state from the checkpoint of `core`, if it is another one than before."""
        if core is self._core:
            return
        self._core, self._memory = core, ResizeMemory.of(core.resizing, self.key)

    def _elsewhere(self, target: TargetRef, settings: Resources) -> Hold | None:
        resizer = self.world.scaling_targets.resizer(self.key.namespace, target, settings.container)
        if resizer is None or resizer.uid == self.key.uid:
            return None
        what = f"the container {settings.container} of {target.kind} {target.name}"
        text = f"the older ModelMonitor {resizer.name} decides on {what}, in its own mode"
        return Hold(Reason.RESIZING_ELSEWHERE, f"{text}; {Reason.RESIZING_ELSEWHERE.remedy}")


def _monitor(core: MonitorCore | None) -> ModelMonitor | None:
    return core.document.monitor if core is not None and core.document is not None else None


def _unsure(look: ResizeLook) -> Hold | None:
    """Return why there is no recommendation to act on."""
    found = look.recommendation
    if look.usage.problem and not look.usage.usages:
        return Hold(Reason.USAGE_MISSING, f"{look.usage.problem}; {Reason.USAGE_MISSING.remedy}")
    if found is not None and found.reason in _UNSURE:
        return Hold(found.reason, found.text)
    return None


def _troubled(found: ResizeLook, before: ResizeLook | None) -> ResizeLook:
    """Return a look without a target: what was known before stays, grows old, and is not acted on."""
    if before is None or before.settings != found.settings:
        return found
    return replace(before, document=found.document, reading=found.reading, began=found.began)
