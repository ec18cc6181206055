"""The loop at the edge: look, decide, write down, act, write down; once a second."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from random import Random

from . import delivery, event, policy
from .errors import OutboxError
from .guard import Decision, judge
from .ledger import PENDING, RECOMMENDED, Entry, Ledger, Operation, Put
from .outbox import Outbox, Step, no_step
from .situation import Situation
from .status import ControlStatus, status_of

_LOG = logging.getLogger("pilotfish.control")

INTERVAL = 1.0  # seconds between two cycles

Observe = Callable[[Ledger, float], Situation | None]
Send = Callable[[Entry], Awaitable[delivery.Answer]]


@dataclass(kw_only=True)
class ControlLoop:
    """Carries out what follows from the situation.

    `observe` returns the situation of the moment, or None when nothing is known yet; `send` makes one attempt;
    `publish` is handed what a person is shown, after every cycle; `step` hears of each point at which a crash may come.
    """

    observe: Observe
    outbox: Outbox
    send: Send
    publish: Callable[[ControlStatus], None]
    clock: Callable[[], float]
    random: Random
    step: Step = no_step
    _failed: str = ""

    async def run(self, stop: asyncio.Event) -> None:
        """Do a cycle each second until `stop` is set, then give the outbox back.

        A cycle that fails is shown and logged, and the next one tries again: what is measured beside it goes on.
        """
        try:
            while not stop.is_set():
                try:
                    await self.cycle()
                    self._failed = ""
                except Exception as error:
                    self._fail(error)
                try:
                    await asyncio.wait_for(stop.wait(), INTERVAL)
                except TimeoutError:
                    continue
        finally:
            self.outbox.close()

    async def cycle(self) -> None:
        """Do what is due now, one delivery at most; while the outbox cannot be had, only say so."""
        try:
            await asyncio.to_thread(self.outbox.open)
        except OutboxError as error:
            self.publish(ControlStatus(problem=str(error)))
            return
        situation = self.observe(self.outbox.ledger, self.clock())
        if situation is not None:
            await self._deliver(await self._decide(situation))
        elif self.outbox.unsaved:
            await self._commit()
        self.publish(status_of(self.outbox))

    def _fail(self, error: Exception) -> None:
        problem = f"the control loop failed: {error!r}"
        if problem != self._failed:
            _LOG.error("%s", problem, exc_info=error)
        self._failed = problem
        self.publish(replace(status_of(self.outbox), problem=problem))

    async def _decide(self, situation: Situation) -> Situation:
        self.step("loop.decide")
        await self._commit(*policy.overtaken(situation))
        for intent in policy.wanted(situation):
            # each decision sees the one before it: two episodes of one model must not both pass the cooldown
            situation = replace(situation, ledger=self.outbox.ledger)
            decision = judge(intent, situation)
            if decision is not None:
                await self._commit(Put(entry_of(decision, situation)))
                self.step("loop.decided")
        return replace(situation, ledger=self.outbox.ledger)

    async def _deliver(self, situation: Situation) -> None:
        for entry in policy.due(situation)[:1]:
            self.step("webhook.send")
            answer = await self.send(entry)
            self.step("webhook.answered")
            await self._commit(delivery.settle(entry, answer, self.clock(), self.random))
            self.step("loop.delivered")

    async def _commit(self, *operations: Operation) -> None:
        await asyncio.to_thread(self.outbox.commit, operations)


def entry_of(decision: Decision, situation: Situation) -> Entry:
    """Return the ledger's entry for `decision`; what is or would be sent carries its event."""
    intent, subject = decision.intent, decision.intent.subject
    return Entry(
        id=intent.id,
        kind=intent.kind,
        cause=intent.episode.cause,
        episode=intent.episode.id,
        model=subject.model,
        version=subject.version,
        profile_hash=subject.profile_hash,
        target=situation.retrain.target if situation.retrain else "",
        decided_at=situation.now,
        changed_at=situation.now,
        state=decision.state,
        reason=decision.reason,
        body=event.render(intent).decode() if decision.state in {PENDING, RECOMMENDED} else "",
    )
