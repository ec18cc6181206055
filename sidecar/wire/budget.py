"""The CPU time that parsing may use beyond what ordinary reads cost, over all connections of a proxy.

The proxy parses in the same loop that forwards bytes, so bytes that are expensive to parse delay all other connections.
A parser counts what each read costs. The first `FREE` of a read is free. Beyond that, the parser draws from one budget
that all connections share. When the budget is spent, or the read has cost `READ_LIMIT`, the connection becomes opaque
with the reason `too_costly`: its bytes are still forwarded, at the usual cost.

Costs are nominal: each step has a fixed price in ns, near its CPU time on the machine of docs/benchmarks.md. So the
result depends only on the bytes and their arrival times, never on a CPU clock.
"""

from __future__ import annotations

from .errors import ProtocolError

MICROSECOND = 1_000

# An ordinary read costs 2 to 10 us: one head, a part of a body, a few chunks. 60 us pays for 20 pipelined requests, 75
# chunks, or a head of 140 short fields. It is about the CPU time that the kernel needs to forward the read.
FREE = 60 * MICROSECOND
# 1 ms pays for 1250 chunks or 400 pipelined requests in one read. A stream of tokens (130 bytes an event) that was held
# up for a while costs 0.4 ms per 64 KiB.
READ_LIMIT = 1_000 * MICROSECOND
# What all connections may draw at once: about the longest delay that expensive reads cause in one round of the loop.
BURST = 2_000 * MICROSECOND
# A quarter of the elapsed time is added to the budget, so that three quarters of a core are left for forwarding.
REFILL_DIVISOR = 4
QUANTUM = 10 * MICROSECOND

# The prices of the steps. Clients that pipeline repeat their heads, which are then found in a cache, so a head has the
# price of a known one. A new head costs twice as much; the limit of pipelined requests bounds their number.
STEP = 600  # anything that calls a handler: a part of a body, a line of a trailer section
CHUNK = 800  # a chunk that lies whole in the read
HEAD = 1_500  # a head, in addition to its step, with what the listener does at the start or the end of an exchange
FINISH = 2_000  # the end of an exchange that was still open when its connection ended or became opaque
USUALLY_OPEN = 8  # such exchanges of one connection that cost nothing
LINE = 60  # a field line of a head
FURTHER_LINE = 400  # a line beyond the usual number, which may be a field that the parser reads, in capitals or not
SEGMENT = 150  # a segment of a target beyond the usual number; the search for its route examines all
ESCAPE = 450  # a percent-encoded character of a target
RAW = 40  # a byte of a target that is not ASCII: its route has it percent-encoded
EMPTY_LINE = 12  # a byte of the empty lines before a head: 64 KiB of them are too many
SCAN = 3  # a byte that a regular expression scans
_SEGMENTS = 8
_LINES = 8
_TARGET = 512  # bytes: `routes` examines no more of a target
_ASCII = bytes(range(128))


class ParseBudget:
    """What all connections may draw beyond the free part of each read. Times are monotonic ns."""

    __slots__ = ("_credit", "_updated")

    def __init__(self) -> None:
        self._credit = BURST
        self._updated = 0

    def draw(self, now: int) -> None:
        """Draw one `QUANTUM`. Raise ProtocolError if the budget is spent."""
        if now > self._updated:
            self._credit = min(BURST, self._credit + (now - self._updated) // REFILL_DIVISOR)
            self._updated = now
        if self._credit < QUANTUM:
            raise ProtocolError("too_costly")
        self._credit -= QUANTUM

    def charge_ends(self, exchanges: int) -> None:
        """Draw for exchanges that end at once with their connection.

        They cannot be refused, so the budget may go below 0.
        """
        self._credit -= FINISH * max(0, exchanges - USUALLY_OPEN)


def head_cost(raw: bytes) -> int:
    """Return the nominal cost of a head, with what the listener does for its exchange."""
    lines = raw.count(b"\n")
    examined = min(raw.find(b"\n"), _TARGET)
    cost = HEAD + SCAN * len(raw) + SEGMENT * max(0, raw.count(b"/", 0, examined) - _SEGMENTS)
    cost += LINE * lines if lines <= _LINES else LINE * _LINES + FURTHER_LINE * (lines - _LINES)
    if not raw.isascii():
        cost += RAW * len(raw[:examined].translate(None, _ASCII))
    return cost + ESCAPE * raw.count(b"%", 0, examined)
