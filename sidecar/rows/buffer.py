"""Where rows leave the way of the counts: they wait here, without the masked columns, until they are written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, groupby
from typing import Any

from .blocks import Block

BLOCK_ROWS = 100  # rows in one block: a log drops its oldest rows by no less
Exchange = tuple[float, int, dict[str, list[Any]], dict[str, list[Any]]]


class RowBuffer:
    """Gathers exchanges, in memory; `rows` wait. Whoever fills it empties it, before they are many."""

    def __init__(self, masked: frozenset[str]) -> None:
        self._masked = masked
        self._waiting: list[Exchange] = []
        self.rows = 0

    def add(self, at: float, rows: int, inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> None:
        """Take the rows of one exchange, which happened `at` (epoch s): columns as lists, or as numpy arrays."""
        self._waiting.append((at, rows, self._shown(inputs), self._shown(outputs)))
        self.rows += rows

    def take(self) -> list[Block]:
        """Return what waits, in its order; some consecutive exchanges with the same columns are one block each."""
        waiting, self._waiting, self.rows = self._waiting, [], 0
        return [_joined(some) for _, group in groupby(waiting, key=_names) for some in _portions(group)]

    def _shown(self, columns: Mapping[str, Any]) -> dict[str, list[Any]]:
        return {
            name: values
            if type(values) is list
            else values.tolist()  # numpy's inside of a list are the writer's matter
            for name, values in columns.items()
            if name not in self._masked
        }


def _portions(exchanges: Iterable[Exchange]) -> Iterator[list[Exchange]]:
    """Yield the exchanges in portions of `BLOCK_ROWS` rows or a few more."""
    some: list[Exchange] = []
    rows = 0
    for exchange in exchanges:
        some.append(exchange)
        rows += exchange[1]
        if rows >= BLOCK_ROWS:
            yield some
            some, rows = [], 0
    if some:
        yield some


def _names(exchange: Exchange) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return tuple(exchange[2]), tuple(exchange[3])


def _joined(exchanges: list[Exchange]) -> Block:
    at = [time for time, rows, _, _ in exchanges for _ in range(rows)]
    first = exchanges[0]
    if len(exchanges) == 1:
        return Block(at, first[2], first[3])
    return Block(at, _chained(first[2], [item[2] for item in exchanges]), _chained(first[3], [i[3] for i in exchanges]))


def _chained(names: Mapping[str, list[Any]], parts: list[dict[str, list[Any]]]) -> dict[str, list[Any]]:
    return {name: list(chain.from_iterable([part[name] for part in parts])) for name in names}
