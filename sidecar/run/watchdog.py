"""Finds a child that neither gives a sign of life nor ends, so that the supervisor can kill it and start another one.

Without memory, a process can wait for ever for a thread that never started; then it answers nothing and never ends.

A watchdog counts its own checks without a sign of life, never the time between two: after a pause of the whole machine,
or of supervisor and child together, the first check counts once. A process that a debugger has stopped is left alone.
Pure: the caller passes the time, and what it read.
"""

from __future__ import annotations

from dataclasses import dataclass

CHECK_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class SilenceLimits:
    """Seconds without a sign of life after which a process hangs.

    running  a step of the analyzer at its low priority takes a minute on an overloaded machine
    start    before the first sign of life: libraries are loaded, a profile is compiled, the label journal is read;
             None for a process that need not give one
    """

    running: float = 120.0
    start: float | None = 600.0
    check: float = CHECK_SECONDS


class Watchdog:
    """Watches one child at a time. Times are monotonic seconds."""

    def __init__(self, limits: SilenceLimits) -> None:
        self._limits = limits
        self._silent = 0.0
        self._alive = False  # whether this child has given a sign of life
        self.check_at: float | None = None

    @property
    def silence(self) -> float:
        """The seconds without a sign of life, in checks."""
        return self._silent

    def start(self, now: float) -> None:
        """Watch a child that starts at `now`."""
        self._silent, self._alive, self.check_at = 0.0, False, now + self._limits.check

    def stop(self) -> None:
        """Watch nothing, because the child has ended."""
        self.check_at = None

    def hangs(self, now: float, *, beaten: bool, traced: bool) -> bool:
        """Return whether the child hangs, once `check_at` is over.

        `beaten` is whether it gave a sign of life since the last check; `traced`, whether a debugger has stopped it.
        """
        self.check_at = now + self._limits.check
        if beaten or traced:
            self._alive, self._silent = self._alive or beaten, 0.0
            return False
        self._silent += self._limits.check
        limit = self._limits.running if self._alive else self._limits.start
        return limit is not None and self._silent >= limit
