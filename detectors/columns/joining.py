"""Rows of many small batches put together, so that they are encoded at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..batch import Batch, Bools, Column, ColumnData, Floats, as_column


def concatenated_by_type(batches: Sequence[Batch], name: str) -> tuple[list[Column], int]:
    """One column of all lists, one of the arrays of each type (so that no value changes its type), and rows without."""
    listed: list[Any] = []
    arrays: dict[str, list[Column]] = {}
    absent = 0
    for batch in batches:
        data = batch.columns.get(name)
        if type(data) is list:
            listed += data
        elif data is None:
            absent += batch.rows
        else:
            column = as_column(data)
            arrays.setdefault(f"{column.values.dtype.char}{column.values.shape[1:]}", []).append(column)
    joined = [concatenated(columns) for columns in arrays.values()]
    return [*joined, as_column(listed)] if listed else joined, absent


def aligned(batches: Sequence[Batch], name: str) -> Column:
    """One entry for every row of the batches, masked where a batch has no such column."""
    parts: list[Column] = []
    listed: list[Any] = []  # of batches that follow each other: many small ones become one array
    for batch in batches:
        data = batch.columns.get(name)
        if data is None:
            listed += [None] * batch.rows
        elif type(data) is list:
            listed += data
        else:
            if listed:
                parts.append(as_column(listed))
                listed = []
            parts.append(as_column(data))
    if listed:
        parts.append(as_column(listed))
    if len({(part.values.dtype.kind, part.values.shape[1:]) for part in parts}) > 1:
        parts = [Column(_objects(part.values), part.missing) for part in parts]
    return concatenated(parts)


def approximate_bytes(data: ColumnData) -> int:
    """About how many bytes the values of a column hold."""
    values = data.values if isinstance(data, Column) else data
    if isinstance(values, np.ndarray) and values.dtype != object:
        return int(values.nbytes)
    return sum(map(_size, values))


def _size(value: object) -> int:
    if isinstance(value, np.ndarray):
        return int(value.nbytes)
    return 8 + 8 * len(value) if isinstance(value, (str, bytes, list, tuple)) else 8


def times(batches: Sequence[Batch]) -> Floats | None:
    """[rows] when each row's exchange happened, NaN where unknown; None where no batch tells."""
    if all(batch.at is None for batch in batches):
        return None
    parts = [
        np.broadcast_to(np.asarray(np.nan if batch.at is None else batch.at, dtype=np.float64), (batch.rows,))
        for batch in batches
    ]
    return np.concatenate(parts)


def _objects(values: Any) -> Any:
    """A one-dimensional array of objects; rows of more dimensions stay arrays."""
    out = np.empty(len(values), dtype=object)
    for row, value in enumerate(values if values.ndim > 1 else values.tolist()):
        out[row] = value
    return out


def concatenated(columns: list[Column]) -> Column:
    """The rows of one column after those of another."""
    if len(columns) == 1:
        return columns[0]
    values = np.concatenate([column.values for column in columns])
    if all(column.missing is None for column in columns):
        return Column(values)
    return Column(values, np.concatenate([_mask(column) for column in columns]))


def _mask(column: Column) -> Bools:
    return np.zeros(len(column.values), dtype=bool) if column.missing is None else column.missing
