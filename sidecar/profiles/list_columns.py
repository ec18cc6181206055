"""Columns whose cells are lists: lists as text in the cells of a CSV, lists and structs of Parquet."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np

from ...detectors.batch import Array, Column
from .python_lists import SHORTENED, opens_list, python_list

SAMPLE = 1000  # cells that are examined
MIN_LISTS = 0.95  # share of the examined cells that must be lists
MAX_DEPTH = 8  # of structs within structs
_LIST = msgspec.json.Decoder(list[Any])
_NUMBERS = msgspec.json.Decoder(list[float | None])


def parsed(column: Column, *, wanted: bool) -> Column | None:
    """Parse a column of lists, as JSON or as Python writes them; return None if too few of its cells are lists.

    With `wanted`, the column is parsed in any case. A text that is not a list stays a text.
    """
    if column.values.dtype != object:
        return None
    missing = np.zeros(len(column.values), bool) if column.missing is None else column.missing
    present = np.flatnonzero(~missing)
    some = present[:: max(1, len(present) // SAMPLE)]
    found = sum(type(_list(value)) is not str for value in column.values[some])
    if not wanted and (not len(some) or found < MIN_LISTS * len(some)):
        return None
    rows = [None if absent else _list(value) for absent, value in zip(missing, column.values, strict=True)]
    return Column(together(rows), missing)


def is_shortened(column: Column) -> bool:
    """Return whether the first texts of a column are arrays in which NumPy left out the middle."""
    if column.values.dtype != object:
        return False
    texts = [value for value in column.values[:SAMPLE].tolist() if isinstance(value, str)]
    return bool(texts) and all(opens_list(text) and SHORTENED in text for text in texts)


def columns_of(pa: Any, name: str, array: Any) -> Iterator[tuple[str, Any]]:
    """Yield the (name, array) pairs of a Parquet column; fields of structs become columns `name.field`."""
    return _spread(pa, name, array, MAX_DEPTH)


def names_of(pa: Any, name: str, kind: Any, depth: int = MAX_DEPTH) -> Iterator[str]:
    """Yield the names that `columns_of` yields for a column of this type."""
    if not pa.types.is_struct(kind) or not depth:
        yield name
        return
    for place in range(kind.num_fields):
        field = kind.field(place)
        yield from names_of(pa, f"{name}.{field.name}", field.type, depth - 1)


def rounded(pa: Any, decimals: Any) -> Any:
    """Return decimals as the nearest doubles, which is how JSON and CSV are read; Arrow's own cast misses by a bit."""
    return decimals.cast(pa.string()).cast(pa.float64())


def lists_of(pa: Any, array: Any) -> Column:
    """Convert an array of lists: [rows, numbers] if all have equally many numbers, else one list or array per row."""
    missing = np.asarray(array.is_null().to_numpy(zero_copy_only=False), dtype=bool)
    kind, numbers = array.type.value_type, array.flatten()
    if pa.types.is_decimal(kind):
        numbers = rounded(pa, numbers)
    elif not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)):
        return Column(together(array.to_pylist()), missing)
    lengths = np.array(array.value_lengths().fill_null(0).to_numpy(zero_copy_only=False), dtype=np.int64)
    flat = numbers.to_numpy(zero_copy_only=False)
    if flat.dtype == object:  # booleans with a null among them
        flat = flat.astype(np.float64)
    if not missing.any() and len(lengths) and lengths[0] and (lengths == lengths[0]).all():
        return Column(flat.reshape(len(lengths), int(lengths[0])), missing)
    rows = np.empty(len(lengths), dtype=object)
    for row, part in enumerate(np.split(flat, np.cumsum(lengths)[:-1])):
        rows[row] = None if missing[row] else part
    return Column(rows, missing)


def is_list(pa: Any, kind: Any) -> bool:
    """Return whether a Parquet type is a list: variable, large or of fixed size."""
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _spread(pa: Any, name: str, array: Any, depth: int) -> Iterator[tuple[str, Any]]:
    if not pa.types.is_struct(array.type) or not depth:
        yield name, array
        return
    for place, inner in enumerate(array.flatten()):  # fields of a missing struct are missing
        yield from _spread(pa, f"{name}.{array.type.field(place).name}", inner, depth - 1)


def _list(text: Any) -> Any:
    """Parse a text that is a list (a flat list of numbers becomes an array); return other values unchanged."""
    if type(text) is not str or not opens_list(text):
        return text
    try:
        return np.array(_NUMBERS.decode(text), dtype=np.float64)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        pass  # not a flat list of numbers
    try:
        return _LIST.decode(text)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        found = python_list(text)
        return text if found is None else found


def together(rows: list[Any]) -> Array:
    """Return one array [rows, numbers] if all rows are arrays of one shape, else an object array."""
    if rows and all(isinstance(row, np.ndarray) and row.shape == rows[0].shape for row in rows):
        return np.stack(rows)
    out: Array = np.empty(len(rows), dtype=object)
    for row, value in enumerate(rows):
        out[row] = value
    return out
