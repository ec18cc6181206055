"""Laws of scaling that hold after any history of loads, owners, people, crashes, outages and clocks."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.control.manager.switch import PAUSED
from pilotfish.sidecar.control.manager.trouble import TroubleError
from pilotfish.sidecar.control.reasons import Reason
from tests.control.cycles import Crash
from tests.control.manager.fleets import SCALING, STEP, Fleet
from tests.control.manager.lives import Killer, Life
from tests.control.manager.owning import HPA
from tests.support.examples import examples

LIMIT, HOLD = 6, 120.0
OPERATION = (
    st.sampled_from(
        ("hpa", "no hpa", "pause", "resume", "silence", "signals", "outage", "answers", "rollout", "settled", "restart")
    )
    | st.tuples(st.just("kubectl"), st.integers(0, 12))
    | st.tuples(st.just("crash"), st.integers(1, 12))
    | st.tuples(st.just("wait"), st.integers(1, 40))
)
LOAD = st.sampled_from((0.0, 15.0, 45.0, 75.0, 200.0))
OPERATIONS = st.lists(st.tuples(OPERATION, LOAD), min_size=5, max_size=15)


class History:
    """Applies operations to a fleet, and checks each write as it is made."""

    def __init__(self) -> None:
        limits = {"actionsPerHour": LIMIT, "manualHold": f"{HOLD:g}s", "minReplicas": 2}
        down = {"behavior": {"scaleDown": {"stabilizationWindowSeconds": 30}}}
        self.fleet = Fleet(scaling={**SCALING, **limits, **down})
        self.forbidden: set[str] = set()
        self.person: float | None = None  # when a person changed the replicas after a write
        self.silent_since: float | None = None
        self.writes: list[float] = []

    async def apply(self, operation: str | tuple[str, int]) -> None:
        fleet, target = self.fleet, self.fleet.small.target
        match operation:
            case "hpa" | "no hpa":
                target.fields["owner"] = HPA if operation == "hpa" else None
                await self.switch("hpa", on=operation == "hpa")
            case "pause" | "resume":
                metadata = fleet.life.runtime.item["metadata"]
                metadata["annotations"] = {PAUSED: "true"} if operation == "pause" else {}
                await self.switch("pause", on=operation == "pause")
            case "silence" | "signals":
                fleet.quiet = operation == "silence"
                self.silent_since = fleet.small.now if fleet.quiet else None
            case "outage" | "answers":
                out = operation == "outage"
                target.trouble = TroubleError(Reason.API_SERVER_UNREACHABLE, "no answer") if out else None
                await self.switch("outage", on=out)
            case "rollout" | "settled":
                target.fields["rollout"] = "1 of 3 pods is old" if operation == "rollout" else ""
                await self.switch("rollout", on=operation == "rollout")
            case "restart":
                self.restart()
            case ("kubectl", value):
                if value != target.replicas:
                    target.set(value, "kubectl")
                    self.person = fleet.small.now if self.writes else None
            case ("crash", value):
                fleet.life = Life(fleet.small, dict(fleet.life.runtime.item), Killer(value))
                await self.elapse(6)
                self.restart()
            case ("wait", value):
                await self.elapse(value)

    async def switch(self, name: str, *, on: bool) -> None:
        """Record that nothing may be written while `name` is on; a decision on the look before is still allowed."""
        if on:
            await self.elapse(3)
        (self.forbidden.add if on else self.forbidden.discard)(name)

    def restart(self) -> None:
        self.fleet.life = Life(self.fleet.small, dict(self.fleet.life.runtime.item))

    async def elapse(self, steps: int) -> None:
        for _ in range(steps):
            before = len(self.fleet.applied)
            replicas = self.fleet.replicas
            try:
                await self.fleet.elapse(STEP)
            except Crash:
                self.restart()
            for written in self.fleet.applied[before:]:
                self.check(written, replicas)
                self.writes.append(self.fleet.small.now)

    def check(self, written: int, before: int) -> None:
        now = self.fleet.small.now
        assert 2 <= written <= 8
        assert written != before
        assert before > 0
        assert not self.forbidden
        if self.silent_since is not None and 2 <= before <= 8:
            assert now - self.silent_since <= 15.0 + STEP
        if self.person is not None:
            assert now - self.person >= HOLD
        self.person = None


async def live(operations: list[tuple[str | tuple[str, int], float]]) -> History:
    history = History()
    await history.fleet.begin()
    for operation, load in operations:
        await history.apply(operation)
        history.fleet.load = load
        await history.elapse(8)
    return history


@pytest.mark.long
@settings(max_examples=examples(60), deadline=None)
@given(OPERATIONS)
def test_no_history_leads_to_a_write_that_the_guard_forbids(
    operations: list[tuple[str | tuple[str, int], float]],
) -> None:
    history = asyncio.run(live(operations))
    writes = history.writes
    assert all(sum(0 <= at - other < 3600 for other in writes) <= LIMIT for at in writes)
    assert all(later > at for at, later in pairwise(writes))
    assert {entry.state for entry in history.fleet.entries} <= {
        "delivered", "pending", "recommended", "refused", "superseded",
    }  # fmt: skip
