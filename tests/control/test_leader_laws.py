"""Invariants of retrainings with two leaders that believe to lead, a store that fails, and receivers that lie."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from random import Random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from pilotfish.sidecar.control import journal
from pilotfish.sidecar.control.errors import StoreError
from pilotfish.sidecar.control.executor import Done, Outcome, RetryAt
from pilotfish.sidecar.control.intent import Intent
from pilotfish.sidecar.control.ledger import DELIVERED, PENDING, IntentLedger, LedgerEntry, RetrainingRecord
from pilotfish.sidecar.control.loop import ControlLoop
from pilotfish.sidecar.control.retrain.policy import KIND, POLICY
from pilotfish.sidecar.control.situation import EpisodeFacts, RetrainRules, Situation
from pilotfish.sidecar.control.store import MemoryStore
from pilotfish.sidecar.control.store_outbox import StoreOutbox
from tests.control.cycles import Crash, run_cycle
from tests.control.retraining import MEMBER
from tests.control.situations import HOUR, NOON, episode, situation
from tests.support.examples import examples

KEY = "uid-ledger"
COOLDOWN = 5 * HOUR
STEPS = ("outbox.save", "outbox.saved", "executor.apply", "executor.begun", "executor.applied", "loop.decided")


class SharedStore(MemoryStore):
    """The store of both leaders. It fails as `fault` says, and `interrupt` runs within the next write."""

    fault = ""
    interrupt: Callable[[], object] | None = None

    async def save(self, key: str, data: bytes, revision: str) -> str:
        if self.interrupt is not None:
            interrupt, self.interrupt = self.interrupt, None
            await interrupt()  # type: ignore[misc]  # a coroutine
        if self.fault == "before":
            raise StoreError("no connection")
        found = await super().save(key, data, revision)
        if self.fault == "after":
            raise StoreError("no response")
        return found


class LeaderMachine(RuleBasedStateMachine):
    """Two leaders of one monitor; its objects are created once per name, as the API server does it."""

    @initialize(seed=st.integers(0, 99), objects=st.booleans())
    def begin(self, seed: int, *, objects: bool) -> None:
        self.runner = asyncio.Runner()
        self.random, self.objects = Random(seed), objects
        self.now, self.crash_at, self.answer = NOON, "", "accepted"
        self.store = SharedStore()
        self.episodes: dict[str, EpisodeFacts] = {}
        self.accepted: list[tuple[str, str]] = []  # cause and id
        self.created: dict[str, str] = {}  # by id of the intent: cause
        self.ended: set[str] = set()  # ids that the store had as delivered
        self.loops = [self.new_loop(), self.new_loop()]

    def teardown(self) -> None:
        if hasattr(self, "runner"):
            self.runner.close()

    def new_loop(self) -> ControlLoop:
        return ControlLoop(
            observe=self.observe,
            policies=(POLICY,),
            executors={KIND: self},
            outbox=StoreOutbox(self.store, KEY, step=self.step),
            publish=lambda _status: None,
            clock=lambda: self.now,
            random=self.random,
            step=self.step,
        )

    def observe(self, ledger: IntentLedger, now: float) -> Situation:
        rules = RetrainRules(mode="act", causes=("drift",), cooldown=COOLDOWN)
        found = situation(*self.episodes.values(), now=now, subject=MEMBER, rules=rules)
        return replace(found, ledger=ledger, retrainings=())

    async def apply(self, intent: Intent, now: float) -> Outcome:
        """Take the intent; a receiver may lie about it: refuse what it accepted, or accept after the timeout."""
        stored = (await self.stored())[intent.id]
        assert stored.attempts >= 1, "an attempt is stored before it begins"
        assert not self.episodes[intent.key].closed_by
        if self.answer != "refused":
            self.accepted.append((intent.key, intent.id))
            self.created.setdefault(intent.id, intent.key)
        if self.answer != "accepted":
            return RetryAt("http_500" if self.answer == "refused" else "timeout")
        name = f"delays-{intent.id}"
        return Done(intent.why, RetrainingRecord(kind="Job", name=name, state="running") if self.objects else None)

    async def stored(self) -> dict[str, LedgerEntry]:
        found = await self.store.load(KEY)
        return dict(IntentLedger().apply(journal.decode(found.data if found else b"").operations).entries)

    def step(self, name: str) -> None:
        if name == self.crash_at:
            self.crash_at = ""
            raise Crash

    async def turn(self, number: int) -> None:
        """Run a cycle of one leader. If it crashes, its tasks end, and a new process takes its place."""
        try:
            await run_cycle(self.loops[number])
        except Crash:
            running = {task for _, task in self.loops[number]._running.values()}
            rest = running - {asyncio.current_task()}
            for task in rest:
                task.cancel()
            await asyncio.gather(*rest, return_exceptions=True)
            self.loops[number] = self.new_loop()

    @rule(number=st.integers(0, 1), seconds=st.sampled_from((0.5, 60.0, HOUR, COOLDOWN)))
    def cycle(self, number: int, seconds: float) -> None:
        self.now += seconds
        self.runner.run(self.turn(number))

    @rule(number=st.integers(0, 1))
    def the_other_leader_writes_within_a_cycle(self, number: int) -> None:
        self.store.interrupt = lambda: self.turn(1 - number)
        self.now += 60.0
        self.runner.run(self.turn(number))
        self.store.interrupt = None  # else it may run within a cycle of the same leader, and wait for its lock

    @rule(answer=st.sampled_from(("accepted", "accepted", "refused", "accepted late")))
    def receiver_changes(self, answer: str) -> None:
        self.answer = answer

    @rule(fault=st.sampled_from(("", "", "before", "after")))
    def store_changes(self, fault: str) -> None:
        self.store.fault = fault

    @rule(at=st.sampled_from(STEPS))
    def crash_soon(self, at: str) -> None:
        self.crash_at = at

    @rule()
    def drift_begins(self) -> None:
        id_ = f"e{len(self.episodes)}"
        self.episodes[id_] = episode(id_, at=self.now)

    @rule(by=st.sampled_from(("recovery", "person")))
    def drift_ends(self, by: str) -> None:
        self.episodes = {
            id_: one if one.closed_by else replace(one, closed_by=by) for id_, one in self.episodes.items()
        }

    @invariant()
    def one_cause_has_one_id_and_one_object(self) -> None:
        if hasattr(self, "accepted"):
            pairs = set(self.accepted)
            assert len(pairs) == len({cause for cause, _ in pairs}) == len({id_ for _, id_ in pairs})
            assert len(self.created) == len(set(self.created.values()))

    @invariant()
    def what_was_delivered_stays_so(self) -> None:
        if hasattr(self, "ended"):
            entries = self.runner.run(self.stored())
            assert all(entries[id_].state == DELIVERED for id_ in self.ended)
            self.ended |= {id_ for id_, one in entries.items() if one.state == DELIVERED}

    @rule()
    def everything_works_again(self) -> None:
        """In the end nothing is pending, and the requests that were decided respect the cooldown."""
        self.store.fault, self.crash_at, self.answer, self.store.interrupt = "", "", "accepted", None
        self.loops[0] = (
            self.new_loop()
        )  # whoever begins to lead loads the ledger; without a decision, nothing else does
        for _ in range(3 + len(self.episodes)):
            self.cycle(0, 2 * HOUR)
        entries = self.runner.run(self.stored()).values()
        assert not [one for one in entries if one.state == PENDING]
        sent = sorted(one.decided_at for one in entries if one.attempts > 0)
        assert all(later - earlier >= COOLDOWN for earlier, later in pairwise(sent))
        delivered = {one.id for one in entries if one.state == DELIVERED}
        assert delivered <= {id_ for _, id_ in self.accepted}


LeaderMachine.TestCase.settings = settings(max_examples=examples(80), stateful_step_count=30, deadline=None)
TestLeaders = LeaderMachine.TestCase
