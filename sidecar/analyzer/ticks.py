"""The tick clock: which tick a row counts in, and when a tick closes. No I/O; times are epoch nanoseconds.

At most two ticks are open. A tick closes when the watermark has passed its end; the watermark is the newest known time
minus a grace period. A row of a closed tick is late and counts in the oldest open tick. Ticks must close once and in
order, whatever the wall clock does: the evidence depends on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from .component import Component

SECOND = 1_000_000_000
MAX_OPEN = 2
GRACE_SECONDS = 2.0  # at most one tick
EMPTY_GRACE_SECONDS = 10.0  # for a tick without rows: records that were queued during a restart may still arrive
BACK_TICKS, BACK_SECONDS = 2, 60  # if the wall clock is set back by less than their sum, ticks wait for it


@dataclass
class TickClock(Component):
    """The open and closed ticks. The number of a tick is floor(time / tick_ns).

    `closed_through` is the last closed tick, -1 before the first. `shift_ns` is the lead of the tick clock over a wall
    clock that was set back, in whole ticks.
    """

    by_tick: ClassVar[bool] = True

    tick_ns: int
    closed_through: int = -1
    newest_ns: int = 0
    shift_ns: int = 0
    open: list[int] = field(default_factory=list)

    @classmethod
    def of(cls, tick_seconds: float) -> TickClock:
        """Return a clock with ticks of `tick_seconds`."""
        return cls(round(tick_seconds * SECOND))

    def place(self, at_ns: int, now_ns: int) -> tuple[int, bool]:
        """Return the tick in which a row of the time `at_ns` counts, and whether the row is late; open the tick.

        A time in the future counts as `now_ns`. Otherwise one wrong clock would close all ticks up to that time.
        """
        now_ns = self._tick_time(now_ns)
        at_ns = min(at_ns + self.shift_ns, now_ns)
        self.newest_ns = max(self.newest_ns, at_ns)
        tick = at_ns // self.tick_ns
        if tick in self.open:
            return tick, False
        if tick > self.closed_through and (len(self.open) < MAX_OPEN or tick > self.open[-1]):
            self.open = sorted((*self.open, tick))
            return tick, False
        if not self.open:
            self.open = [self.closed_through + 1]
        return self.open[0], True

    def due(self, now_ns: int) -> list[int]:
        """Return the open ticks that must close at `now_ns`, in order, including those beyond MAX_OPEN."""
        now_ns = self._tick_time(now_ns)
        grace = min(int(GRACE_SECONDS * SECOND), self.tick_ns)
        passed = (max(self.newest_ns, now_ns) - grace) // self.tick_ns  # ticks below this one have ended
        surplus = max(0, len(self.open) - MAX_OPEN)
        return [tick for index, tick in enumerate(self.open) if index < surplus or tick < passed]

    def pass_empty(self, now_ns: int) -> bool:
        """Close the ticks without rows that ended EMPTY_GRACE_SECONDS before `now_ns`; return whether there were any.

        Later rows of these ticks are late. Only a pod that reports how far its ticks are closed needs this.
        """
        ended = (self._tick_time(now_ns) - int(EMPTY_GRACE_SECONDS * SECOND)) // self.tick_ns - 1
        through = min(ended, self.open[0] - 1) if self.open else ended
        if through <= self.closed_through:
            return False
        self.closed_through = through
        return True

    def close(self, tick: int) -> None:
        """Record that `tick`, the oldest open one, has closed."""
        self.open.remove(tick)
        self.closed_through = max(self.closed_through, tick)

    def state(self) -> dict[str, Any]:
        """Return tick length, newest time, and open and closed ticks."""
        return {
            "tick_ns": self.tick_ns,
            "closed_through": self.closed_through,
            "newest_ns": self.newest_ns,
            "open": list(self.open),
        }

    def resume(self, saved: Mapping[str, Any]) -> None:
        """Restore what `state` returned; the tick length must be the same."""
        self.closed_through = int(saved["closed_through"])
        self.newest_ns = int(saved["newest_ns"])
        self.open = [int(tick) for tick in saved["open"]]

    def _tick_time(self, now_ns: int) -> int:
        """Return `now_ns` on the tick clock, which continues from its position when the wall clock is set back far."""
        latest = self.open[-1] if self.open else self.closed_through
        if now_ns + self.shift_ns < (latest - BACK_TICKS) * self.tick_ns - BACK_SECONDS * SECOND:
            self.shift_ns = (latest - now_ns // self.tick_ns) * self.tick_ns
        elif self.shift_ns and now_ns // self.tick_ns > latest:
            self.shift_ns = 0  # the wall clock has caught up
        return now_ns + self.shift_ns
