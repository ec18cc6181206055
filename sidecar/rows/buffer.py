"""Hold rows in memory, without masked columns, until they are written to a row log.

The worker adds rows after it has counted them, and empties the buffer into `log.py` when it is `full`, after one
exchange at the latest. Masked columns must not enter the buffer, so that they cannot reach the disk.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, groupby
from typing import Any

from .blocks import RowBlock

BLOCK_ROWS = 100  # rows per block, or a few more
FULL_ROWS = 2000
FULL_BYTES = 1024 * 1024  # of bodies; their values need up to 20 times as much memory
Exchange = tuple[float, int, dict[str, list[Any]], dict[str, list[Any]]]


class RowBuffer:
    """Collects the rows of exchanges until the caller takes them.

    Attributes:
        rows: number of rows in the buffer.
        size: bytes of the bodies that the rows come from.
    """

    def __init__(self, masked: frozenset[str]) -> None:
        self._masked = masked
        self._exchanges: list[Exchange] = []
        self.rows = 0
        self.size = 0

    @property
    def full(self) -> bool:
        """Whether the rows must be taken before the next exchange is added."""
        return self.rows >= FULL_ROWS or self.size >= FULL_BYTES

    def add(
        self,
        at: float,
        rows: int,
        inputs: Mapping[str, Any],
        outputs: Mapping[str, Any],
        *,
        most_rows: int = FULL_ROWS,
        size: int = 0,
    ) -> None:
        """Add the last `most_rows` rows of one exchange.

        Args:
            at: the time of the exchange in epoch s.
            rows: the number of rows of the exchange.
            inputs: its columns, as lists or numpy arrays; `outputs` alike.
            outputs: the columns of the response; none if it was not read.
            most_rows: the number of rows that the row logs can use.
            size: the bytes of its bodies.
        """
        first = max(0, rows - most_rows)
        rows -= first
        self._exchanges.append((at, rows, self._unmasked(inputs, first), self._unmasked(outputs, first)))
        self.rows += rows
        self.size += size

    def take(self) -> list[RowBlock]:
        """Empty the buffer. Return its rows in order; consecutive exchanges with the same columns share blocks."""
        exchanges, self._exchanges, self.rows, self.size = self._exchanges, [], 0, 0
        return [_block(group) for _, same in groupby(exchanges, key=_column_names) for group in _row_groups(same)]

    def _unmasked(self, columns: Mapping[str, Any], first: int) -> dict[str, list[Any]]:
        kept = {name: values[first:] if first else values for name, values in columns.items()}
        return {
            name: values
            if type(values) is list
            else values.tolist()  # `blocks.render` converts numpy values inside lists
            for name, values in kept.items()
            if name not in self._masked
        }


def _row_groups(exchanges: Iterable[Exchange]) -> Iterator[list[Exchange]]:
    """Yield groups of consecutive exchanges with at least `BLOCK_ROWS` rows, except for the last group."""
    group: list[Exchange] = []
    rows = 0
    for exchange in exchanges:
        group.append(exchange)
        rows += exchange[1]
        if rows >= BLOCK_ROWS:
            yield group
            group, rows = [], 0
    if group:
        yield group


def _column_names(exchange: Exchange) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return tuple(exchange[2]), tuple(exchange[3])


def _block(exchanges: list[Exchange]) -> RowBlock:
    at = [time for time, rows, _, _ in exchanges for _ in range(rows)]
    first = exchanges[0]
    if len(exchanges) == 1:
        return RowBlock(at, first[2], first[3])
    return RowBlock(
        at, _concatenate(first[2], [item[2] for item in exchanges]), _concatenate(first[3], [i[3] for i in exchanges])
    )


def _concatenate(names: Mapping[str, list[Any]], parts: list[dict[str, list[Any]]]) -> dict[str, list[Any]]:
    return {name: list(chain.from_iterable([part[name] for part in parts])) for name in names}
