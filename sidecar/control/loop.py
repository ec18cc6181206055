"""The control loop: observes, decides, records and starts due attempts, once a second.

The loop starts attempts and never waits for one. Each lane has one executor with at most one task, which records its
outcome in the ledger. A lock serialises the access of the loop and these tasks to the ledger. Each decision, the start
of each attempt and its outcome are committed to the outbox before the loop acts on them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random

from ..report.control_status import ControlStatus
from ..tasks import cancel_all, pause
from .errors import OutboxError
from .executor import Executor, Outcome, RetryAt
from .guard import build_entry, check_intent
from .intent import Intent, intent_of
from .ledger import PENDING, IntentLedger, LedgerEntry, Operation, PutEntry
from .outbox import Outbox, Step, ignore_step
from .pending import begun_change, due_entries, next_change, superseded_changes
from .policy import Policy
from .reasons import Reason
from .situation import Situation
from .status import build_status

_LOG = logging.getLogger("pilotfish.control")

INTERVAL = 1.0  # seconds between two cycles
_ENDING = (GeneratorExit, KeyboardInterrupt, SystemExit)

Observe = Callable[[IntentLedger, float], Situation | None]


@dataclass(kw_only=True)
class ControlLoop:
    """Runs policies, guard and executors on the current situation.

    `observe` returns the current situation, or None if there is no report yet. `policies` has one row per kind,
    `executors` one per lane, and `receivers` the name of each lane's receiver for people. `publish` receives the status
    after every cycle and every outcome. `clock` returns epoch seconds. `step` is called at each point where a crash has
    a visible result, so that tests can crash there.
    """

    observe: Observe
    policies: Sequence[Policy]
    executors: Mapping[str, Executor]
    outbox: Outbox
    publish: Callable[[ControlStatus], None]
    clock: Callable[[], float]
    random: Random
    step: Step = ignore_step
    receivers: Mapping[str, str] = field(default_factory=dict)
    _running: dict[str, tuple[str, asyncio.Task[None]]] = field(default_factory=dict)  # by lane: entry id, task
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _failed: str = ""

    async def run(self, stop: asyncio.Event) -> None:
        """Run a cycle each second until `stop` is set, then wait for running attempts and close the outbox.

        A cycle that fails is published and logged, and the next cycle tries again; the analyzer is not affected. If the
        caller cancels, running attempts are cancelled, too, and their entries stay pending.
        """
        try:
            while not stop.is_set():
                try:
                    await self.cycle()
                    self._failed = ""
                except Exception as error:
                    self._fail(error)
                await pause(stop, INTERVAL)
            await self.drain()
        finally:
            await cancel_all("an attempt", [task for _, task in self._running.values()])
            self.outbox.close()

    async def cycle(self) -> None:
        """Decide on the situation and start due attempts; if the outbox fails, only publish the problem."""
        async with self._lock:
            try:
                await self.outbox.open()
                if self.outbox.unsaved:
                    await self._commit()  # try again to write what waits for the disk
                situation = self.observe(self.outbox.ledger, self.clock())
                if situation is not None:
                    in_flight = frozenset(id_ for id_, _ in self._running.values())
                    self._start(await self._decide(replace(situation, in_flight=in_flight)))
            except OutboxError as error:
                self._refused(error)
            else:
                self.publish(build_status(self.outbox, self.receivers))

    async def drain(self) -> None:
        """Wait until all running attempts have ended and their outcomes are recorded."""
        await asyncio.gather(*(task for _, task in self._running.values()))

    async def _decide(self, situation: Situation) -> Situation:
        self.step("loop.decide")
        for policy in self.policies:
            intents = policy.wanted(situation)
            changes = (*superseded_changes(policy, intents, situation), *policy.followed(situation))
            if changes:
                await self._commit(*changes)
            for intent in intents:
                # each decision includes the one before it: two episodes of one model must not both pass the cooldown
                situation = replace(situation, ledger=self.outbox.ledger)
                decision = check_intent(intent, situation)
                if decision is not None:
                    await self._commit(PutEntry(build_entry(decision, situation)))
                    self.step("loop.decided")
            situation = replace(situation, ledger=self.outbox.ledger)
        return situation

    def _start(self, situation: Situation) -> None:
        for lane, executor in self.executors.items():
            ready = due_entries(lane, situation) if lane not in self._running else ()
            for entry in ready[:1]:
                self._running[lane] = (entry.id, asyncio.create_task(self._execute(executor, entry)))

    async def _execute(self, executor: Executor, entry: LedgerEntry) -> None:
        """Record that an attempt at `entry` begins, make it, and record the outcome.

        The record before the attempt proves that this process may still act. It also counts an attempt whose outcome
        is lost, for the backoff and for the cooldown. If the outcome cannot be recorded, the attempt is repeated later.
        """
        try:
            self.step("executor.apply")
            async with self._lock:
                await self._commit(begun_change(entry, self.clock(), self.random))
            self.step("executor.begun")
            outcome = await attempt(executor, intent_of(entry), self.clock())
            self.step("executor.applied")
            async with self._lock:
                await self._record(entry, outcome)
                self.step("loop.recorded")
        except OutboxError as error:
            self._refused(error)
        except Exception as error:
            self._fail(error)
        else:
            self.publish(build_status(self.outbox, self.receivers))
        finally:
            del self._running[entry.lane]

    async def _record(self, entry: LedgerEntry, outcome: Outcome) -> None:
        """Commit the outcome, unless the outbox was opened again meanwhile and another process had ended the entry."""
        await self.outbox.open()
        present = self.outbox.ledger.entries.get(entry.id)
        if present is not None and present.state == PENDING:
            await self._commit(next_change(entry, outcome, self.clock(), self.random))

    def _refused(self, error: OutboxError) -> None:
        """Publish why nothing was done; the next cycle opens the outbox again."""
        self.publish(replace(build_status(self.outbox, self.receivers), problem=str(error)))

    def _fail(self, error: Exception) -> None:
        problem = f"the control loop failed: {error!r}"
        if problem != self._failed:
            _LOG.error("%s", problem, exc_info=error)
        self._failed = problem
        self.publish(replace(build_status(self.outbox, self.receivers), problem=problem))

    async def _commit(self, *operations: Operation) -> None:
        await self.outbox.commit(operations)


async def attempt(executor: Executor, intent: Intent, now: float) -> Outcome:
    """Return the outcome of one attempt; an exception becomes `RetryAt`, unless it ends the process or this task."""
    try:
        return await executor.apply(intent, now)
    except BaseException as error:
        task = asyncio.current_task()
        if isinstance(error, _ENDING) or (isinstance(error, asyncio.CancelledError) and task and task.cancelling()):
            raise
        _LOG.exception("intent %s: the executor raised an exception; the attempt will be repeated", intent.id)
        return RetryAt(Reason.EXECUTOR_ERROR)
