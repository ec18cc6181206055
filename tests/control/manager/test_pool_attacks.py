"""The budget of a pool under attack, with the guards, ledgers and executors of its monitors: it always holds."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.control.manager.key import MonitorKey
from pilotfish.sidecar.control.manager.pools import PoolBook
from pilotfish.sidecar.control.manager.selectors import from_object
from pilotfish.sidecar.control.manager.world import TargetWorkload, World
from pilotfish.sidecar.control.scale.target import TargetFacts
from pilotfish.sidecar.podspec.amounts import ContainerResources
from pilotfish.sidecar.settings.document import TargetRef
from tests.control.manager.fleets import signals_of
from tests.control.manager.lives import Life
from tests.control.manager.resized import CONTAINER, SmallNode, measured
from tests.control.manager.worlds import SmallWorld, monitor_item, pod_item
from tests.support.examples import examples

STEP = 5.0
MOST = 4  # replicas of each target, to which an autoscaler may go
A, B = (MonitorKey("team", name, f"uid-{name}") for name in ("delays", "quotes"))
RESOURCES = {
    "container": CONTAINER,
    "pool": "shared",
    "cpu": {"min": "100m", "max": 4},
    "interval": "15s",
    "minHistory": "0s",
    "cooldown": "0s",
    "actionsPerHour": 120,
}
INVALID = {**RESOURCES, "cpu": {"min": 4, "max": "100m"}}
EVENTS = (
    *("answer", "clock", "document", "gone", "invalid", "leader", "load", "out", "scale"),
    *("answer", "load", "load", "scale"),
)


@dataclass
class PoolWorld(SmallWorld):
    """Targets whose pods have the label `app` with their name, and one pool for all monitors of a leadership."""

    book: PoolBook = field(default_factory=PoolBook)

    def world(self) -> World:
        return replace(super().world(), pools=self.book)

    async def find_target(self, _namespace: str, target: TargetRef) -> TargetWorkload:
        return TargetWorkload(from_object({"matchLabels": {"app": target.name}}), 1)

    async def read_target(self, namespace: str, target: TargetRef, *, scaled: bool) -> TargetFacts:
        return replace(self.target.facts(self.now), name=target.name, spec_replicas=1, most_replicas=MOST)


class PoolAttack:
    """Two monitors in a pool under attack by `chance`."""

    def __init__(self, chance: Random) -> None:
        self.chance, self.small, self.made = chance, PoolWorld(), 0
        self.small.node = self.node = SmallNode(self.small)
        self.cpu = {A: 0.2, B: 1.5}
        self.out = False
        self.documents = {key: self.document(key, RESOURCES) for key in (A, B)}
        for key, cores in ((A, "1500m"), (B, "1")):
            self.add(key, cores)
            self.add(key, cores)
        self.budget = 5.0 + 2 * (MOST - 2) * 0.1 + chance.choice((0.0, 0.5))
        self.lead()

    @staticmethod
    def document(key: MonitorKey, resources: dict[str, Any], generation: int = 1) -> dict[str, Any]:
        target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": key.name}
        return monitor_item(generation, key=key, targetRef=target, profiles=[], retrain=None, resources=resources)

    def add(self, key: MonitorKey, cores: str) -> None:
        self.made += 1
        given = ContainerResources.of({"requests": {"cpu": cores}}).as_object()  # as an intent has it
        item = pod_item(f"{key.name}-{self.made}", app=key.name)
        item["metadata"]["generation"] = 1
        item["spec"] = {"containers": [{"name": CONTAINER, "resources": given}], "nodeName": "node-1"}
        item["status"]["containerStatuses"] = [
            {"name": CONTAINER, "resources": given, "allocatedResources": given["requests"], "state": {"running": {}}}
        ]
        self.small.pods.change("ADDED", item)

    def lead(self) -> None:
        """Let another process lead."""
        self.small.book = PoolBook({("team", "shared"): self.budget})
        self.lives = {key: Life(self.small, item, key=key) for key, item in self.documents.items()}

    def pods(self, key: MonitorKey) -> list[Any]:
        return [one for one in self.small.pods.pods_in("team") if one["metadata"]["labels"]["app"] == key.name]

    @property
    def held(self) -> float:
        """The cores that all pods hold: the larger of what they request and what their nodes have allocated."""
        total = 0.0
        for item in self.small.pods.pods_in("team"):
            spec = ContainerResources.of(item["spec"]["containers"][0]["resources"])
            [status] = item["status"]["containerStatuses"]
            given = (status["resources"]["requests"], status["allocatedResources"])
            held = [ContainerResources.of({"requests": one}).requests["cpu"] for one in given]
            total += float(max(spec.requests["cpu"], *held))
        return total

    def happen(self) -> str:
        """Let something happen that a cluster may do."""
        event, key = self.chance.choice(EVENTS), self.chance.choice((A, B))
        pods = self.pods(key)
        match event:
            case "answer":
                for item in pods:
                    self.node.answers[item["metadata"]["name"]] = self.chance.choice(
                        ("done", "done", "done", "deferred", "infeasible", "in_progress")
                    )
            case "clock":
                self.small.now += self.chance.choice((-3600.0, -60.0, 300.0, 3600.0))
            case "document" | "invalid":
                generation = self.documents[key]["metadata"]["generation"] + 1
                self.documents[key] = self.document(key, RESOURCES if event == "document" else INVALID, generation)
                self.lives[key].runtime.item = self.documents[key]
            case "gone" if len(pods) > 1:
                self.small.pods.change("DELETED", self.chance.choice(pods))
            case "leader":
                self.lead()
            case "load":
                self.cpu[key] = self.chance.choice((0.05, 0.2, 1.0, 3.0))
            case "out":
                self.out = not self.out
            case "scale":
                found = self.lives[key].runtime.resources
                share = found.pool_share if found is not None else None
                while share is not None and len(self.pods(key)) < MOST:
                    self.add(key, f"{round(share * 1000)}m")
        return event

    async def elapse(self, steps: int) -> None:
        for _ in range(steps):
            self.small.now += STEP
            self.settle()
            self.measure()
            for key, life in self.lives.items():
                await life.turn()
                assert self.held <= self.budget + 1e-6, key
                self.small.book.update((one, two.runtime.pool) for one, two in self.lives.items())

    def settle(self) -> None:
        """Let the nodes end the resizes that they have begun, where they do so at once by now."""
        for item in list(self.small.pods.pods_in("team")):
            name, wanted = item["metadata"]["name"], item["spec"]["containers"][0]["resources"]
            pending = item["status"]["containerStatuses"][0]["resources"] != wanted
            if pending and self.node.answers.get(name, "done") == "done":
                self.node.put(json.loads(json.dumps(item)), wanted, "done", self.small.now)

    def measure(self) -> None:
        found = []
        for key in (A, B):
            pods = self.pods(key)
            for item in pods:
                spec = ContainerResources.of(item["spec"]["containers"][0]["resources"])
                cores = min(self.cpu[key] / len(pods), float(spec.requests["cpu"]))
                found += measured([item], cores, 1.0, self.small.now).found["items"]  # type: ignore[index]
                load = signals_of(item["metadata"]["name"], concurrency=self.cpu[key], requests_per_second=20 * cores)
                self.small.signals.take(load, self.small.now)
        self.small.metrics = replace(measured((), 0.0, 0.0, self.small.now), found={"items": [] if self.out else found})


async def attacked(seed: int) -> PoolAttack:
    chance = Random(seed)
    found = PoolAttack(chance)
    await found.elapse(12)
    for _ in range(25):
        found.happen()
        await found.elapse(chance.randint(1, 8))
    return found


@pytest.mark.long
@settings(max_examples=examples(60), deadline=None)
@given(st.integers(0, 2**32))
def test_the_budget_holds_under_attack(seed: int) -> None:
    asyncio.run(attacked(seed))


@pytest.mark.long
def test_an_attack_moves_cores() -> None:
    found = asyncio.run(attacked(1))
    assert len(found.node.applied) > 5
