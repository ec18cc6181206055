"""Which exchanges are recorded: at most N a second, chosen by the clock alone and so independently of their content."""

from __future__ import annotations

SECOND = 1_000_000_000
BURST_SECONDS = 0.1


class Sampler:
    """The generic cell rate algorithm (ITU-T I.371): `rate` a second on average, `BURST_SECONDS` of it at once."""

    def __init__(self, rate: int) -> None:
        self.set_rate(rate)
        self._due = 0

    def set_rate(self, rate: int) -> None:
        """Allow `rate` records a second from now on; 0 allows none."""
        self._interval = SECOND // rate if rate else 0
        self._tolerance = max(int(BURST_SECONDS * SECOND), self._interval) - self._interval

    def admit(self, now: int) -> bool:
        """Return whether an exchange that begins at `now` (monotonic ns) is recorded, and use up its share."""
        if not self._interval or now < self._due - self._tolerance:
            return False
        self._due = max(self._due, now) + self._interval
        return True
