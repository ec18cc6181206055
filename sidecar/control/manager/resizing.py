"""Watches the resources of one monitor's target: reads the use of its container, and recommends each interval.

    pods of the mirror, metrics.k8s.io, loads of the sidecars --each interval--> observe, recommend --> ResizeLook
    ResizeLook + pods + ledger --each second--> ResizeView --> ../resize/guard.py --> control loop

It observes and recommends in every mode, also where nothing may act. The state of the recommender is part of the
monitor's checkpoint, and the control loop's ledger has what was changed. Another leader therefore continues.
"""

from __future__ import annotations

import asyncio
import logging
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
from ..resize.state import ResizeState, ResizeStateError
from ..resize.usage import OomKill
from ..resize.wish import rounded, target_of
from ..scale.target import TargetFacts
from ..situation import ACT
from ..workload.hold import Hold
from .checkpoint import ResizingCheckpoint
from .core import MonitorCore
from .facts import stop_reason
from .key import MonitorKey
from .resizing_effect import EffectWatch
from .resizing_owners import withheld_resources
from .resizing_pods import (
    PastChanges,
    ResizePlanning,
    is_settling,
    oom_kills,
    pod_key,
    pod_view,
    present_pods,
    template_view,
)
from .resizing_pool import latency_of, pool_load, pool_member, with_share
from .resizing_sources import NamespaceLimits, PodMetricsReading
from .resizing_usage import NO_USAGE, UsageReading, read_usage, unknown_resources
from .selectors import Selector
from .trouble import Trouble, TroubleError
from .world import Item, World

_LOG = logging.getLogger("pilotfish.control")
FACTS_SECONDS = 15.0  # between two readings of the target while a pod is to be resized
MOST_KILLS = 500  # identities of kills that are kept
_UNSURE = frozenset((Reason.LOW_CONFIDENCE, Reason.USAGE_MISSING))


@dataclass(frozen=True, slots=True, kw_only=True)
class ResizeLook:
    """What one interval has seen and computed, begun at `at` in epoch seconds.

    `target` is None until it was read once; `trouble` is why it could not be read now. `planning` decides on the pods.
    """

    at: float
    document: ModelMonitor
    settings: Resources
    target: TargetFacts | None = None
    trouble: Trouble | None = None
    usage: UsageReading = NO_USAGE
    recommendation: ResourceRecommendation | None = None
    planning: ResizePlanning | None = None
    withheld: Mapping[str, Hold] = field(default_factory=dict)
    unknown: Hold | None = None
    share: PoolShare | None = None
    without_effect: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Seen:
    """A pod as it was when its view was made."""

    item: Item
    planning: ResizePlanning
    past: PastChanges
    view: ResizedPod


