"""Join the rows of many small batches, so that they are binned and transformed in one call.

`summaries.counts` uses it before binning. Joining must not change the type of a value: an integer that becomes text
would count as a mismatch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..batch import Batch, Bools, Column, ColumnData, Floats, as_column

PADDING = 4  # times the characters of the texts: numpy pads all texts of an array to the longest one
MOST_PADDED = 1024 * 1024  # characters of 4 bytes; up to this size, padding is not looked at
_CHARACTER = np.dtype("U1").itemsize


def concatenated_by_type(batches: Sequence[Batch], name: str) -> tuple[list[Column], int]:
    """Return the rows of a column as one column per type, and the number of rows without the column.

    Lists form one column; arrays form one column per numpy type and row shape.
    """
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
    """Return one entry for every row of the batches, masked where a batch lacks the column."""
    parts: list[Column] = []
    listed: list[Any] = []  # consecutive lists become one array
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
    """Return the approximate size of a column's values in bytes."""
    values = data.values if isinstance(data, Column) else data
    if isinstance(values, np.ndarray) and values.dtype != object:
        return int(values.nbytes)
    return sum(map(_size, values))


def _size(value: object) -> int:
    if isinstance(value, np.ndarray):
        return int(value.nbytes)
    return 8 + 8 * len(value) if isinstance(value, (str, bytes, list, tuple)) else 8


def times(batches: Sequence[Batch]) -> Floats | None:
    """Return the exchange time of each row [rows], NaN where unknown; None if no batch has times."""
    if all(batch.at is None for batch in batches):
        return None
    parts = [
        np.broadcast_to(np.asarray(np.nan if batch.at is None else batch.at, dtype=np.float64), (batch.rows,))
        for batch in batches
    ]
    return np.concatenate(parts)


def _objects(values: Any) -> Any:
    """Return a one-dimensional array of objects; rows with more dimensions stay arrays."""
    out = np.empty(len(values), dtype=object)
    for row, value in enumerate(values if values.ndim > 1 else values.tolist()):
        out[row] = value
    return out


def concatenated(columns: list[Column]) -> Column:
    """Return the rows of all columns, one column after the other."""
    if len(columns) == 1:
        return columns[0]
    parts = [column.values for column in columns]
    if all(part.dtype.kind == "U" for part in parts):
        longest = max(part.dtype.itemsize for part in parts) // _CHARACTER
        if _is_padded(longest * sum(map(len, parts)), sum(part.nbytes for part in parts) // _CHARACTER):
            parts = [_objects(part) for part in parts]
    values = np.concatenate(parts)
    if all(column.missing is None for column in columns):
        return Column(values)
    return Column(values, np.concatenate([_mask(column) for column in columns]))


def _is_padded(padded: int, characters: int) -> bool:
    """Return whether an array of texts with `padded` characters mostly holds padding, beyond the `characters`."""
    return padded > PADDING * characters + MOST_PADDED


def _mask(column: Column) -> Bools:
    return np.zeros(len(column.values), dtype=bool) if column.missing is None else column.missing
