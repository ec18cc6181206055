"""A member of a pool whose document is not valid, or whose target does not exist, does not hold the other ones."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from pilotfish.sidecar.control.ledger import IntentLedger
from pilotfish.sidecar.control.manager.conditions import findings
from pilotfish.sidecar.control.manager.key import MonitorKey
from pilotfish.sidecar.control.manager.pools import PoolBook
from pilotfish.sidecar.control.manager.runtime import MonitorRuntime
from pilotfish.sidecar.control.manager.selectors import from_object
from pilotfish.sidecar.control.manager.trouble import TroubleError
from pilotfish.sidecar.control.manager.world import TargetWorkload
from pilotfish.sidecar.control.reasons import Reason
from pilotfish.sidecar.control.resize.pool.book import SharedPool
from pilotfish.sidecar.control.scale.target import TargetFacts
from pilotfish.sidecar.settings.document import TargetRef
from tests.control.manager.resized import CONTAINER, measured
from tests.control.manager.worlds import SmallWorld, monitor_item, pod_item

pytestmark = pytest.mark.asyncio
STEP = 15.0
A, B = (MonitorKey("team", name, f"uid-{name}") for name in ("delays", "quotes"))
RESOURCES = {"container": CONTAINER, "pool": "shared", "cpu": {"min": "100m", "max": 4}, "interval": "15s"}
INVALID = {**RESOURCES, "cpu": {"min": 4, "max": "100m"}}


def document(key: MonitorKey, resources: dict[str, Any], generation: int = 1) -> dict[str, Any]:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": key.name}
    return monitor_item(generation, key=key, targetRef=target, profiles=[], retrain=None, resources=resources)


@dataclass
class PoolWorld(SmallWorld):
    """Targets whose pods have the label `app` with their name; those of `missing` do not exist."""

    missing: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)  # targets that cannot be read

    def _check_target(self, name: str) -> None:
        if name in self.refused:
            raise TroubleError(Reason.API_SERVER_UNREACHABLE, "no answer")
        if name in self.missing:
            raise TroubleError(Reason.TARGET_NOT_FOUND, f"{name} does not exist")

    async def find_target(self, _namespace: str, target: TargetRef) -> TargetWorkload:
        self._check_target(target.name)
        return TargetWorkload(from_object({"matchLabels": {"app": target.name}}), 2)

    async def read_target(self, namespace: str, target: TargetRef, *, scaled: bool) -> TargetFacts:
        self._check_target(target.name)
        return replace(self.target.facts(self.now), spec_replicas=2)


@dataclass
class SharedFleet:
    """Two monitors with two pods each, which share a pool of 5 cores."""

    b: dict[str, Any]
    small: PoolWorld = field(default_factory=PoolWorld)

    def __post_init__(self) -> None:
        for key, cores in ((A, "1"), (B, "1500m")):
            for name in (f"{key.name}-0", f"{key.name}-1"):
                self.add(key, name, cores)
        self.lead()

    def add(self, key: MonitorKey, name: str, cores: str) -> None:
        given = {"requests": {"cpu": cores}}
        item = pod_item(name, app=key.name)
        item["spec"] = {"containers": [{"name": CONTAINER, "resources": given}], "nodeName": "node-1"}
        item["status"]["containerStatuses"] = [
            {"name": CONTAINER, "resources": given, "allocatedResources": given["requests"], "state": {"running": {}}}
        ]
        self.small.pods.change("ADDED", item)

    def lead(self) -> None:
        """Let another process lead."""
        self.book = PoolBook({("team", "shared"): 5.0})
        world = replace(self.small.world(), pools=self.book)
        items = {A: document(A, RESOURCES), B: self.b}
        self.runtimes = {key: MonitorRuntime(key=key, world=world, item=item) for key, item in items.items()}

    async def elapse(self, steps: int) -> None:
        for _ in range(steps):
            self.small.now += STEP
            self.small.metrics = measured(self.small.pods.pods_in("team"), 0.9, 1.0, self.small.now)
            for runtime in self.runtimes.values():
                await runtime.turn()
                await runtime.refresh()
                runtime.follow(IntentLedger())
                await runtime.turn_resources()
            self.book.update((runtime.key, runtime.pool) for runtime in self.runtimes.values())

    @property
    def pool(self) -> SharedPool:
        return self.book._pools["team", "shared"]

    def reason(self, key: MonitorKey) -> str:
        found = self.runtimes[key].resources
        return found.reason if found is not None else ""

    def cores(self, key: MonitorKey) -> float | None:
        look = self.runtimes[key].resizing.latest
        return look.share.cores if look is not None and look.share is not None else None


async def test_a_member_without_any_valid_document_keeps_its_cores_and_the_others_share_the_rest() -> None:
    fleet = SharedFleet(document(B, INVALID))
    await fleet.elapse(8)
    assert fleet.reason(B) == Reason.DOCUMENT_INVALID
    assert fleet.reason(A) != Reason.POOL_WAITING
    assert fleet.cores(A) == pytest.approx(1.0, abs=0.11)  # of 5 - 2 * 1.5
    assert fleet.pool.committed == pytest.approx(5.0, abs=0.11)
    conditions = {one.type: one for one in findings(fleet.runtimes[B].view())}
    assert (conditions["Resizing"].status, conditions["Resizing"].reason) == ("False", "DocumentInvalid")
    assert "counts in the pool shared" in conditions["Resizing"].message


async def test_a_member_whose_document_becomes_invalid_stays_in_the_pool_of_the_one_in_force() -> None:
    fleet = SharedFleet(document(B, RESOURCES))
    await fleet.elapse(8)
    shares = fleet.cores(A), fleet.cores(B)
    fleet.runtimes[B].item = fleet.b = document(B, {**INVALID, "pool": "other"}, 2)
    await fleet.elapse(8)
    assert fleet.runtimes[B].pool == "shared"
    assert (fleet.cores(A), fleet.cores(B)) == shares
    fleet.lead()
    await fleet.elapse(8)
    assert fleet.runtimes[B].pool == "shared"
    assert fleet.reason(A) != Reason.POOL_WAITING


async def test_a_member_whose_target_does_not_exist_yet_holds_nobody() -> None:
    fleet = SharedFleet(document(B, RESOURCES))
    fleet.small.missing = {B.name}
    for name in (f"{B.name}-0", f"{B.name}-1"):
        fleet.small.pods.change("DELETED", pod_item(name, app=B.name))
    await fleet.elapse(8)
    assert (fleet.reason(A), fleet.reason(B)) == (Reason.LOW_CONFIDENCE, Reason.TARGET_NOT_FOUND)
    assert fleet.cores(A) is not None


async def test_a_member_that_cannot_be_read_after_a_change_of_the_leader_is_waited_for() -> None:
    fleet = SharedFleet(document(B, INVALID))
    fleet.small.refused = {B.name}
    fleet.lead()
    await fleet.elapse(6)
    assert fleet.reason(A) == Reason.POOL_WAITING
