"""A kind of intent of nature LEVEL, for tests: a fact, a policy and an executor that scale a simulated cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

from pilotfish.sidecar.control.executor import Done, Executor, Outcome
from pilotfish.sidecar.control.file_outbox import FileOutbox
from pilotfish.sidecar.control.intent import Intent, level
from pilotfish.sidecar.control.ledger import IntentLedger, LedgerEntry, Operation
from pilotfish.sidecar.control.loop import ControlLoop
from pilotfish.sidecar.control.outbox import Step, ignore_step
from pilotfish.sidecar.control.outbox_file import OutboxFile
from pilotfish.sidecar.control.policy import Policy
from pilotfish.sidecar.control.retrain import policy as retrain
from pilotfish.sidecar.control.situation import ACT, EpisodeFacts, Fact, Rules, Situation
from pilotfish.sidecar.report.control_status import ControlStatus
from tests.control.cycles import run_cycle
from tests.control.situations import NOON, RULES, SUBJECT

KIND, KEY = "scale", "default/Deployment/delays"
SCALE_RULES = Rules(mode=ACT, max_age=60.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleSituation(Situation):
    """A situation with a fact, rules for scaling, and the target of the signals (None: no signal)."""

    replicas: Fact[object]
    target: int | None
    scale: Rules | None

    @property
    def rules(self) -> Mapping[str, Rules | None]:
        return {"retrain": self.retrain, "scale": self.scale}


def wanted(situation: Situation) -> tuple[Intent, ...]:
    assert isinstance(situation, ScaleSituation)
    if situation.target is None:
        return ()
    return (level(KIND, SUBJECT, KEY, desired=situation.target, observed=situation.replicas, why="latency"),)


POLICY = Policy(KIND, wanted)


def scaled(
    observed: int = 2,
    target: int | None = 4,
    *,
    now: float = NOON,
    at: float | None = None,
    rules: Rules | None = SCALE_RULES,
    done: tuple[Operation, ...] = (),
    episodes: tuple[EpisodeFacts, ...] = (),
) -> ScaleSituation:
    return ScaleSituation(
        now=now,
        subject=SUBJECT,
        episodes=Fact(episodes, now),
        ledger=IntentLedger().apply(done),
        retrain=replace(RULES, cooldown=0.0),
        replicas=Fact(observed, now if at is None else at),
        target=target,
        scale=rules,
    )


@dataclass
class Cluster:
    """A control loop that scales; a test sets the target, the outcomes and the time.

    `applied` lists all attempts. An attempt takes effect when its outcome is `Done`. `lag` is the age of the
    observations in seconds.
    """

    folder: Path
    now: float = NOON
    replicas: int = 2
    target: int | None = 4
    lag: float = 0.0
    rules: Rules | None = SCALE_RULES
    episodes: tuple[EpisodeFacts, ...] = ()
    others: Mapping[str, Executor] = field(default_factory=dict)
    outcome: Callable[[Intent], Outcome] = lambda intent: Done(intent.why)
    applied: list[object] = field(default_factory=list)
    shown: list[ControlStatus] = field(default_factory=list)
    step: Step = ignore_step

    def __post_init__(self) -> None:
        self.loop = self.new_loop()

    def restart(self) -> None:
        """Replace the loop by one that reads the outbox from disk, as a new process does."""
        self.loop.outbox.close()
        self.loop = self.new_loop()

    def new_loop(self) -> ControlLoop:
        return ControlLoop(
            observe=self.observe,
            policies=(retrain.POLICY, POLICY),
            executors={KIND: self, **self.others},
            outbox=FileOutbox(OutboxFile(self.folder / "outbox.jsonl", step=self.step)),
            publish=self.shown.append,
            clock=lambda: self.now,
            random=Random(1),
            step=self.step,
        )

    def cycle(self, *, after: float = 1.0) -> None:
        self.now += after
        asyncio.run(run_cycle(self.loop))

    def observe(self, ledger: IntentLedger, now: float) -> Situation:
        at = now - self.lag
        situation = scaled(self.replicas, self.target, now=now, at=at, rules=self.rules, episodes=self.episodes)
        return replace(situation, ledger=ledger)

    async def apply(self, intent: Intent, now: float) -> Outcome:
        self.applied.append(intent.desired)
        outcome = self.outcome(intent)
        if isinstance(outcome, Done):
            assert isinstance(intent.desired, int)
            self.replicas = intent.desired
        return outcome

    def entries(self) -> list[LedgerEntry]:
        return [entry for entry in self.loop.outbox.ledger.entries.values() if entry.kind == KIND]
