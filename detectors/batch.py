"""Decoded rows on their way into counts: named columns, each with a mask of what is missing."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .errors import BatchError

Family: TypeAlias = Literal["features", "multivariate", "performance", "predictions"]
Kind: TypeAlias = Literal["numeric", "integer", "boolean", "categorical", "constant"]
ColumnType: TypeAlias = Kind | Literal["array", "text", "timestamp"]
Side: TypeAlias = Literal["input", "prediction", "label"]
SIDES: tuple[Side, ...] = ("input", "prediction", "label")
Array: TypeAlias = NDArray[Any]
Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]
Bools: TypeAlias = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Column:
    """Values [rows] of any numpy type, and a mask [rows] that is true where a value is missing.

    NaN, None and NaT count as missing without a mask, too. The values of an array column are [rows, ...].
    """

    values: Array
    missing: Bools | None = None

    def take(self, rows: Array | slice) -> Column:
        """The column at some rows: by mask, by number, or a stretch of them."""
        return Column(self.values[rows], None if self.missing is None else self.missing[rows])


ColumnData: TypeAlias = Column | Array | list[Any]


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of one side of the traffic. Columns that the profile does not know are ignored.

    `at` is when the rows' exchange happened (epoch s, for all rows or [rows]), where that is known. Rows of the side
    "label" are those whose label came: their columns are predictions and labels together.

    BatchError if the columns differ in length.

    A column may be a plain list (the cheapest for a few rows of JSON): None is missing, and whatever else it
    holds, a string among numbers or an integer without bounds, is counted and never raises.
    """

    columns: Mapping[str, ColumnData]
    rows: int
    side: Side = "input"
    at: Floats | float | None = None

    def __post_init__(self) -> None:
        if isinstance(self.at, np.ndarray) and self.at.shape != (self.rows,):
            raise BatchError(
                f"{self.at.shape} times in a batch of {self.rows} rows; every row needs one, or all the same"
            )
        for name, column in self.columns.items():
            if type(column) is not list:
                _check_shape(name, column)
            if length(column) != self.rows:
                raise BatchError(
                    f"column {name!r} has {length(column)} entries in a batch of {self.rows} rows; "
                    "every column needs one entry a row"
                )


def _check_shape(name: str, data: ColumnData) -> None:
    column = as_column(data)
    shape, mask = column.values.shape, column.missing
    if not shape or (mask is not None and mask.shape != shape[:1]):
        masked = None if mask is None else mask.shape
        raise BatchError(f"column {name!r} has the shape {shape}, its mask {masked}; both need one entry a row")


def length(column: ColumnData) -> int:
    """The number of rows of a column."""
    return len(column.values) if isinstance(column, Column) else len(column)


def as_column(data: ColumnData) -> Column:
    """The same column with its mask spelled out where lists or objects carry None."""
    if isinstance(data, Column):
        return data
    if isinstance(data, list):
        return Column(_array_of(data))
    return Column(data)


def _array_of(values: list[Any]) -> Array:
    """An array that keeps each value's type: mixed lists become objects instead of strings."""
    kinds = set(map(type, values))
    if kinds <= {int, float} or kinds == {bool} or kinds == {str}:
        try:
            return np.asarray(values)
        except OverflowError:  # an integer beyond every machine type stays what it is
            pass
    return np.fromiter(values, dtype=object, count=len(values))


def is_missing(value: object) -> bool:
    """None and NaN; everything else is a value, even an unusable one."""
    return value is None or (isinstance(value, (float, np.floating)) and math.isnan(value))


def missing_mask(column: Column) -> Bools:
    """True [rows] where a value is missing: masked, None, NaN or NaT."""
    values = column.values
    if values.ndim > 1:  # an array is a value, whatever stands in it
        mask = np.zeros(len(values), dtype=bool)
    elif values.dtype.kind == "f":
        mask = np.isnan(values)
    elif values.dtype.kind in "mM":
        mask = np.isnat(values)
    elif values.dtype.kind == "O":
        mask = np.fromiter(map(is_missing, values), dtype=bool, count=len(values))
    else:
        mask = np.zeros(len(values), dtype=bool)
    return mask if column.missing is None else mask | column.missing
