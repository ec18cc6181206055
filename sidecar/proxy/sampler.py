"""Selects the exchanges that are recorded: at most N per second.

The selection depends only on the clock. It must not depend on the content of an exchange, which would bias the sample.
"""

from __future__ import annotations

SECOND = 1_000_000_000
BURST_SECONDS = 0.1


class Sampler:
    """The generic cell rate algorithm (ITU-T I.371): `rate` per second on average, in bursts of `BURST_SECONDS`."""

    def __init__(self, rate: int) -> None:
        self.set_rate(rate)
        self._due = 0

    def set_rate(self, rate: int) -> None:
        """Set the number of records per second; 0 allows none."""
        self._interval = SECOND // rate if rate else 0
        self._tolerance = max(int(BURST_SECONDS * SECOND), self._interval) - self._interval

    def admit(self, now: int) -> bool:
        """Return whether to record an exchange that starts at `now` (monotonic ns). If so, count it."""
        if not self._interval or now < self._due - self._tolerance:
            return False
        self._due = max(self._due, now) + self._interval
        return True
