"""The expected cost of a body, and the allowance that it must fit into, which `registry.py` checks before it parses.

The bytes on the wire do not bound the cost: 4 kB of gzip can hold a million rows. So the cost is estimated from the
decompressed bytes and the number of values in them, at fixed prices in ns. The prices cover decoding and everything
after it, and are near the CPU time of a shared core for the most expensive values of each kind.
"""

from __future__ import annotations

from .types import SkipExchangeError

BYTE = 3  # ns
UNREAD_BYTE = 30  # ns; of a byte whose values are not counted yet, because it is compressed
PRICES = {b",": 150, b"[": 400, b"{": 2_000}  # ns; a comma stands for a value, a brace for a row
CELL = 120  # ns; of a cell that is added to the values of the body
BINARY_VALUE = 250  # ns; of a value of a binary tensor that becomes a value of a single column
FREE = 1_000_000  # ns; an exchange that is expected to cost less is always decoded: 400 rows, or 6,000 numbers
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
        """The number of bytes to which a body may be decompressed, before it is known what they hold."""
        return (self._most - self.spent) // UNREAD_BYTE

    @property
    def cells(self) -> int:
        """The number of cells that may be added to the values of a body."""
        return (self._most - self.spent) // CELL

    @property
    def binary_values(self) -> int:
        """The number of values of binary tensors that may become values of single columns."""
        return (self._most - self.spent) // BINARY_VALUE

    def skim(self, body: bytes) -> None:
        """Add the expected cost of finding a few fields in a body; raise SkipExchangeError if it is too much."""
        cost = BYTE * len(body)
        if self.spent + cost > self._most:
            raise SkipExchangeError("decode_budget")
        self.spent += cost

    def spend(self, body: bytes) -> None:
        """Add the expected cost of a decompressed body; raise SkipExchangeError if it is more than what is left."""
        size = len(body)
        if self.spent + BYTE * size <= self._most:
            cost = BYTE * size + sum(price * body.count(mark) for mark, price in PRICES.items())
            if self.spent + cost <= self._most:
                self.spent += cost
                self.size += size
                return
        raise SkipExchangeError("decode_budget")
