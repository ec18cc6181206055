"""The clock of detection: which tick a row counts in, and when a tick closes. Pure; times are epoch nanoseconds.

At most two ticks are open. One closes when the watermark, the newest time known less a grace, has passed its end. A row
that comes later than that counts in the oldest open tick and is called late.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from .component import Component

SECOND = 1_000_000_000
MAX_OPEN = 2
GRACE_SECONDS = 2.0
BACK_TICKS, BACK_SECONDS = 2, 60  # a wall clock that is set back by less is waited for


@dataclass
class TickClock(Component):
    """Ticks are numbered floor(time / tick_ns). `closed_through` is the last one that closed, -1 before any.

    `shift_ns`, whole ticks, is how far the ticks' clock is ahead of the wall clock, after that was set back.
    """

    by_tick: ClassVar[bool] = True

    tick_ns: int
    closed_through: int = -1
    newest_ns: int = 0
    shift_ns: int = 0
    open: list[int] = field(default_factory=list)

    @classmethod
    def of(cls, tick_seconds: float) -> TickClock:
        """Return a clock for ticks of this length."""
        return cls(round(tick_seconds * SECOND))

    def place(self, at_ns: int, now_ns: int) -> tuple[int, bool]:
        """Return the tick that a row of the time `at_ns` counts in, opening it, and whether the row is late.

        A time in the future counts as now, or one wrong clock would close all the ticks up to it.
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
        """Return the open ticks that must close now, in their order, the surplus ones included."""
        now_ns = self._tick_time(now_ns)
        grace = min(int(GRACE_SECONDS * SECOND), self.tick_ns)
        passed = (max(self.newest_ns, now_ns) - grace) // self.tick_ns  # ticks below this one are over
        surplus = max(0, len(self.open) - MAX_OPEN)
        return [tick for index, tick in enumerate(self.open) if index < surplus or tick < passed]

    def close(self, tick: int) -> None:
        """Note that `tick`, the oldest open one, is closed."""
        self.open.remove(tick)
        self.closed_through = max(self.closed_through, tick)

    def state(self) -> dict[str, Any]:
        """Return which ticks are open and closed."""
        return {
            "tick_ns": self.tick_ns,
            "closed_through": self.closed_through,
            "newest_ns": self.newest_ns,
            "open": list(self.open),
        }

    def resume(self, saved: Mapping[str, Any]) -> None:
        """Take over what `state` returned, of a clock with ticks of the same length."""
        self.closed_through = int(saved["closed_through"])
        self.newest_ns = int(saved["newest_ns"])
        self.open = [int(tick) for tick in saved["open"]]

    def _tick_time(self, now_ns: int) -> int:
        """Return `now_ns` on the clock of ticks, which goes on where it was when the wall clock is set back far."""
        top = self.open[-1] if self.open else self.closed_through
        if now_ns + self.shift_ns < (top - BACK_TICKS) * self.tick_ns - BACK_SECONDS * SECOND:
            self.shift_ns = (top - now_ns // self.tick_ns) * self.tick_ns
        elif self.shift_ns and now_ns // self.tick_ns > top:
            self.shift_ns = 0  # the wall clock is where it was before
        return now_ns + self.shift_ns
