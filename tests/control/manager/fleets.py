"""A fleet that is scaled, for tests of the manager: pods with sidecars that send signals, and a workload."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pilotfish.sidecar.control.ledger import LedgerEntry
from pilotfish.sidecar.control.manager.pods import epoch_seconds
from pilotfish.sidecar.control.outbox import Step, ignore_step
from pilotfish.sidecar.log import whole_second
from pilotfish.sidecar.sync.messages import Pod, Signals
from tests.control.manager.lives import Life
from tests.control.manager.worlds import KEY, SmallWorld, monitor_item, pod_item

STEP = 5.0  # seconds between two signals of a pod
SCALING = {
    "minReplicas": 1,
    "maxReplicas": 8,
    "signals": [{"type": "concurrency", "target": 10}],
    "smoothing": "0s",  # as an HPA decides
}


def signals_of(name: str, concurrency: float | None = None, **fields: Any) -> Signals:
    """The load of a pod, as a pod of this release sends it; without `concurrency`, of a release before."""
    given = {"requests_per_second": 20.0, "latency_p95": 0.1, "in_flight": round(concurrency or 0), **fields}
    pod = Pod(namespace=KEY.namespace, name=name, uid=f"uid-{name}")
    return Signals(pod=pod, monitor="", at=0.0, concurrency=concurrency, **given)


@dataclass
class Fleet:
    """A monitor that scales, its pods, and the load that they share.

    `load` is the total concurrency, None while no pod sends signals. `follows` is whether pods follow the replicas of
    the workload at once.
    """

    small: SmallWorld = field(default_factory=SmallWorld)
    scaling: dict[str, Any] = field(default_factory=lambda: dict(SCALING))
    mode: str = "act"
    load: float | None = 30.0
    follows: bool = True
    warm_up: float = 0.0  # seconds from the creation of a pod until it sends signals
    generation: int = 1
    step: Step = ignore_step
    silent: set[str] = field(default_factory=set)
    quiet: bool = False  # whether no pod sends signals
    late: bool = False  # whether the signals are those of the step before
    shared: float = 0.0
    make: Callable[[str, float], Signals] = signals_of

    async def begin(self) -> None:
        """Start a process that leads, and let it find the target."""
        self.life = Life(self.small, self.item(), self.step)
        self.follow()
        await self.elapse(3 * STEP)

    def item(self) -> dict[str, Any]:
        """The ModelMonitor."""
        item = monitor_item(self.generation, profiles=[], mode=self.mode, scaling=self.scaling)
        del item["spec"]["retrain"]
        return item

    def change(self, **scaling: Any) -> None:
        """Change the document."""
        self.generation += 1
        self.scaling |= scaling
        self.life.runtime.item = self.item()

    async def elapse(self, seconds: float, step: float = STEP) -> None:
        """Let the time pass in steps; the pods send their signals at each."""
        for _ in range(round(seconds / step)):
            self.small.now += step
            if self.follows:
                self.follow()
            self.send()
            await self.life.turn()
            await self.life.turn()  # the executor's outcome is seen

    def follow(self) -> None:
        """Create or delete pods, as the workload's controller does."""
        names = {f"p{index}" for index in range(self.small.target.replicas)}
        for name in {item["metadata"]["name"] for item in self.small.pods.pods_in(KEY.namespace)} - names:
            self.small.pods.change("DELETED", pod_item(name))
        for name in sorted(names):
            if not self.small.pods.has(KEY.namespace, name):
                item = pod_item(name)
                if self.warm_up and hasattr(self, "life"):
                    now = item["metadata"]["creationTimestamp"] = whole_second(self.small.now)
                    item["status"]["conditions"][0]["lastTransitionTime"] = now
                self.small.pods.change("ADDED", item)

    def send(self) -> None:
        """Let each ready pod send its share of the load."""
        pods = self.small.pods.pods_in(KEY.namespace)
        if self.load is None or self.quiet or not pods:
            return
        self.shared = self.shared if self.late else self.load / len(pods)
        for item in pods:
            metadata = item["metadata"]
            warm = self.small.now - epoch_seconds(metadata.get("creationTimestamp")) >= self.warm_up
            if warm and metadata["name"] not in self.silent:
                self.small.signals.take(self.make(metadata["name"], self.shared), self.small.now)

    @property
    def replicas(self) -> int:
        return self.small.target.replicas

    @property
    def applied(self) -> list[int]:
        """The numbers that were written."""
        return self.small.target.applied

    @property
    def condition(self) -> str:
        """Status and reason of the condition Scaling."""
        return next(
            f"{one['status']}/{one['reason']}" for one in self.small.status["conditions"] if one["type"] == "Scaling"
        )

    @property
    def shown(self) -> dict[str, Any]:
        found: dict[str, Any] = self.small.status["replicas"]
        return found

    @property
    def entries(self) -> list[LedgerEntry]:
        """The ledger's entries of replicas."""
        assert self.life.loop is not None
        return [entry for entry in self.life.loop.outbox.ledger.entries.values() if entry.kind == "scale"]

    def audit(self, action: str = "intent") -> list[dict[str, Any]]:
        return [line for raw in self.small.lines if (line := json.loads(raw))["action"] == action]
