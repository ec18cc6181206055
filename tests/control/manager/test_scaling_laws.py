"""Laws of scaling that hold after any history of loads, owners, people, crashes, outages and clocks."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.control.manager.fleets import SCALING, STEP, Fleet
from tests.control.manager.histories import SWITCHES, History, Operation
from tests.support.examples import examples

LIMIT, HOLD = 6, 120.0
OPERATION = (
    st.sampled_from((*SWITCHES, "silence", "signals"))
    | st.tuples(st.just("kubectl"), st.integers(0, 12))
    | st.tuples(st.just("crash"), st.integers(1, 12))
    | st.tuples(st.just("wait"), st.integers(1, 40))
)
LOAD = st.sampled_from((0.0, 15.0, 45.0, 75.0, 200.0))
OPERATIONS = st.lists(st.tuples(OPERATION, LOAD), min_size=5, max_size=15)


class ScalingHistory(History):
    """Checks each change of the replicas."""

    step = STEP
    settling, recovering, lasting = 3, 6, 8
    owned = "owner"
    stops = History.stops | {"rollout"}

    def __init__(self) -> None:
        limits = {"actionsPerHour": LIMIT, "manualHold": f"{HOLD:g}s", "minReplicas": 2}
        down = {"behavior": {"scaleDown": {"stabilizationWindowSeconds": 30}}}
        self.fleet = Fleet(scaling={**SCALING, **limits, **down})
        self.person: float | None = None  # when a person changed the replicas after a write
        self.silent_since: float | None = None
        super().__init__(self.fleet)

    async def apply_own(self, operation: Operation) -> None:
        fleet, target = self.fleet, self.fleet.small.target
        match operation:
            case "silence" | "signals":
                fleet.quiet = operation == "silence"
                self.silent_since = fleet.small.now if fleet.quiet else None
            case ("kubectl", value) if value != target.replicas:
                target.set(value, "kubectl")
                self.person = fleet.small.now if self.writes else None

    def use(self, load: float) -> None:
        self.fleet.load = load

    async def observe_step(self) -> None:
        made, replicas = len(self.fleet.applied), self.fleet.replicas
        await self.pass_step()
        for written in self.fleet.applied[made:]:
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


@pytest.mark.long
@settings(max_examples=examples(60), deadline=None)
@given(OPERATIONS)
def test_no_history_leads_to_a_write_that_the_guard_forbids(operations: list[tuple[Operation, float]]) -> None:
    history = ScalingHistory()
    asyncio.run(history.live(operations))
    writes = history.writes
    assert all(sum(0 <= at - other < 3600 for other in writes) <= LIMIT for at in writes)
    assert all(later > at for at, later in pairwise(writes))
    assert {entry.state for entry in history.fleet.entries} <= {
        "delivered", "pending", "recommended", "refused", "superseded",
    }  # fmt: skip
