"""Laws of resizing that hold after any history of use, kills, nodes, owners, people, crashes and outages."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.control.manager.switch import PAUSED
from pilotfish.sidecar.control.manager.trouble import TroubleError
from pilotfish.sidecar.control.reasons import Reason
from pilotfish.sidecar.podspec.amounts import ContainerResources, qos_class
from tests.control.cycles import Crash
from tests.control.manager.lives import Killer, Life
from tests.control.manager.owning import HPA
from tests.control.manager.resized import CONTAINER, ResizedFleet
from tests.control.manager.worlds import KEY
from tests.support.examples import examples

STEP, LIMIT = 15.0, 8
NAMES = ("p0", "p1", "p2")
LEAST, MOST = {"cpu": 0.05, "memory": 64 * 2**20}, {"cpu": 4.0, "memory": 4 * 2**30}
GIVEN = {"requests": {"cpu": "250m", "memory": "256Mi"}, "limits": {"memory": "512Mi"}}
OPERATION = (
    st.sampled_from(("owner", "no owner", "pause", "resume", "outage", "answers", "rollout", "settled", "restart"))
    | st.tuples(st.just("kill"), st.sampled_from(NAMES))
    | st.tuples(st.sampled_from(("deferred", "infeasible", "in_progress", "error", "done")), st.sampled_from(NAMES))
    | st.tuples(st.just("crash"), st.integers(1, 12))
    | st.tuples(st.just("wait"), st.integers(1, 120))
)
USE = st.tuples(st.sampled_from((None, 0.05, 0.4, 1.5, 6.0)), st.sampled_from((32.0, 300.0, 900.0)))
OPERATIONS = st.lists(st.tuples(OPERATION, USE), min_size=4, max_size=10)


class History:
    """Applies operations to a fleet, and checks each write as it is made."""

    def __init__(self) -> None:
        fleet = ResizedFleet(given=GIVEN)
        fleet.resources |= {"actionsPerHour": LIMIT, "cooldown": "1m", "minHistory": "1m"}
        self.fleet = fleet
        self.forbidden: set[str] = set()
        self.writes: list[float] = []

    async def apply(self, operation: str | tuple[str, str | int]) -> None:
        fleet, target = self.fleet, self.fleet.small.target
        match operation:
            case "owner" | "no owner":
                target.fields["resources_owner"] = HPA if operation == "owner" else None
                await self.switch("owner", on=operation == "owner")
            case "pause" | "resume":
                metadata = fleet.life.runtime.item["metadata"]
                metadata["annotations"] = {PAUSED: "true"} if operation == "pause" else {}
                await self.switch("pause", on=operation == "pause")
            case "outage" | "answers":
                out = operation == "outage"
                target.trouble = TroubleError(Reason.API_SERVER_UNREACHABLE, "no answer") if out else None
                await self.switch("outage", on=out)
            case "rollout" | "settled":
                target.fields["rollout"] = "1 of 3 pods is old" if operation == "rollout" else ""
            case "restart":
                self.restart()
            case ("kill", name):
                fleet.kill(str(name))
            case ("crash", value):
                fleet.life = Life(fleet.small, dict(fleet.life.runtime.item), Killer(int(value)))
                await self.elapse(4)
                self.restart()
            case ("wait", value):
                await self.elapse(int(value))
            case (answer, name):
                fleet.node.answers[str(name)] = str(answer)

    async def switch(self, name: str, *, on: bool) -> None:
        """Record that nothing may be written while `name` is on; a decision on the look before is still allowed."""
        if on:
            await self.elapse(5)
        (self.forbidden.add if on else self.forbidden.discard)(name)

    def restart(self) -> None:
        self.fleet.life = Life(self.fleet.small, dict(self.fleet.life.runtime.item))

    async def elapse(self, steps: int) -> None:
        for _ in range(steps):
            before = {name: self.fleet.resources_of(name) for name in NAMES}
            active = [name for name in NAMES if self.active(name)]
            made = len(self.fleet.node.applied)
            try:
                await self.fleet.elapse(STEP, step=STEP)
            except Crash:
                self.restart()
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


async def live(operations: list[tuple[str | tuple[str, str | int], tuple[float | None, float]]]) -> History:
    history = History()
    await history.fleet.begin()
    for operation, (cores, mebibytes) in operations:
        history.fleet.cpu, history.fleet.memory = cores, mebibytes * 2**20
        await history.apply(operation)
        await history.elapse(10)
    return history


@pytest.mark.long
@settings(max_examples=examples(25), deadline=None)
@given(OPERATIONS)
def test_no_history_leads_to_a_write_that_the_guard_forbids(
    operations: list[tuple[str | tuple[str, str | int], tuple[float | None, float]]],
) -> None:
    history = asyncio.run(live(operations))
    back = sum(entry.why in {"resize_infeasible", "resize_deferred", "resize_slow"} for entry in history.fleet.entries)
    writes = history.writes
    assert all(sum(0 <= at - other < 3600 for other in writes) <= LIMIT + back for at in writes)
    assert {entry.state for entry in history.fleet.entries} <= {
        "dead", "delivered", "pending", "recommended", "refused", "superseded",
    }  # fmt: skip
