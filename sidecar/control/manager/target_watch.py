"""The target of one monitor as it was read last, shared by what watches its replicas and its resources.

    scaling.py, resizing.py --each look--> TargetWatch --if there is no recent reading--> scale_target.py

A monitor that scales and resizes therefore reads its target once in an interval. A reading that failed is kept, too.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from ...settings.document import ModelMonitor, TargetRef
from ..scale.target import TargetFacts
from ..workload.hold import Hold, hold_of
from .key import MonitorKey
from .trouble import Trouble, TroubleError
from .world import World

SHARED_SECONDS = 15.0  # the greatest age of a reading that is used again
OBJECT = "object"  # the fact of a FactProblem: only the scale of the target could be read


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetReading:
    """What was read of `target`, requested at the epoch second `at`; `monotonic` is that moment without clock steps.

    `facts` is None if it could not be read, and `trouble` is why.
    """

    target: TargetRef
    at: float
    monotonic: float
    facts: TargetFacts | None = None
    trouble: Trouble | None = None

    @property
    def whole(self) -> bool:
        """Whether the object itself was read, and not only its scale."""
        return self.facts is not None and all(problem.fact != OBJECT for problem in self.facts.problems)


def unknown_fact(target: TargetFacts, *, beside: str) -> Hold | None:
    """Return the first fact about `target` that could not be read, `beside` one that does not matter."""
    return hold_of(next((problem for problem in target.problems if problem.fact != beside), None))


@dataclass
class TargetWatch:
    """The newest readings of the target of the monitor `key`: with its replicas, and without."""

    key: MonitorKey
    world: World
    _kept: dict[bool, TargetReading] = field(default_factory=dict)  # by whether the replicas can be set
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def read_replicas(self, target: TargetRef, max_age: float, after: float) -> TargetReading:
        """Return a reading with the replicas, at most `max_age` seconds old, and requested after `after`.

        A target whose replicas cannot be set is trouble.
        """
        return await self._read(target, max_age, after, scaled=True)

    async def read_object(self, monitor: ModelMonitor, target: TargetRef, max_age: float) -> TargetReading:
        """Return a reading of the object, at most `max_age` seconds old, whether or not its replicas can be set."""
        if monitor.spec.scaling is not None:
            shared = await self._read(target, max_age, scaled=True)
            if shared.whole:
                return shared
        return await self._read(target, max_age, scaled=False)

    async def _read(self, target: TargetRef, max_age: float, after: float = 0.0, *, scaled: bool) -> TargetReading:
        async with self._lock:  # who waits for a reading shares it
            now, kept = self.world.monotonic(), self._kept.get(scaled)
            recent = kept is not None and kept.target == target and 0 <= now - kept.monotonic < max_age
            if kept is not None and recent and kept.at > after:
                return kept
            at, facts, trouble = self.world.clock(), None, None
            try:
                facts = await self.world.read_target(self.key.namespace, target, scaled=scaled)
            except TroubleError as error:
                trouble = error.trouble
            found = TargetReading(target=target, at=at, monotonic=now, facts=facts, trouble=trouble)
            self._kept[scaled] = found
            return found
