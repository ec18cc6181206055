"""Laws of resizing that hold after any history of use, kills, nodes, owners, people, crashes and outages."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.control.reasons import Reason
from pilotfish.sidecar.podspec.amounts import ContainerResources, qos_class
from tests.control.manager.histories import SWITCHES, History, Operation
from tests.control.manager.resized import CONTAINER, ResizedFleet
from tests.control.manager.worlds import KEY
from tests.support.examples import examples

LIMIT = 8
NAMES = ("p0", "p1", "p2")
LEAST, MOST = {"cpu": 0.05, "memory": 64 * 2**20}, {"cpu": 4.0, "memory": 4 * 2**30}
GIVEN = {"requests": {"cpu": "250m", "memory": "256Mi"}, "limits": {"memory": "512Mi"}}
OPERATION = (
    st.sampled_from(SWITCHES)
    | st.tuples(st.just("kill"), st.sampled_from(NAMES))
    | st.tuples(st.sampled_from(("deferred", "infeasible", "in_progress", "error", "done")), st.sampled_from(NAMES))
    | st.tuples(st.just("crash"), st.integers(1, 12))
    | st.tuples(st.just("wait"), st.integers(1, 120))
)
USE = st.tuples(st.sampled_from((None, 0.05, 0.4, 1.5, 6.0)), st.sampled_from((32.0, 300.0, 900.0)))
OPERATIONS = st.lists(st.tuples(OPERATION, USE), min_size=4, max_size=10)


class ResizingHistory(History):
    """Checks each resize of a pod."""

    settling, recovering, lasting = 5, 4, 10
    owned = "resources_owner"

    def __init__(self) -> None:
        self.fleet = ResizedFleet(given=GIVEN)
        self.fleet.resources |= {"actionsPerHour": LIMIT, "cooldown": "1m", "minHistory": "1m"}
        super().__init__(self.fleet)

    async def apply_own(self, operation: Operation) -> None:
        match operation:
            case ("kill", name):
                self.fleet.kill(name)
            case (answer, name):
                self.fleet.node.answers[name] = answer

    def use(self, load: tuple[float | None, float]) -> None:
        cores, mebibytes = load
        self.fleet.cpu, self.fleet.memory = cores, mebibytes * 2**20

    async def observe_step(self) -> None:
        before = {name: self.fleet.resources_of(name) for name in NAMES}
        active = [name for name in NAMES if self.active(name)]
        made = len(self.fleet.node.applied)
        await self.pass_step()
        for name, written in self.fleet.node.applied[made:]:
            self.check(name, written, before[name], active)
            before[name] = written
            active = [one for one in active if one != name or self.active(one)]

    def active(self, name: str) -> bool:
        """Whether the node has not ended a resize of a pod."""
        [item] = [one for one in self.fleet.small.pods.pods_in(KEY.namespace) if one["metadata"]["name"] == name]
        return any(one["type"].startswith("PodResize") for one in item["status"]["conditions"])

    def check(
        self, name: str, written: dict[str, dict[str, str]], before: dict[str, dict[str, str]], active: list[str]
    ) -> None:
        present, desired = ContainerResources.of(before), ContainerResources.of(written)
        assert desired != present
        assert not self.forbidden
        assert {side: block.keys() for side, block in written.items()} == {
            side: block.keys() for side, block in before.items()
        }
        spec = {"containers": [{"name": CONTAINER, "resources": written}]}
        assert qos_class(spec) == "Burstable"
        assert all(LEAST[kind] <= amount <= MOST[kind] for kind, amount in desired.requests.items())
        assert desired.limits["memory"] == 2 * desired.requests["memory"]
        urgent = any(entry.why == Reason.OOM_KILLED for entry in self.fleet.entries)
        assert urgent or set(active) <= {name}
        self.writes.append(self.fleet.small.now)


@pytest.mark.long
@settings(max_examples=examples(25), deadline=None)
@given(OPERATIONS)
def test_no_history_leads_to_a_write_that_the_guard_forbids(
    operations: list[tuple[Operation, tuple[float | None, float]]],
) -> None:
    history = ResizingHistory()
    asyncio.run(history.live(operations))
    entries, writes = history.fleet.entries, history.writes
    back = sum(entry.why in {"resize_infeasible", "resize_deferred", "resize_slow"} for entry in entries)
    assert all(sum(0 <= at - other < 3600 for other in writes) <= LIMIT + back for at in writes)
    assert {entry.state for entry in entries} <= {
        "dead", "delivered", "pending", "recommended", "refused", "superseded",
    }  # fmt: skip
