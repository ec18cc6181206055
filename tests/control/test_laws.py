"""Invariants after any history: a rule-based machine draws drift, answers, crashes, times and modes."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from random import Random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from pilotfish.sidecar.control.executor import Outcome
from pilotfish.sidecar.control.file_outbox import FileOutbox
from pilotfish.sidecar.control.intent import Intent
from pilotfish.sidecar.control.ledger import OUTCOMES, IntentLedger
from pilotfish.sidecar.control.loop import ControlLoop
from pilotfish.sidecar.control.outbox_file import OutboxFile
from pilotfish.sidecar.control.retrain.policy import KIND, POLICY
from pilotfish.sidecar.control.situation import EpisodeFacts, RetrainRules, Situation, Subject
from pilotfish.sidecar.control.webhook.delivery import DeliveryResult, outcome_of
from pilotfish.sidecar.report.control_status import ControlStatus
from tests.control.cycles import Crash, Life
from tests.control.situations import HOUR, NOON, episode, situation
from tests.support.examples import examples

COOLDOWN = 5 * HOUR


class ControlMachine(RuleBasedStateMachine):
    """A loop with a real outbox and a drawn environment."""

    @initialize(seed=st.integers(0, 99))
    def begin(self, seed: int) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.random = Random(seed)
        self.now, self.mode, self.profile = NOON, "act", 0
        self.episodes: dict[str, EpisodeFacts] = {}
        self.crash_at = ""
        self.answer = 200
        self.accepted: list[str] = []  # ids that were answered with a 2xx
        self.recorded: set[str] = set()  # ids that the loop has published as delivered
        self.totals: dict[tuple[str, str, str], int] = {}
        self.start()

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self.life.end(self.loop)
            self.folder.cleanup()

    def start(self) -> None:
        self.life = Life()
        self.file = OutboxFile(Path(self.folder.name) / "outbox.jsonl", step=self.step)
        self.loop = ControlLoop(
            observe=self.observe,
            policies=(POLICY,),
            executors={KIND: self},
            outbox=FileOutbox(self.file),
            publish=self.publish,
            clock=lambda: self.now,
            random=self.random,
            step=self.step,
        )

    def observe(self, ledger: IntentLedger, now: float) -> Situation:
        subject = Subject("m", "1", str(self.profile))
        rules = RetrainRules(mode=self.mode, causes=("drift",), cooldown=COOLDOWN)
        return replace(situation(*self.episodes.values(), now=now, subject=subject, rules=rules), ledger=ledger)

    async def apply(self, intent: Intent, now: float) -> Outcome:
        assert self.mode == "act"
        assert intent.id not in self.recorded, "sent again after a recorded 2xx"
        assert not self.episodes[intent.key].closed_by, "sent for an episode that has ended"
        if self.answer == 200:
            self.accepted.append(intent.id)
        return outcome_of(DeliveryResult(self.answer), intent.why, now)

    def publish(self, status: ControlStatus) -> None:
        self.recorded |= {intent.id for intent in status.intents if intent.state == "delivered"}
        totals = {(kind, outcome, reason): count for kind, outcome, reason, count in status.totals}
        assert all(totals.get(key, 0) >= count for key, count in self.totals.items()), "a counter decreased"
        assert {outcome for _, outcome, _ in totals} <= set(OUTCOMES.values())
        self.totals = totals

    def step(self, name: str) -> None:
        if name == self.crash_at:
            self.crash_at = ""
            raise Crash

    @rule(seconds=st.sampled_from((1.0, 60.0, HOUR, COOLDOWN)))
    def cycle(self, seconds: float) -> None:
        self.now += seconds
        try:
            self.life.cycle(self.loop)
        except Crash:
            self.life.end(self.loop)
            self.start()

    @rule(answer=st.sampled_from((200, 200, 500, 404)))
    def receiver_changes(self, answer: int) -> None:
        self.answer = answer

    @rule(
        at=st.sampled_from(
            ("outbox.append", "outbox.written", "outbox.synced", "executor.apply", "executor.applied", "loop.decided")
        )
    )
    def crash_soon(self, at: str) -> None:
        self.crash_at = at

    @rule(mode=st.sampled_from(("act", "act", "recommend", "observe")))
    def mode_changes(self, mode: str) -> None:
        self.mode = mode

    @rule()
    def drift_begins(self) -> None:
        id_ = f"e{len(self.episodes)}"
        self.episodes[id_] = episode(id_, at=self.now)

    @rule(by=st.sampled_from(("recovery", "person", "profile")))
    def drift_ends(self, by: str) -> None:
        self.profile += by == "profile"
        self.episodes = {
            id_: EpisodeFacts(id_, one.cause, one.family, one.opened_at, one.closed_by or by, one.detail)
            for id_, one in self.episodes.items()
        }

    @rule()
    def snapshot_operations(self) -> None:
        self.file._compact_at = 0

    @rule()
    def all_requests_are_delivered(self) -> None:
        """With a receiver that accepts everything, no entry stays pending, and deliveries respect the cooldown."""
        self.answer, self.crash_at, self.mode = 200, "", "act"
        for _ in range(2 + len(self.episodes)):
            self.cycle(HOUR * 2)
        entries = self.loop.outbox.ledger.entries.values()
        assert not [entry for entry in entries if entry.state == "pending"]
        decided = sorted(entry.decided_at for entry in entries if entry.state == "delivered")
        assert all(later - earlier >= COOLDOWN for earlier, later in pairwise(decided))
        assert len(set(self.accepted)) <= len(self.episodes), "no more ids than causes"


ControlMachine.TestCase.settings = settings(max_examples=examples(80), stateful_step_count=30, deadline=None)
TestControl = ControlMachine.TestCase
