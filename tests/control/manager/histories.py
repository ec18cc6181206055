"""Histories of a monitor for tests of laws: owners, people, crashes, outages and new leaders, in any order."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, ClassVar, Protocol

from pilotfish.sidecar.control.manager.switch import PAUSED
from pilotfish.sidecar.control.manager.trouble import TroubleError
from pilotfish.sidecar.control.reasons import Reason
from tests.control.cycles import Crash
from tests.control.manager.lives import Killer, Life
from tests.control.manager.owning import HPA
from tests.control.manager.worlds import SmallWorld

Operation = str | tuple[str, Any]
# operations without a value that every history has
SWITCHES = ("owner", "no owner", "pause", "resume", "outage", "answers", "rollout", "settled", "restart")


class LivingFleet(Protocol):
    """A monitor with its pods, which live step by step."""

    small: SmallWorld
    life: Life

    async def begin(self) -> None:
        """Start a process that leads, and let it find the target."""

    async def elapse(self, seconds: float, step: float) -> None:
        """Let the time pass in steps."""


class History(ABC):
    """Applies operations to a fleet, and lets a kind of intent check each write as it is made.

    Class attributes:
        step: seconds of a step.
        settling, recovering, lasting: steps until a switch is seen, after a crash, and after each operation.
        owned: the field of TargetFacts with the other owner.
        stops: the switches during which nothing may be written.
    """

    step: ClassVar[float] = 15.0
    settling: ClassVar[int]
    recovering: ClassVar[int]
    lasting: ClassVar[int]
    owned: ClassVar[str]
    stops: ClassVar[frozenset[str]] = frozenset(("owner", "pause", "outage"))

    def __init__(self, fleet: LivingFleet) -> None:
        self.living = fleet
        self.forbidden: set[str] = set()
        self.writes: list[float] = []

    @abstractmethod
    async def apply_own(self, operation: Operation) -> None:
        """Apply an operation that only this kind has."""

    @abstractmethod
    def use(self, load: Any) -> None:
        """Let the pods have another load from now on."""

    @abstractmethod
    async def observe_step(self) -> None:
        """Let one step pass in which the process may crash, and check what was written."""

    async def live(self, operations: Iterable[tuple[Operation, Any]]) -> None:
        """Begin, and apply each operation and its load."""
        await self.living.begin()
        for operation, load in operations:
            await self.apply(operation)
            self.use(load)
            await self.elapse(self.lasting)

    async def apply(self, operation: Operation) -> None:
        fleet, target = self.living, self.living.small.target
        match operation:
            case "owner" | "no owner":
                target.fields[self.owned] = HPA if operation == "owner" else None
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
                await self.switch("rollout", on=operation == "rollout")
            case "restart":
                self.restart()
            case ("crash", value):
                fleet.life = Life(fleet.small, dict(fleet.life.runtime.item), Killer(value))
                await self.elapse(self.recovering)
                self.restart()
            case ("wait", value):
                await self.elapse(value)
            case other:
                await self.apply_own(other)

    async def switch(self, name: str, *, on: bool) -> None:
        """Record that nothing may be written while `name` is on; a decision on the look before is still allowed."""
        if name not in self.stops:
            return
        if on:
            await self.elapse(self.settling)
        (self.forbidden.add if on else self.forbidden.discard)(name)

    def restart(self) -> None:
        """Let another process lead."""
        self.living.life = Life(self.living.small, dict(self.living.life.runtime.item))

    async def elapse(self, steps: int) -> None:
        for _ in range(steps):
            await self.observe_step()

    async def pass_step(self) -> None:
        """Let one step pass; after a crash, another process leads."""
        try:
            await self.living.elapse(self.step, self.step)
        except Crash:
            self.restart()
