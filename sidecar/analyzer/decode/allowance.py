"""The expected cost of a body, and the allowance that it must fit into, which `registry.py` checks before it parses.

The bytes on the wire do not bound the cost: 4 kB of gzip can hold a million rows. So the cost is estimated from the
decompressed bytes and the number of values in them, at fixed prices in ns. The prices are near the CPU time of the
whole analyzer on the machine of docs/benchmarks.md, for small values. They cover decoding and everything after it.
"""

from __future__ import annotations

from .types import SkipExchangeError

BYTE = 3  # ns
VALUE = 150  # ns; of a comma, a bracket or a brace, which stand for one value or one container each
FREE = 500_000  # ns; an exchange that is expected to cost less is always decoded: about 3,000 values in 150 KiB
UNLIMITED = 1 << 62  # ns


class Allowance:
    """What one exchange may cost in ns, at least `FREE`.

    Attributes:
        spent: the expected cost of its bodies so far.
        size: the bytes of these bodies after decompression.
    """

    __slots__ = ("_most", "size", "spent")

    def __init__(self, most: int = UNLIMITED) -> None:
        self._most = max(FREE, most)
        self.spent = 0
        self.size = 0

    @property
    def room(self) -> int:
        """The size in bytes of the largest body that the rest of the allowance covers."""
        return max(0, self._most - self.spent) // BYTE

    def spend(self, body: bytes) -> None:
        """Add the expected cost of a decompressed body; raise SkipExchangeError if it is more than what is left."""
        size = len(body)
        if size <= self.room:
            cost = BYTE * size + VALUE * (body.count(b",") + body.count(b"[") + body.count(b"{"))
            if self.spent + cost <= self._most:
                self.spent += cost
                self.size += size
                return
        raise SkipExchangeError("decode_budget")