@dataclass
class ResizeWatch:
    """The resources of the monitor `key`. `latest` is the newest look, None while the document has no block for it."""

    key: MonitorKey
    world: World
    latest: ResizeLook | None = None
    _state: ResizeState = field(default_factory=ResizeState)
    _subject: str = ""  # what the state is about; empty before the first look
    _core: MonitorCore | None = None  # whose checkpoint the state is from
    _ledger: IntentLedger | None = None
    _attempts: Attempts = field(default_factory=Attempts)
    _kills: dict[str, OomKill | None] = field(default_factory=dict)  # that the recommender has seen, by identity
    _killed_at: float = 0.0
    _effects: EffectWatch = field(default_factory=EffectWatch)
    _views: dict[str, _Seen] = field(default_factory=dict)
    _looked_at: float = float("-inf")
    _read_at: float = float("-inf")
    _selector: Selector | None = None

    def due(self, core: MonitorCore, selector: Selector | None) -> bool:
        """Return whether to look again: after the interval, for a new document, and at once after an OOM kill."""
        monitor, look = _monitor(core), self.latest
        if look is None or look.document is not monitor or core is not self._core:
            return look is not None or (monitor is not None and monitor.spec.resources is not None)
        if selector is not None and look.planning is None and look.trouble is None:
            return True
        waited = self.world.monotonic() - self._looked_at >= look.settings.interval
        return waited or (selector is not None and bool(self._new_kills(selector, look.settings)))

    async def turn(self, core: MonitorCore, selector: Selector | None) -> None:
        """Look again if that is due; else read the target again while a pod is to be resized."""
        if self.due(core, selector):
            await self.look(core, selector)
        elif self.world.monotonic() - self._read_at >= FACTS_SECONDS and any(
            one.view.wanted for one in self._views.values()
        ):
            await self._read_facts()

    async def _read_facts(self) -> None:
        """Read rollout, owners and pods without a node again; another owner of a resource needs a whole look."""
        look, self._read_at = self.latest, self.world.monotonic()
        if look is None or look.document.spec.target_ref is None:
            return
        try:
            target = await self.world.read_resize_target(self.key.namespace, look.document.spec.target_ref)
        except TroubleError:
            return  # the next look reports it
        owned = withheld_resources(self.world.scaling_targets, self.key.namespace, look.document, target)
        changed = not owned.keys() <= look.withheld.keys()
        self.latest = replace(
            look,
            target=target,
            unknown=_unknown(target) or look.unknown,
            planning=None if changed else look.planning,
        )

    async def look(self, core: MonitorCore, selector: Selector | None) -> None:
        """Read the target and the use of its container, and recommend; a target that cannot be read is trouble."""
        monitor = _monitor(core)
        if monitor is None or monitor.spec.resources is None or monitor.spec.target_ref is None:
            self.latest = None
            return
        self._continue(core)
        self._turn_to(f"{target_key(self.key.namespace, monitor.spec.target_ref)}/{monitor.spec.resources.container}")
        self._looked_at = self._read_at = self.world.monotonic()
        self._selector, before = selector, self.latest
        found = ResizeLook(at=self.world.clock(), document=monitor, settings=monitor.spec.resources)
        try:
            target = await self.world.read_resize_target(self.key.namespace, monitor.spec.target_ref)
        except TroubleError as error:
            self.latest = _troubled(found, before, error.trouble)
            return
        found = replace(
            found,
            target=target,
            withheld=withheld_resources(self.world.scaling_targets, self.key.namespace, monitor, target),
        )
        if selector is None or self._ledger is None:
            self.latest = found
            return
        pods = tuple(present_pods(self.world.pods.pods_in(self.key.namespace), selector, found.settings.container))
        nodes = [str((item.get("spec") or {}).get("nodeName") or "") for item in pods]
        metrics, limits = await asyncio.gather(
            self.world.read_pod_metrics(self.key.namespace), self.world.read_limits(self.key.namespace, nodes)
        )
        unknown = Hold(limits.problem.reason, limits.problem.text) if limits.problem is not None else None
        self.latest = self._recommend(
            replace(found, unknown=_unknown(target) or unknown), pods, metrics, limits, selector
        )
        core.resizing = ResizingCheckpoint(
            subject=self._subject,
            recommender=self._state.encode(),
            kills=tuple(self._kills),
            killed_at=self._killed_at,
        )

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
        self._state = observe(self._state, plan, usage.usages, tuple(kills.values()), now, latency)
        if kills and self._core is not None:
            self._core.dirty = True
        self._kills = dict([*self._kills.items(), *kills.items()][-MOST_KILLS:])
        self._killed_at = max((self._killed_at, *(kill.at for kill in kills.values())))
        recommendation = recommend(plan, self._state, now)
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
            killed_at=self._killed_at,
            withheld=frozenset(withheld),
            shares=share.pods if share is not None else None,
        )
        slow = settings.latency is not None and latency is not None and latency > settings.latency.target
        template = found.target.template if found.target is not None else None
        return replace(
            found,
            without_effect=self._effects.look(
                pods, usage.usages, self._attempts, template, settings.container, busy=slow or None, now=now
            ),
            usage=usage,
            recommendation=recommendation,
            planning=planning,
            share=share,
            withheld=withheld,
        )

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

    def _new_kills(self, selector: Selector, settings: Resources) -> dict[str, OomKill]:
        """Return the kills for memory that the recommender has not seen, by identity."""
        items = self.world.pods.pods_in(self.key.namespace)
        own = [item for item in items if selector.matches(item["metadata"].get("labels") or {})]
        kills = (kill for item in own for kill in oom_kills(item, settings.container))
        now = self.world.clock()  # the clock of a node may be ahead
        return {
            identity: replace(kill, at=min(kill.at, now)) for identity, kill in kills if identity not in self._kills
        }

    def view(self, *, paused: bool) -> ResizeView | None:
        """Return what is known about the resources now; None while the document has no `spec.resources`."""
        look, current = self.latest, _monitor(self._core)
        if look is None or current is None or current.spec.resources is None or look.document.spec.target_ref is None:
            return None
        target, reference = look.target, look.document.spec.target_ref
        trouble = Hold(look.trouble.reason, look.trouble.text) if look.trouble is not None else None
        owner = target.resources_owner if target is not None else None
        return ResizeView(
            key=target_key(self.key.namespace, reference),
            settings=look.settings,
            mode=current.spec.resources.mode or current.spec.mode,
            stopped=stop_reason(killed=self.world.kill_switch.on(), paused=paused),
            trouble=self._elsewhere(reference, look.settings) or trouble,
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
        planning, selector = look.planning, self._selector
        if planning is None or selector is None:
            return ()
        if look.settings.method == "rollout":
            return self._template(look, planning, now)
        namespace, container = self.key.namespace, look.settings.container
        found: dict[str, _Seen] = {}
        for item in present_pods(self.world.pods.pods_in(namespace), selector, container):
            uid, key = item["metadata"]["uid"], pod_key(namespace, item, container)
            past, known = self._past(key), self._views.get(uid)
            if known is None or known.item is not item or known.planning is not planning or known.past != past:
                known = _Seen(item, planning, past, pod_view(item, key, planning, past))
            found[uid] = known
        self._views = found
        return tuple(
            replace(one.view, settling=True) if is_settling(one.view, one.past, now) else one.view
            for one in found.values()
        )

    def _template(self, look: ResizeLook, planning: ResizePlanning, now: float) -> tuple[ResizedPod, ...]:
        target = look.target
        if target is None or target.template is None or look.document.spec.target_ref is None:
            return ()
        key = f"{target_key(self.key.namespace, look.document.spec.target_ref)}/{look.settings.container}"
        past = self._past(key)
        view = template_view(target.template, key, planning, past, target.created_at)
        if view is None:
            return ()
        unread = past.attempt is not None and past.attempt.at >= look.at  # the template is from before the change
        return (replace(view, settling=True) if unread or is_settling(view, past, now) else view,)

    def _past(self, key: str) -> PastChanges:
        return PastChanges(self._attempts.newest.get(key), self._attempts.refusals.get(key))

    def _continue(self, core: MonitorCore) -> None:
        """Take the state from the checkpoint of `core`, if it is another one than before."""
        if core is self._core:
            return
        self._core, stored = core, core.resizing
        self._subject = stored.subject
        self._kills, self._killed_at = dict.fromkeys(stored.kills), stored.killed_at
        try:
            self._state = ResizeState.decode(stored.recommender) if stored.recommender else ResizeState()
        except ResizeStateError as error:
            _LOG.warning("monitor %s: %s", self.key, error)
            self._state = ResizeState()

    def _turn_to(self, subject: str) -> None:
        """Begin anew if the document names another container or target: their use says nothing about this one."""
        if self._subject not in ("", subject):
            self._state, self._killed_at, self._effects, self.latest = ResizeState(), 0.0, EffectWatch(), None
        self._subject = subject

    def _elsewhere(self, target: TargetRef, settings: Resources) -> Hold | None:
        resizer = self.world.scaling_targets.resizer(self.key.namespace, target, settings.container)
        if resizer is None or resizer.uid == self.key.uid:
            return None
        what = f"the container {settings.container} of {target.kind} {target.name}"
        text = f"the older ModelMonitor {resizer.name} decides on {what}, in its own mode"
        return Hold(Reason.RESIZING_ELSEWHERE, f"{text}; {Reason.RESIZING_ELSEWHERE.remedy}")


def target_key(namespace: str, target: TargetRef) -> str:
    """Return kind, namespace and name of `target`."""
    return f"{target.kind}/{namespace}/{target.name}"


def _monitor(core: MonitorCore | None) -> ModelMonitor | None:
    return core.document.monitor if core is not None and core.document is not None else None


def _unknown(target: TargetFacts) -> Hold | None:
    """Return the first fact about the target that could not be read: nothing is done without it."""
    found = (problem for problem in target.problems if problem.fact != "budgets")
    return next((Hold(problem.reason, problem.text) for problem in found), None)


def _unsure(look: ResizeLook) -> Hold | None:
    """Return why there is no recommendation to act on."""
    found = look.recommendation
    if look.usage.problem and not look.usage.usages:
        return Hold(Reason.USAGE_MISSING, f"{look.usage.problem}; {Reason.USAGE_MISSING.remedy}")
    if found is not None and found.reason in _UNSURE:
        return Hold(found.reason, found.text)
    return None


def _troubled(found: ResizeLook, before: ResizeLook | None, trouble: Trouble) -> ResizeLook:
    """Return a look without a target: what was known before stays, grows old, and is not acted on."""
    if before is None or before.settings != found.settings:
        return replace(found, trouble=trouble)
    return replace(before, document=found.document, trouble=trouble)
