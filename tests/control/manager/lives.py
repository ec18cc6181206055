"""One life of the controller for one monitor, turn by turn, with a crash wherever a crash has a visible result."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random
from typing import Any

from pilotfish.sidecar.control.loop import ControlLoop
from pilotfish.sidecar.control.manager.acting import Acting
from pilotfish.sidecar.control.manager.key import MonitorKey
from pilotfish.sidecar.control.manager.runtime import MonitorRuntime
from pilotfish.sidecar.control.outbox import Step, ignore_step
from pilotfish.sidecar.sync.messages import SyncResponse
from tests.control.cycles import Crash, run_cycle
from tests.control.manager.worlds import KEY, TICK, NoObjects, SmallWorld, monitor_item, report_of

PODS = ("a", "b", "c")


class Life:
    """A process that leads; `turn` is one second of it."""

    def __init__(
        self,
        world: SmallWorld,
        item: dict[str, Any] | None = None,
        step: Step = ignore_step,
        key: MonitorKey = KEY,
    ) -> None:
        self.small = world
        self.step = step
        self.runtime = MonitorRuntime(key=key, world=world.world(), item=item or monitor_item(), step=step)
        self.loop: ControlLoop | None = None
        self.look_at = 0.0

    async def turn(self) -> None:
        """Do what the tasks of a monitor do in a second."""
        runtime = self.runtime
        await runtime.turn()
        await runtime.refresh()
        if self.small.now >= self.look_at:
            await runtime.scaling.look(runtime.core, runtime.refresher.selector)
            self.look_at = self.small.now + runtime.scaling.wait
        await runtime.turn_resources()
        if self.loop is None and runtime.facts is not None:
            acting = Acting(
                key=runtime.key,
                world=runtime.world,
                facts=lambda: runtime.facts,
                changed=lambda entry: runtime.announcer.intent(entry, runtime.item),
                publish=lambda status: setattr(runtime, "control", status),
                follow=runtime.follow,
                step=self.step,
            )
            self.loop = acting.build(runtime.facts.document, NoObjects())
            self.loop.random = Random(1)
        if self.loop is not None:
            await run_cycle(self.loop)

    async def hear(self, tick: int, pods: Iterable[str] = PODS, *, drifted_from: int = 1 << 60) -> None:
        """Let a tick pass and the pods report it."""
        self.small.now = (tick + 1) * TICK + 5
        for pod in pods:
            self.runtime.sync(report_of(pod, [tick], drifted_from=drifted_from))
        await self.turn()

    async def begin(self) -> None:
        """Load the state, find target and profile, and publish the first report."""
        for _ in range(3):
            self.small.now += 3
            await self.turn()


class SmallPods:
    """The pods of a target, which resend what is not acknowledged."""

    def __init__(self, names: Iterable[str] = PODS) -> None:
        self.unacknowledged: dict[str, set[int]] = {name: set() for name in names}

    def close(self, tick: int) -> None:
        """Close a tick in every pod."""
        for ticks in self.unacknowledged.values():
            ticks.add(tick)

    def sync(self, life: Life, *, drifted_from: int) -> None:
        """Let every pod send what is not acknowledged; while the controller has no profile, they keep everything."""
        if not life.runtime.loaded:
            return
        for name, ticks in self.unacknowledged.items():
            answer: SyncResponse = life.runtime.sync(report_of(name, sorted(ticks), drifted_from=drifted_from))
            ticks -= {item.tick for item in answer.acknowledged}


class Killer:
    """Raises Crash when the step is reached for the n-th time that `nth` counts down to."""

    def __init__(self, nth: int) -> None:
        self.left = nth
        self.dead = False

    def __call__(self, _name: str) -> None:
        self.left -= 1
        if self.left == 0 or self.dead:
            self.dead = True
            raise Crash
