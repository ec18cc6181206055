"""Hold rows in memory, without masked columns, until they are written to a row log.

The worker adds rows after it has counted them, and empties the buffer into `log.py`. Masked columns must not enter the
buffer, so that they cannot reach the disk.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, groupby
from typing import Any

from .blocks import RowBlock

BLOCK_ROWS = 100  # rows per block, or a few more
Exchange = tuple[float, int, dict[str, list[Any]], dict[str, list[Any]]]


class RowBuffer:
    """Collects the rows of exchanges. It has no bound, so the caller must empty it regularly.

    Attributes:
        rows: number of rows in the buffer.
    """

    def __init__(self, masked: frozenset[str]) -> None:
        self._masked = masked
        self._exchanges: list[Exchange] = []
        self.rows = 0

    def add(self, at: float, rows: int, inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> None:
        """Add the rows of one exchange `at` (epoch s). Columns are lists or numpy arrays."""
        self._exchanges.append((at, rows, self._unmasked(inputs), self._unmasked(outputs)))
        self.rows += rows

    def take(self) -> list[RowBlock]:
        """Empty the buffer. Return its rows in order; consecutive exchanges with the same columns share blocks."""
        exchanges, self._exchanges, self.rows = self._exchanges, [], 0
        return [_block(group) for _, same in groupby(exchanges, key=_column_names) for group in _row_groups(same)]

    def _unmasked(self, columns: Mapping[str, Any]) -> dict[str, list[Any]]:
        return {
            name: values
            if type(values) is list
            else values.tolist()  # `blocks.render` converts numpy values inside lists
            for name, values in columns.items()
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
