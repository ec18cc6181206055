"""Runs the control loop of one monitor, and builds it anew when the document names other receivers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from random import Random

from ...report.control_status import ControlStatus
from ...report.schema import BLIND_REASONS, FLEET_BLIND_REASONS, BlindSpot, Report
from ...tasks import cancel_all, keep_running, pause
from ..cluster import CLUSTER_POLICIES
from ..executor import Executor, Outcome, RetryAt
from ..intent import Intent
from ..ledger import IntentLedger, LedgerEntry
from ..loop import ControlLoop
from ..notify.clock import BlindClock
from ..outbox import Step, ignore_step
from ..reasons import Reason
from ..resize.guard import ResizeView
from ..scale.guard import ScaleView
from ..situation import Situation
from ..store_outbox import StoreOutbox
from .accepted import AcceptedDocument
from .audit import ObservedOutbox
from .facts import OLDEST_CONTACT, situation_of, stop_reason
from .key import MonitorKey
from .storing import LEDGER, name_of
from .world import RetrainingWatcher, World


@dataclass(frozen=True, slots=True)
class ActingFacts:
    """What the loop may act on at present: the document in force, its published report, replicas and resources."""

    document: AcceptedDocument
    report: Report
    blind: tuple[BlindSpot, ...]
    paused: bool
    scale: ScaleView | None = None
    resize: ResizeView | None = None


@dataclass(frozen=True, slots=True)
class LeaderExecutor:
    """An executor that acts only while this process leads, since the receiver cannot tell a former leader."""

    inner: Executor
    may_act: Callable[[], bool]

    async def apply(self, intent: Intent, now: float) -> Outcome:
        """Make one attempt; without leadership, postpone it."""
        if not self.may_act():
            return RetryAt(Reason.API_SERVER_UNREACHABLE)
        return await self.inner.apply(intent, now)


@dataclass(kw_only=True)
class Acting:
    """The control loop of the monitor `key`.

    `facts` returns what it may act on, None while nothing is known. `changed` receives each entry of the ledger that
    was decided or has changed, once it is stored. `publish` receives the loop's status, and `follow` the ledger before
    each decision.
    """

    key: MonitorKey
    world: World
    facts: Callable[[], ActingFacts | None]
    changed: Callable[[LedgerEntry], None]
    publish: Callable[[ControlStatus], None]
    follow: Callable[[IntentLedger], None] = lambda _ledger: None
    step: Step = ignore_step

    def build(self, document: AcceptedDocument, watcher: RetrainingWatcher) -> ControlLoop:
        """Return a loop with the executors that `document` configures; `watcher` follows what they create."""
        world, lanes = self.world, self.world.lanes(document.monitor, self.key)
        clock = BlindClock(world.clock(), world.monotonic, (*BLIND_REASONS, *FLEET_BLIND_REASONS))

        def observe(ledger: IntentLedger, now: float) -> Situation | None:
            self.follow(ledger)
            facts = self.facts()
            if facts is None or not world.may_act() or world.contact_age() > OLDEST_CONTACT:
                return None
            watcher.follow(ledger)
            return situation_of(
                self.key,
                facts.document,
                facts.report,
                ledger,
                now,
                clock.update(facts.blind, now),
                stopped=stop_reason(killed=world.kill_switch.on(), paused=facts.paused),
                alerts=world.alerts(self.key, now),
                retrainings=watcher.facts,
                scale=facts.scale,
                resize=facts.resize,
            )

        outbox = StoreOutbox(world.store, name_of(self.key, LEDGER), step=self.step)
        return ControlLoop(
            observe=observe,
            policies=CLUSTER_POLICIES,
            executors={name: LeaderExecutor(lane.executor, world.may_act) for name, lane in lanes.items()},
            receivers={name: lane.receiver for name, lane in lanes.items()},
            outbox=ObservedOutbox(outbox, self.changed),
            publish=self.publish,
            clock=world.clock,
            random=Random(),
            step=self.step,
        )

    async def run(self, stop: asyncio.Event, interval: float = 1.0) -> None:
        """Run loops until `stop` is set, each until the document names other receivers."""
        while not stop.is_set():
            facts = self.facts()
            if facts is None:
                await pause(stop, interval)
                continue
            ended, watcher = asyncio.Event(), self.world.watch(self.key)
            running = asyncio.create_task(self.build(facts.document, watcher).run(ended))
            what = f"monitor {self.key}: reading the objects of retrainings"
            watching = asyncio.create_task(keep_running(what, partial(watcher.run, ended), ended))
            try:
                while not stop.is_set() and not running.done() and same_receivers(self.facts(), facts):
                    await pause(stop, interval)
                ended.set()
                await running
            finally:
                await cancel_all(f"monitor {self.key}", (running, watching))


def same_receivers(now: ActingFacts | None, before: ActingFacts) -> bool:
    """Return whether the document has the same receivers as `before`; without facts, nothing has changed."""
    if now is None:
        return True
    return _receivers(now) == _receivers(before)


def _receivers(facts: ActingFacts) -> Iterable[object]:
    spec = facts.document.monitor.spec
    resized = (spec.resources.container, spec.resources.method) if spec.resources is not None else None
    target = (spec.scaling is not None or resized is not None) and spec.target_ref
    return (spec.retrain, spec.notify, target, spec.scaling is not None, resized)
