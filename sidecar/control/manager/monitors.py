"""All monitors of one leadership: mirrors of ModelMonitors and pods, and one runtime per monitor.

The mirrors are compared with the runtimes once a second, so a missed event can cost a second, and never a monitor.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial

from ...kube.client import Kube
from ...kube.mirror import Store, mirror
from ...kube.objects import MODEL_MONITORS, PODS
from ...tasks import cancel_all, keep_running, pause
from ..outbox import Step, ignore_step
from .cleanup import StateCleaner
from .key import MonitorKey
from .leadership import LeaderLabel
from .pod_index import PodIndex
from .pods import INJECTED_SELECTOR, trim_pod
from .runtime import MonitorRuntime
from .world import Item, World

_LOG = logging.getLogger("pilotfish.control")
TURN = 1.0  # seconds
LABEL_EVERY = 10.0  # seconds between two looks at the labels of the controller's pods
GRACE = 5.0  # seconds for the last checkpoints of all monitors, below the grace period of a pod


@dataclass
class Mirrors:
    """The mirrored ModelMonitors and pods of `watched`, a namespace; empty for all namespaces."""

    kube: Kube
    watched: str = ""
    monitors: Store = field(default_factory=Store)
    pods: Store = field(default_factory=Store)
    index: PodIndex = field(default_factory=PodIndex)

    @property
    def synced(self) -> bool:
        """Whether both kinds were listed."""
        return self.monitors.synced and self.pods.synced

    def age(self) -> float:
        """Return the seconds since the API server last sent something of each kind."""
        return max(self.monitors.age(), self.pods.age())

    async def run(self) -> None:
        """Keep both mirrors current until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(mirror(self.kube, MODEL_MONITORS, self.monitors, self.watched))
            group.create_task(
                mirror(
                    self.kube,
                    PODS,
                    self.pods,
                    self.watched,
                    label_selector=INJECTED_SELECTOR,
                    on_change=self.index.change,
                    trim=trim_pod,
                )
            )


@dataclass
class Monitors:
    """The runtimes by namespace and name. One object serves one leadership."""

    world: World
    mirrors: Mirrors
    label: LeaderLabel
    cleaner: StateCleaner
    step: Step = ignore_step
    runtimes: dict[tuple[str, str], MonitorRuntime] = field(default_factory=dict)
    reconciled: bool = False  # whether all monitors have a runtime
    _by_uid: dict[str, MonitorRuntime] = field(default_factory=dict)
    _tasks: dict[tuple[str, str], asyncio.Task[None]] = field(default_factory=dict)

    async def run(self, stop: asyncio.Event) -> None:
        """Run all monitors until `stop` is set, and store their last states; cancel it to leave without a write."""
        mirroring = asyncio.create_task(self.mirrors.run())
        labelled_at = float("-inf")
        try:
            while not stop.is_set():
                if mirroring.done():
                    mirroring.result()
                if self.world.monotonic() - labelled_at >= LABEL_EVERY:
                    labelled_at = self.world.monotonic()
                    await self.label.claim()
                if self.mirrors.synced:
                    self.reconcile(self.mirrors.monitors.objects.values(), stop)
                    await self.cleaner.turn(self.mirrors.monitors.objects.values(), self.world.monotonic())
                await pause(stop, TURN if self.mirrors.synced else TURN / 20)
            if self._tasks:
                await asyncio.wait(self._tasks.values(), timeout=GRACE)
        finally:
            await cancel_all("the monitors", [mirroring, *self._tasks.values()])

    def of_uid(self, uid: str) -> MonitorRuntime | None:
        """Return the runtime of the monitor with this UID; None if there is none."""
        return self._by_uid.get(uid)

    def reconcile(self, items: Iterable[Item], stop: asyncio.Event) -> None:
        """Start runtimes of new monitors, pass newer objects to the others, and end those of deleted ones."""
        items = tuple(items)
        self.world.scaling_targets.update(items)
        present = {(item["metadata"]["namespace"], item["metadata"]["name"]): item for item in items}
        for place, runtime in list(self.runtimes.items()):
            if present.get(place, {}).get("metadata", {}).get("uid") != runtime.key.uid:
                self.world.audit.record("deleted", runtime.key)
                self._tasks.pop(place).cancel()
                del self.runtimes[place], self._by_uid[runtime.key.uid]
                self.world.claims.release(runtime.key)
        for place, item in present.items():
            runtime_or_none = self.runtimes.get(place)
            if runtime_or_none is not None:
                runtime_or_none.item = item
                continue
            key = MonitorKey(*place, item["metadata"]["uid"])
            self.runtimes[place] = runtime = MonitorRuntime(key=key, world=self.world, item=item, step=self.step)
            self._by_uid[key.uid] = runtime
            self._tasks[place] = asyncio.create_task(keep_running(f"monitor {key}", partial(runtime.run, stop), stop))
        self.world.pools.update((runtime.key, runtime.pool) for runtime in self.runtimes.values())
        self.reconciled = True
