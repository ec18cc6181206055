"""The share of the worker's time that costly exchanges may use, so that they cannot hold up all other exchanges.

The worker takes records in order. While it decodes a costly one, the channel fills, and the proxy drops records of all
clients. So exchanges that take longer than `decode.allowance.FREE` draw from a budget. An exchange is skipped at once,
with the reason `decode_budget`, if its expected cost is more than the budget has left. The larger an exchange is, the
sooner it is skipped. An exchange that is expected to cost less than `FREE` is always decoded.

The budget counts elapsed time, not CPU time: under a CPU quota, the same exchange costs more of the worker's time.
"""

from __future__ import annotations

SECOND = 1_000_000_000
BURST = SECOND  # the most that is saved up: also the largest expected cost of one exchange
REFILL_DIVISOR = 2  # half of the elapsed time is added to the budget: the other half is left for all other exchanges


class DecodeBudget:
    """What costly exchanges may still use, in ns. Times are monotonic ns."""

    def __init__(self, now: int) -> None:
        self._credit = BURST
        self._updated = now

    def available(self, now: int) -> int:
        """Return what an exchange may cost at `now`, 0 or more."""
        self._credit = min(BURST, self._credit + max(0, now - self._updated) // REFILL_DIVISOR)
        self._updated = now
        return max(0, self._credit)

    def charge(self, elapsed: int) -> None:
        """Draw the time that an exchange took. The debt is bounded, so that it is repaid within seconds."""
        self._credit = max(-BURST, self._credit - elapsed)
