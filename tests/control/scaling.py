"""The kind `scale` against a simulated cluster: what is observed and wanted, and an executor."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

from pilotfish.sidecar.control.executor import Done, Executor, Outcome
from pilotfish.sidecar.control.file_outbox import FileOutbox
from pilotfish.sidecar.control.intent import Intent
from pilotfish.sidecar.control.ledger import IntentLedger, LedgerEntry, Operation
from pilotfish.sidecar.control.loop import ControlLoop
from pilotfish.sidecar.control.outbox import Step, ignore_step
from pilotfish.sidecar.control.outbox_file import OutboxFile
from pilotfish.sidecar.control.retrain import policy as retrain
from pilotfish.sidecar.control.scale.policy import KIND, POLICY
from pilotfish.sidecar.control.situation import ACT, EpisodeFacts, Fact, Rules, ScaleSituation, Situation
from pilotfish.sidecar.report.control_status import ControlStatus
from tests.control.cycles import run_cycle
from tests.control.situations import NOON, RULES, SUBJECT

KEY = "Deployment/default/delays"
SCALE_RULES = Rules(mode=ACT, max_age=60.0)


def scaled(
    observed: int = 2,
    target: int | None = 4,
    *,
    now: float = NOON,
    at: float | None = None,
    rules: Rules | None = SCALE_RULES,
    done: tuple[Operation, ...] = (),
    episodes: tuple[EpisodeFacts, ...] = (),
) -> Situation:
    """Return a situation in which `target` is wanted; None: the replicas were not read yet."""
    replicas = Fact(observed, now if at is None else at) if target is not None else None
    wish = ScaleSituation(
        key=KEY, replicas=replicas, desired=target or 0, why="latency", text="p95 is high", rules=rules or SCALE_RULES
    )
    return Situation(
        now=now,
        subject=SUBJECT,
        episodes=Fact(episodes, now),
        ledger=IntentLedger().apply(done),
        retrain=replace(RULES, cooldown=0.0),
        scale=wish if rules is not None else None,
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
