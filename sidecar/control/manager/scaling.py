"""Watches the replicas of one monitor's target: reads it and the signals, and runs the recommender each interval.

    target (owners, rollout, budgets) + pods of the mirror + signals of pods and other sources
        --each interval--> recommend --> ScalingLook --each second--> ScaleView --> ../scale/guard.py --> control loop

The state of the recommender is part of the monitor's checkpoint, and the control loop's ledger has what was written.
Another leader therefore continues, and counts no change twice: `follow` passes the delivered entries on.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ...errors import number, quote_value
from ...log import whole_second
from ...settings.document import ModelMonitor, TargetRef
from ...settings.scaling import Scaling
from ..ledger import DELIVERED, SUPERSEDED, IntentLedger, LedgerEntry
from ..reasons import Reason
from ..scale.facts import ScaleFacts
from ..scale.guard import ScaleView, Wish
from ..scale.manual import OwnWrite, blocking_owner, manual_change
from ..scale.plan import ScalePlan
from ..scale.policy import KIND
from ..scale.recommender import Recommendation, recommend
from ..scale.state import ScaleState, ScaleStateError, scaled
from ..scale.target import TargetFacts
from ..situation import Fact
from ..workload.hold import Hold, hold_of
from .checkpoint import ScalingCheckpoint
from .core import MonitorCore
from .facts import stop_reason
from .key import MonitorKey, target_key
from .saturation import saturation
from .scaling_pods import NO_PODS, RECENT_SECONDS, PodsReading, read_pods
from .scaling_sources import SignalReading, SignalRequest
from .selectors import Selector
from .target_watch import SHARED_SECONDS, TargetWatch, unknown_fact
from .trouble import Trouble
from .world import World

_LOG = logging.getLogger("pilotfish.control")
SETTLING = 1.0  # seconds between two looks while the target is not known yet


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalingLook:
    """What one interval has seen and computed, begun at `at` in epoch seconds.

    `target` is None until it was read once, and `target_at` is when it was requested. `trouble` is why it could not be
    read now. `problems` are those of the sources, by signal id.
    """

    at: float
    document: ModelMonitor
    settings: Scaling
    target: TargetFacts | None = None
    target_at: float = 0.0
    trouble: Trouble | None = None
    pods: PodsReading = NO_PODS
    external: bool = False
    recommendation: Recommendation | None = None
    problems: Mapping[str, str] = field(default_factory=dict)

    @property
    def wish(self) -> Wish | None:
        """The recommendation for the guard; None before the first one."""
        found = self.recommendation
        if found is None:
            return None
        return Wish(found.desired, found.reason, _explained(found, self.pods), self.at, held=found.held)


@dataclass
class ScalingWatch:
    """The replicas of the monitor `key`. `look` is the newest one, None while the document has no `spec.scaling`."""

    key: MonitorKey
    world: World
    targets: TargetWatch
    latest: ScalingLook | None = None
    _state: ScaleState = field(default_factory=ScaleState)
    _core: MonitorCore | None = None  # whose checkpoint the state is from
    _ledger: IntentLedger | None = None
    _writes: tuple[OwnWrite, ...] = ()  # that were or may have been made, the oldest first
    _attempted_at: float = 0.0  # when the replicas were, or may have been, changed last
    _recorded: float = 0.0  # the time of the newest one that the recommender knows

    @property
    def wait(self) -> float:
        """The seconds until the next look."""
        look = self.latest
        return look.settings.interval if look is not None and (look.wish or look.trouble) else SETTLING

    async def look(self, core: MonitorCore, selector: Selector | None) -> None:
        """Read the target and the signals, and run the recommender; a target that cannot be read is trouble."""
        monitor = core.document.monitor if core.document is not None else None
        if monitor is None or monitor.spec.scaling is None or monitor.spec.target_ref is None:
            self.latest = None
            return
        self._continue(core)
        at, before = self.world.clock(), self.latest
        found = ScalingLook(at=at, document=monitor, settings=monitor.spec.scaling)
        key = target_key(self.key.namespace, monitor.spec.target_ref)
        attempted_at = last_attempt(self._ledger, key) if self._ledger is not None else 0.0
        max_age = min(SHARED_SECONDS, found.settings.interval / 2)  # one that was made for the resources since
        reading = await self.targets.read_replicas(monitor.spec.target_ref, max_age, after=attempted_at)
        target = reading.facts
        if target is None:
            self.latest = _troubled(found, before, reading.trouble)
            return
        found = replace(found, target=target, target_at=reading.at)
        if selector is None or self._ledger is None:
            self.latest = found
            return
        self._writes, self._attempted_at = own_writes(self._ledger, key), last_attempt(self._ledger, key)
        signals = await self._read_sources(monitor, selector, at)
        self.latest = self._recommend(found, target, selector, signals, core)

    async def _read_sources(self, monitor: ModelMonitor, selector: Selector, now: float) -> SignalReading:
        items = self.world.pods.pods_in(self.key.namespace)
        names = frozenset(
            item["metadata"]["name"] for item in items if selector.matches(item["metadata"].get("labels") or {})
        )
        wanted = SignalRequest(key=self.key, document=monitor, selector=selector, pods=names, now=now)
        readings = await asyncio.gather(*(source.read(wanted) for source in self.world.signal_sources))
        return SignalReading(
            totals=tuple(total for reading in readings for total in reading.totals),
            by_pod={id_: values for reading in readings for id_, values in reading.by_pod.items()},
            requests={id_: values for reading in readings for id_, values in reading.requests.items()},
            problems={id_: text for reading in readings for id_, text in reading.problems.items()},
        )

    def _recommend(
        self, found: ScalingLook, target: TargetFacts, selector: Selector, reading: SignalReading, core: MonitorCore
    ) -> ScalingLook:
        now, settings = self.world.clock(), found.settings
        items = self.world.pods.pods_in(self.key.namespace)
        window = max(RECENT_SECONDS, settings.interval)
        loads = self.world.signals.recent((item["metadata"]["uid"] for item in items), now - window, now)
        pods = read_pods(items, selector, settings, loads, reading, now, self._attempted_at)
        facts = ScaleFacts(
            spec_replicas=target.spec_replicas,
            status_replicas=target.status_replicas,
            pods=pods.pods,
            external=reading.totals,
            saturated=saturation(pods.pods, loads, settings),
            at=found.at,
        )
        if self._recorded > now:  # the clock was set back
            self._recorded = 0.0
        for write in self._writes:
            if self._recorded < write.at <= now:
                self._state = scaled(self._state, write.before, write.after, write.at)
                self._recorded = write.at
        recommendation, self._state = recommend(ScalePlan.of(settings), facts, self._state, now)
        manual = manual_change(self._writes, target, core.scaling.manual)
        core.dirty = core.dirty or manual != core.scaling.manual
        core.scaling = ScalingCheckpoint(recommender=self._state.encode(), manual=manual)
        return replace(
            found,
            pods=pods,
            external=bool(reading.totals),
            recommendation=recommendation,
            problems=reading.problems,
        )

    def view(self, *, paused: bool) -> ScaleView | None:
        """Return what is known about the replicas now; None while the document has no `spec.scaling`."""
        look, now = self.latest, self.world.clock()
        if look is None or look.document.spec.target_ref is None:
            return None
        target, settings = look.target, look.settings
        elsewhere = self._elsewhere(look.document.spec.target_ref)
        view = ScaleView(
            key=target_key(self.key.namespace, look.document.spec.target_ref),
            settings=settings,
            mode=settings.mode or look.document.spec.mode,
            stopped=stop_reason(killed=self.world.kill_switch.on(), paused=paused),
            trouble=elsewhere or hold_of(look.trouble),
            contact_age=self.world.contact_age(),
            replicas=Fact(target.spec_replicas, look.target_at) if target is not None else None,
            wish=look.wish,
            heard=look.pods.heard,
            expected=look.pods.expected,
            starting=look.pods.starting,
            outdated=look.pods.outdated,
            external=look.external,
        )
        if target is None:
            return view
        return replace(
            view,
            unknown=unknown_fact(target, beside="verticalAutoscalers"),
            owner=self._owner(target, settings),
            manual=self._manual_hold(settings, now),
            rollout=target.rollout,
            unschedulable=target.unschedulable,
            refused=target.refused,
            floor=target.disruption_floor or 0,
        )

    def follow(self, ledger: IntentLedger) -> None:
        """Take what was written from `ledger`, for the recommender and to find what others have changed since."""
        self._ledger = ledger

    def _continue(self, core: MonitorCore) -> None:
        """Take the state from the checkpoint of `core`, if it is another one than before."""
        if core is self._core:
            return
        self._core, self._recorded = core, 0.0
        try:
            stored = core.scaling.recommender
            self._state = ScaleState.decode(stored) if stored else ScaleState()
        except ScaleStateError as error:
            _LOG.warning("monitor %s: %s", self.key, error)
            self._state = ScaleState()

    def _elsewhere(self, target: TargetRef) -> Hold | None:
        scaler = self.world.scaling_targets.scaler(self.key.namespace, target)
        if scaler is None or scaler.uid == self.key.uid:
            return None
        what = f"the ModelMonitor {scaler.name} scales {target.kind} {target.name} already"
        return Hold(Reason.SCALING_ELSEWHERE, f"{what}; {Reason.SCALING_ELSEWHERE.remedy}")

    def _owner(self, target: TargetFacts, settings: Scaling) -> Hold | None:
        owner = blocking_owner(self._writes, target, take_ownership=settings.take_ownership)
        return Hold(owner.reason, owner.message) if owner is not None else None

    def _manual_hold(self, settings: Scaling, now: float) -> Hold | None:
        change = self._core.scaling.manual if self._core is not None else None
        left = change.held_for(settings.manual_hold, now) if change is not None else 0.0
        if change is None or not left:
            return None
        who = f"{quote_value(change.manager)} set" if change.manager else "somebody set"
        until = whole_second(now + left)
        return Hold(Reason.MANUAL_CHANGE, f"{who} {number(change.replicas, 'replica')}; scaling continues at {until}")


def own_writes(ledger: IntentLedger, key: str) -> tuple[OwnWrite, ...]:
    """Return the writes to the target `key` that were made, or may have been, the oldest first."""
    entries = (entry for entry in ledger.entries.values() if (entry.kind, entry.key) == (KIND, key))
    return tuple(sorted(filter(None, map(_own_write, entries)), key=lambda write: write.at))


def last_attempt(ledger: IntentLedger, key: str) -> float:
    """Return when the last attempt to change the target `key` began or ended; 0 without one.

    A leader that was killed may have made it without recording its outcome.
    """
    entries = (entry for entry in ledger.entries.values() if (entry.kind, entry.key) == (KIND, key))
    return max((entry.changed_at for entry in entries if entry.attempts), default=0.0)


def _own_write(entry: LedgerEntry) -> OwnWrite | None:
    """Return the write that `entry` made or, without an answer, may have made; None if it made none."""
    sent = entry.state == DELIVERED or (
        entry.state == SUPERSEDED and entry.reason == Reason.SATISFIED and entry.attempts
    )
    if not sent or not isinstance(entry.observed, int) or not isinstance(entry.desired, int):
        return None
    return OwnWrite(entry.observed, entry.desired, entry.changed_at)


def _explained(recommendation: Recommendation, pods: PodsReading) -> str:
    if not pods.sampled:
        return recommendation.text
    sampled = f"{number(pods.sampled, 'pod')} of an older release sent the concurrency of a moment instead of its mean"
    return f"{recommendation.text}; {sampled}"


def _troubled(found: ScalingLook, before: ScalingLook | None, trouble: Trouble | None) -> ScalingLook:
    """Return a look without a target: what was known before stays, grows old, and is not acted on."""
    if before is None or before.document.spec.target_ref != found.document.spec.target_ref:
        return replace(found, trouble=trouble)
    return replace(before, document=found.document, settings=found.settings, trouble=trouble)
