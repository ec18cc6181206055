"""The outbox of the controller: nothing is done unless it is stored, and by the only process that decides."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from random import Random

import pytest

from pilotfish.sidecar.control.errors import OutboxError, StoreConflictError, StoreError
from pilotfish.sidecar.control.executor import Done, Outcome
from pilotfish.sidecar.control.intent import Intent
from pilotfish.sidecar.control.ledger import DELIVERED, PENDING, IntentLedger
from pilotfish.sidecar.control.loop import ControlLoop
from pilotfish.sidecar.control.retrain.policy import KIND, POLICY
from pilotfish.sidecar.control.situation import Situation
from pilotfish.sidecar.control.store import MemoryStore
from pilotfish.sidecar.control.store_outbox import MAX_ENDED_ENTRIES, StoreOutbox
from pilotfish.sidecar.report.control_status import ControlStatus
from tests.control.cycles import run_cycle
from tests.control.situations import HOUR, NOON, change, episode, put, situation

KEY = "uid-ledger"


class FailingStore(MemoryStore):
    """A store that fails when a test says so. With `late`, a write that fails was carried out all the same."""

    def __init__(self) -> None:
        super().__init__()
        self.unreachable = self.late = False

    async def save(self, key: str, data: bytes, revision: str) -> str:
        if self.unreachable and not self.late:
            raise StoreError("no connection")
        found = await super().save(key, data, revision)
        if self.unreachable:
            raise StoreError("no response")
        return found


class Leader:
    """A control loop of one leader, with a receiver that counts."""

    def __init__(self, store: MemoryStore) -> None:
        self.sent: list[str] = []
        self.now = NOON
        self.shown: list[ControlStatus] = []
        self.outbox = StoreOutbox(store, KEY)
        self.loop = ControlLoop(
            observe=self.observe,
            policies=(POLICY,),
            executors={KIND: self},
            outbox=self.outbox,
            publish=self.shown.append,
            clock=lambda: self.now,
            random=Random(1),
        )

    def observe(self, ledger: IntentLedger, now: float) -> Situation:
        return replace(situation(episode(), now=now), ledger=ledger)

    async def apply(self, intent: Intent, now: float) -> Outcome:
        self.sent.append(intent.id)
        return Done(intent.why)

    async def cycle(self) -> ControlStatus:
        self.now += HOUR
        await run_cycle(self.loop)
        return self.shown[-1]


def test_what_is_committed_is_loaded_by_the_next_leader() -> None:
    async def run() -> None:
        store = MemoryStore()
        box, again = StoreOutbox(store, KEY), StoreOutbox(store, KEY)
        await box.open()
        await box.commit([put("a"), put("b")])
        await box.commit([change("a", state=DELIVERED)])
        await again.open()
        assert again.ledger == box.ledger
        assert {id_: one.state for id_, one in again.ledger.entries.items()} == {"a": DELIVERED, "b": PENDING}

    asyncio.run(run())


def test_a_commit_after_another_process_wrote_raises_and_applies_nothing() -> None:
    async def run() -> None:
        store = MemoryStore()
        old, new = StoreOutbox(store, KEY), StoreOutbox(store, KEY)
        await old.open()
        await new.open()
        await new.commit([put("a")])
        with pytest.raises(OutboxError, match="another process has written it"):
            await old.commit([put("b")])
        with pytest.raises(OutboxError, match="it is decided again"):
            await old.commit([put("b")])
        assert dict(old.ledger.entries) == {}
        await old.open()
        assert list(old.ledger.entries) == ["a"]
        await old.commit([put("b")])

    asyncio.run(run())


def test_without_the_store_nothing_is_done_and_afterwards_it_is_done_once() -> None:
    async def run() -> None:
        store = FailingStore()
        leader = Leader(store)
        store.unreachable = True
        assert "it cannot be written, so nothing is done: no connection" in ((await leader.cycle()).problem or "")
        assert (leader.sent, (await leader.cycle()).intents) == ([], ())
        store.unreachable = False
        status = await leader.cycle()
        assert (status.problem, [intent.state for intent in status.intents]) == (None, [DELIVERED])
        await leader.cycle()
        assert len(leader.sent) == 1

    asyncio.run(run())


def test_a_write_whose_response_was_lost_is_found_by_the_next_load() -> None:
    async def run() -> None:
        store = FailingStore()
        leader = Leader(store)
        store.unreachable = store.late = True
        for _ in range(3):
            await leader.cycle()
        assert leader.sent == []
        store.unreachable = False
        await leader.cycle()
        assert len(set(leader.sent)) == len(leader.sent) == 1

    asyncio.run(run())


def test_a_former_leader_starts_no_attempt_once_another_one_has_written() -> None:
    async def run() -> None:
        store = MemoryStore()
        old, new = Leader(store), Leader(store)
        await old.outbox.open()
        await new.cycle()
        assert len(new.sent) == 1
        assert "another process has written it" in ((await old.cycle()).problem or "")
        await old.cycle()
        assert old.sent == []

    asyncio.run(run())


def test_an_outcome_never_replaces_the_end_that_another_leader_recorded() -> None:
    async def run() -> None:
        store = MemoryStore()
        old, new = Leader(store), Leader(store)

        async def apply_late(intent: Intent, now: float) -> Outcome:
            new.now += HOUR
            await new.cycle()  # sends the pending entry as well, under the same id
            return await Leader.apply(old, intent, now)

        old.loop.executors = {KIND: type("Late", (), {"apply": staticmethod(apply_late)})()}
        await old.cycle()
        await old.cycle()
        assert set(old.sent) == set(new.sent)
        assert [one.state for one in old.outbox.ledger.entries.values()] == [DELIVERED]
        assert old.outbox.ledger.totals == {(KIND, "executed", "drift"): 1}

    asyncio.run(run())


def test_old_entries_are_dropped_but_no_pending_one_and_no_count() -> None:
    async def run() -> None:
        store = MemoryStore()
        box, again = StoreOutbox(store, KEY), StoreOutbox(store, KEY)
        await box.open()
        ended = [put(f"d{index}", state=DELIVERED, at=NOON + index) for index in range(MAX_ENDED_ENTRIES + 10)]
        await box.commit([put("p"), *ended])
        await again.open()
        assert len(again.ledger.entries) == MAX_ENDED_ENTRIES + 1
        assert again.ledger == box.ledger
        assert again.ledger.totals == {(KIND, "executed", "drift"): MAX_ENDED_ENTRIES + 10}

    asyncio.run(run())


def test_damaged_lines_are_named_and_the_rest_is_used() -> None:
    async def run() -> None:
        store = MemoryStore()
        box, again = StoreOutbox(store, KEY), StoreOutbox(store, KEY)
        await box.open()
        await box.commit([put("retrain-a"), put("retrain-b")])
        stored = await store.load(KEY)
        assert stored is not None
        await store.save(KEY, stored.data.replace(b"pending", b"pfnding", 1), stored.revision)
        await again.open()
        assert list(again.ledger.entries) == ["retrain-b"]
        assert again.damage == f"ledger {KEY}: line 1 (retrain-a) damaged and skipped"

    asyncio.run(run())


def test_a_memory_store_compares_and_swaps() -> None:
    async def run() -> None:
        store = MemoryStore()
        first = await store.save("k", b"1", "")
        for revision in ("", "other"):
            with pytest.raises(StoreConflictError):
                await store.save("k", b"2", revision)
        assert await store.save("k", b"2", first) != first
        await store.delete("k")
        assert await store.load("k") is None

    asyncio.run(run())
