"""A target whose pods are resized, for tests of the manager: pods with resources, their use, and a node."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from pilotfish.sidecar.control.executor import Done, Dropped, Outcome
from pilotfish.sidecar.control.intent import Intent
from pilotfish.sidecar.control.ledger import LedgerEntry
from pilotfish.sidecar.control.manager.resizing_sources import PodMetricsReading
from pilotfish.sidecar.control.manager.world import Item
from pilotfish.sidecar.control.outbox import Step, ignore_step
from pilotfish.sidecar.log import whole_second
from tests.control.manager.lives import Life
from tests.control.manager.worlds import KEY, SmallWorld, monitor_item, pod_item

CONTAINER = "model"
RESOURCES: dict[str, Any] = {
    "container": CONTAINER,
    "cpu": {"min": "50m", "max": 4},
    "memory": {"min": "64Mi", "max": "4Gi"},
    "cooldown": "5m",
}
GIVEN = {"requests": {"cpu": "2", "memory": "1Gi"}, "limits": {"memory": "2Gi"}}
MINUTE, HOUR = 60.0, 3600.0
PENDING = {"deferred": "Deferred", "infeasible": "Infeasible"}


@dataclass
class SmallNode:
    """An executor that changes pods as API server and kubelet do.

    `answers` has what becomes of the resizes by the name of the pod; other ones are done at once. With `restarts`, a
    container restarts when it is resized, and its pod is not ready from then on.
    """

    small: SmallWorld
    answers: dict[str, str] = field(default_factory=dict)
    applied: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    restarts: bool = False

    async def apply(self, intent: Intent, now: float) -> Outcome:
        if self.outcomes:
            return self.outcomes.pop(0)
        name = intent.key.split("/")[2]
        found = next(
            (item for item in self.small.pods.pods_in(KEY.namespace) if item["metadata"]["name"] == name), None
        )
        assert isinstance(intent.desired, dict)
        if found is None or found["spec"]["containers"][0]["resources"] not in (intent.observed, intent.desired):
            return Dropped("conflict")
        self.applied.append((name, intent.desired))
        self.put(found, intent.desired, self.answers.get(name, "done"), now)
        return Done(intent.why)

    def put(self, item: Any, resources: dict[str, Any], state: str, now: float) -> None:
        """Set the resources of a pod, and its status."""
        item = json.loads(json.dumps(item))
        [status] = item["status"]["containerStatuses"]
        container = item["spec"]["containers"][0]
        item["metadata"]["generation"] = item["metadata"].get("generation", 1) + 1
        container["resources"] = resources
        conditions = [one for one in item["status"]["conditions"] if not one["type"].startswith("PodResize")]
        at = whole_second(now)
        if status["resources"] == resources:
            state = "done"  # taken back
        if state in PENDING:
            conditions.append(
                {"type": "PodResizePending", "status": "True", "reason": PENDING[state], "message": f"node: {state}",
                 "lastTransitionTime": at}
            )  # fmt: skip
        else:
            status["allocatedResources"] = resources["requests"]
        if state == "done":
            status["resources"] = resources
        elif state not in PENDING:
            reason = {"reason": "Error", "message": "below current usage"} if state == "error" else {}
            conditions.append({"type": "PodResizeInProgress", "status": "True", "lastTransitionTime": at, **reason})
        item["status"]["conditions"] = conditions
        self.small.pods.change("MODIFIED", turned(item, now, ready=False) if self.restarts else item)


def turned(item: Item, now: float, *, ready: bool) -> dict[str, Any]:
    """Return a pod that became ready, or unready, at `now`."""
    found: dict[str, Any] = json.loads(json.dumps(item))
    others = [one for one in found["status"]["conditions"] if one["type"] != "Ready"]
    own = {"type": "Ready", "status": str(ready), "lastTransitionTime": whole_second(now)}
    found["status"]["conditions"] = [*others, own]
    return found


def measured(pods: Iterable[Item], cores: float, memory: float, now: float) -> PodMetricsReading:
    """Return what metrics.k8s.io shows of pods of which each uses as much."""
    use = {"cpu": f"{round(cores * 1e9)}n", "memory": str(round(memory))}
    found = [
        {
            "metadata": {"name": item["metadata"]["name"]},
            "timestamp": whole_second(now),
            "window": "15s",
            "containers": [{"name": CONTAINER, "usage": use}],
        }
        for item in pods
    ]
    return PodMetricsReading({"items": found}, now)


@dataclass
class ResizedFleet:
    """A monitor that resizes, its pods, and their use: cores and bytes of each pod; None while nothing measures it."""

    small: SmallWorld = field(default_factory=SmallWorld)
    resources: dict[str, Any] = field(default_factory=lambda: dict(RESOURCES))
    given: dict[str, Any] = field(default_factory=lambda: GIVEN)
    spec: dict[str, Any] = field(default_factory=dict)
    mode: str = "act"
    cpu: float | None = 0.4
    memory: float = 300 * 2**20
    pods: int = 3
    generation: int = 1
    step: Step = ignore_step

    def __post_init__(self) -> None:
        self.node = SmallNode(self.small)
        self.small.node = self.node
        for index in range(self.pods):
            self.add(f"p{index}")

    def add(self, name: str) -> None:
        """Create a pod."""
        item = pod_item(name)
        started = whole_second(self.small.now - HOUR)
        item["metadata"]["generation"] = 1
        item["spec"] = {"containers": [{"name": CONTAINER, "resources": self.given}], "nodeName": "node-1"}
        item["status"] |= {
            "startTime": started,
            "containerStatuses": [
                {
                    "name": CONTAINER,
                    "resources": self.given,
                    "allocatedResources": self.given["requests"],
                    "state": {"running": {"startedAt": started}},
                }
            ],
        }
        self.small.pods.change("ADDED", item)

    def kill(self, name: str) -> None:
        """Let the container of a pod be killed for its memory, and start again."""
        [item] = [one for one in self.small.pods.pods_in(KEY.namespace) if one["metadata"]["name"] == name]
        item = json.loads(json.dumps(item))
        at = whole_second(self.small.now)
        ended = {"reason": "OOMKilled", "finishedAt": at, "containerID": f"containerd://{name}-{at}"}
        item["status"]["containerStatuses"][0]["lastState"] = {"terminated": ended}
        self.small.pods.change("MODIFIED", item)

    async def begin(self) -> None:
        """Start a process that leads, and let it find the target."""
        self.life = Life(self.small, self.item(), self.step)
        await self.elapse(30)

    def item(self) -> dict[str, Any]:
        """The ModelMonitor."""
        item = monitor_item(self.generation, profiles=[], mode=self.mode, resources=self.resources, **self.spec)
        del item["spec"]["retrain"]
        return item

    def change(self, **resources: Any) -> None:
        """Change the document."""
        self.generation += 1
        self.resources |= resources
        self.life.runtime.item = self.item()

    def restart(self) -> None:
        """Let another process lead."""
        self.life = Life(self.small, dict(self.life.runtime.item), self.step)

    async def elapse(self, seconds: float, step: float = 5.0) -> None:
        """Let the time pass in steps; the use is measured at each."""
        for _ in range(round(seconds / step)):
            self.small.now += step
            self.measure()
            await self.life.turn()
            await self.life.turn()  # the executor's outcome is seen

    def measure(self) -> None:
        """Let metrics.k8s.io measure the pods."""
        pods = self.small.pods.pods_in(KEY.namespace) if self.cpu is not None else ()
        self.small.metrics = measured(pods, self.cpu or 0.0, self.memory, self.small.now)

    @property
    def applied(self) -> list[str]:
        """The pods that were resized, in order."""
        return [name for name, _ in self.node.applied]

    @property
    def condition(self) -> str:
        """Status and reason of the condition Resizing."""
        return next(
            f"{one['status']}/{one['reason']}" for one in self.small.status["conditions"] if one["type"] == "Resizing"
        )

    @property
    def shown(self) -> dict[str, Any]:
        """The item of status.resources."""
        [found] = self.small.status["resources"]
        return dict(found)

    @property
    def entries(self) -> list[LedgerEntry]:
        """The ledger's entries of resources."""
        assert self.life.loop is not None
        return [entry for entry in self.life.loop.outbox.ledger.entries.values() if entry.kind == "resize"]

    def resources_of(self, name: str) -> dict[str, Any]:
        """The resources of a pod."""
        [item] = [one for one in self.small.pods.pods_in(KEY.namespace) if one["metadata"]["name"] == name]
        return dict(item["spec"]["containers"][0]["resources"])
