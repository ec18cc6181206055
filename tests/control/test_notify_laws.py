"""Invariants of notifications after any history: causes that come and go, crashes, receivers that fail."""

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
from pilotfish.sidecar.control.ledger import IntentLedger, lane_of
from pilotfish.sidecar.control.loop import ControlLoop
from pilotfish.sidecar.control.notify.clock import BlindClock
from pilotfish.sidecar.control.notify.policy import KIND, POLICY
from pilotfish.sidecar.control.outbox_file import OutboxFile
from pilotfish.sidecar.control.situation import EpisodeFacts, Situation
from pilotfish.sidecar.control.webhook.delivery import DeliveryResult, outcome_of
from pilotfish.sidecar.report.control_status import ControlStatus
from pilotfish.sidecar.report.schema import BlindSpot
from tests.control.cycles import Crash, Life
from tests.control.situations import HOUR, NOON, episode, notified, receiver
from tests.support.examples import examples

RECEIVERS = ("r1", "r2")
SECONDS = st.sampled_from((1.0, 30.0, 90.0))
ENDS = {"alarm_closed", "blind_ended"}


class NotifyMachine(RuleBasedStateMachine):
    """A loop with a real outbox, two receivers and a drawn environment."""

    @initialize(seed=st.integers(0, 99))
    def begin(self, seed: int) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.random = Random(seed)
        self.now, self.crash_at = NOON, ""
        self.answers = dict.fromkeys(RECEIVERS, 200)
        self.episodes: dict[str, EpisodeFacts] = {}
        self.spots: dict[str, bool] = {}
        self.accepted: dict[str, list[Intent]] = {name: [] for name in RECEIVERS}
        self.recorded: set[str] = set()
        self.start()

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            try:
                self.everything_is_delivered()
            finally:
                self.life.end(self.loop)
                self.folder.cleanup()

    def start(self) -> None:
        self.clock = BlindClock(self.now, lambda: self.now)
        self.life = Life()
        self.file = OutboxFile(Path(self.folder.name) / "outbox.jsonl", step=self.step)
        self.loop = ControlLoop(
            observe=self.observe,
            policies=(POLICY,),
            executors={lane_of(KIND, name): self for name in RECEIVERS},
            outbox=FileOutbox(self.file),
            publish=self.publish,
            clock=lambda: self.now,
            random=self.random,
            step=self.step,
        )

    def observe(self, ledger: IntentLedger, now: float) -> Situation:
        spots = [BlindSpot(reason=name, text="t", since=now, total=total) for name, total in self.spots.items()]
        receivers = [replace(receiver(name), max_pending=100) for name in RECEIVERS]
        blind = self.clock.update(spots, now)
        return notified(*self.episodes.values(), blind=blind, receivers=receivers, now=now, ledger=ledger)

    async def apply(self, intent: Intent, now: float) -> Outcome:
        assert intent.id not in self.recorded, "sent again after a recorded 2xx"
        answer = self.answers[intent.receiver]
        if answer == 200:
            self.accepted[intent.receiver].append(intent)
        return outcome_of(DeliveryResult(answer), intent.why, now)

    def publish(self, status: ControlStatus) -> None:
        self.recorded |= {intent.id for intent in status.intents if intent.state == "delivered"}

    def step(self, name: str) -> None:
        if name == self.crash_at:
            self.crash_at = ""
            raise Crash

    @rule(seconds=SECONDS)
    def cycle(self, seconds: float) -> None:
        self.now += seconds
        try:
            self.life.cycle(self.loop)
        except Crash:
            self.life.end(self.loop)
            self.start()

    @rule(name=st.sampled_from(RECEIVERS), answer=st.sampled_from((200, 200, 500)))
    def receiver_changes(self, name: str, answer: int) -> None:
        self.answers[name] = answer

    @rule(
        at=st.sampled_from(
            ("outbox.append", "outbox.written", "outbox.synced", "executor.apply", "executor.applied", "loop.decided")
        )
    )
    def crash_soon(self, at: str) -> None:
        self.crash_at = at

    @rule(id_=st.sampled_from(("e1", "e2")), opens=st.booleans(), seconds=SECONDS)
    def drift_begins_or_ends(self, id_: str, opens: bool, seconds: float) -> None:
        if opens or id_ in self.episodes:
            self.episodes[id_] = episode(id_, closed_by="" if opens else "recovery")
        self.cycle(seconds)

    @rule(reason=st.sampled_from(("opaque", "undecoded")), total=st.sampled_from((True, False, None)), seconds=SECONDS)
    def blind_spot_changes(self, reason: str, total: bool | None, seconds: float) -> None:
        self.spots.pop(reason, None)
        if total is not None:
            self.spots[reason] = total
        self.cycle(1.0)
        self.cycle(seconds)

    @rule()
    def snapshot_operations(self) -> None:
        self.file._compact_at = 0

    @rule()
    def everything_is_delivered(self) -> None:
        """With receivers that accept everything, each has got the present state of each cause, in order, once."""
        self.answers, self.crash_at = dict.fromkeys(RECEIVERS, 200), ""
        for _ in range(4):
            self.cycle(HOUR)
        while any(entry.state == "pending" for entry in self.loop.outbox.ledger.entries.values()):
            self.cycle(HOUR)
        active = {id_ for id_, one in self.episodes.items() if not one.closed_by} | set(self.spots)
        for sent in self.accepted.values():
            self.check(sent, active)

    def check(self, sent: list[Intent], active: set[str]) -> None:
        events = {intent.id: intent for intent in sent}  # a lost answer may have repeated one, under the same id
        assert len(events) == len({(intent.key, intent.why) for intent in sent}), "one id for each event of a cause"
        assert len({intent.desired for intent in sent}) == len(events), "each attempt sends the same"
        for cause in {intent.key.partition("@")[0] for intent in sent}:
            whys = [intent.why for intent in events.values() if intent.key.partition("@")[0] == cause]
            assert whys[0] not in ENDS
            assert all(before in ENDS or after != before for before, after in pairwise(whys))
            assert all(before not in ENDS or after not in ENDS for before, after in pairwise(whys))
            assert (whys[-1] not in ENDS) == (cause in active), (cause, whys)
        assert active <= {intent.key.partition("@")[0] for intent in sent}


NotifyMachine.TestCase.settings = settings(max_examples=examples(40), stateful_step_count=30, deadline=None)
TestNotify = NotifyMachine.TestCase
