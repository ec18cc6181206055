"""Rows on their way to counts: named columns, each with a mask of missing values.

Callers decode requests or files into `Batch` objects; `summaries.counts.TickCounts` counts them. The module also holds
the plain types that the whole package shares. Constructing a batch checks shapes only: no value may raise, because live
rows can hold anything.
"""

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

    NaN, None and NaT count as missing without a mask. An array column has values of shape [rows, ...].

    Example:
        >>> import numpy as np
        >>> from pilotfish.detectors.batch import Column, missing_mask
        >>> missing_mask(Column(np.array([1.5, np.nan, 2.0]))).tolist()
        [False, True, False]
    """

    values: Array
    missing: Bools | None = None

    def take(self, rows: Array | slice) -> Column:
        """Return the column at some rows: a boolean mask, row numbers or a slice."""
        return Column(self.values[rows], None if self.missing is None else self.missing[rows])


ColumnData: TypeAlias = Column | Array | list[Any]


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of one side of the traffic. Columns that are not in the profile are ignored.

    A column may be a plain list, which is the cheapest form for a few rows of JSON. None means missing. Any other
    value, such as a string among numbers or an integer of any size, is counted and never raises.

    Attributes:
        columns: values by column name, `rows` entries each.
        side: "label" marks rows whose label has arrived; their columns are predictions and labels together.
        at: when the exchange happened, in epoch seconds: one number for all rows, or [rows]. None if unknown.

    Raises:
        BatchError: a column or `at` does not have one entry per row.

    Example:
        >>> from pilotfish.detectors.batch import Batch
        >>> batch = Batch({"age": [31, None, 64], "city": ["Rome", "Bern", "Rome"]}, 3)
        >>> batch.side, batch.rows
        ('input', 3)
    """

    columns: Mapping[str, ColumnData]
    rows: int
    side: Side = "input"
    at: Floats | float | None = None

    def __post_init__(self) -> None:
        if isinstance(self.at, np.ndarray) and self.at.shape != (self.rows,):
            raise BatchError(
                f"cannot use the times of a batch of {self.rows} rows: they have the shape {self.at.shape}; "
                "give one time for each row, or a single number"
            )
        for name, column in self.columns.items():
            if type(column) is not list:
                _check_shape(name, column)
            if length(column) != self.rows:
                raise BatchError(
                    f"column {name!r} has {length(column)} entries in a batch of {self.rows} rows; "
                    "give each column one entry for each row"
                )


def _check_shape(name: str, data: ColumnData) -> None:
    column = as_column(data)
    shape, mask = column.values.shape, column.missing
    if not shape or (mask is not None and mask.shape != shape[:1]):
        masked = None if mask is None else mask.shape
        raise BatchError(
            f"column {name!r} has the shape {shape} and its mask {masked}; both need one entry a row in the first axis"
        )


def length(column: ColumnData) -> int:
    """Return the number of rows of a column."""
    return len(column.values) if isinstance(column, Column) else len(column)


def as_column(data: ColumnData) -> Column:
    """Return the data as a `Column`; lists become arrays and keep the type of each value."""
    if isinstance(data, Column):
        return data
    if isinstance(data, list):
        return Column(_array_of(data))
    return Column(data)


def _array_of(values: list[Any]) -> Array:
    """Return an array that keeps the type of each value: texts and mixed lists become objects."""
    kinds = set(map(type, values))
    if kinds <= {int, float} or kinds == {bool}:
        try:
            array = np.asarray(values)
            if float in kinds or array.dtype.kind != "f":  # numpy rounds integers of which no machine type holds all
                return array
        except OverflowError:  # an integer that no machine type holds stays a Python integer
            pass
    return np.fromiter(values, dtype=object, count=len(values))


def is_missing(value: object) -> bool:
    """Return whether a value is None or NaN. Any other value is present, even an unusable one."""
    return value is None or (isinstance(value, (float, np.floating)) and math.isnan(value))


_MAYBE_MISSING = frozenset({type(None), float, np.float16, np.float32, np.float64, np.longdouble})


def missing_mask(column: Column) -> Bools:
    """Return a mask [rows] that is true where a value is masked, None, NaN or NaT."""
    values = column.values
    if values.ndim > 1:  # an array is present, whatever it contains
        mask = np.zeros(len(values), dtype=bool)
    elif values.dtype.kind == "f":
        mask = np.isnan(values)
    elif values.dtype.kind in "mM":
        mask = np.isnat(values)
    elif values.dtype.kind == "O":
        mask = np.fromiter(map(_MAYBE_MISSING.__contains__, map(type, values.tolist())), dtype=bool, count=len(values))
        for row in np.flatnonzero(mask).tolist():
            mask[row] = is_missing(values[row])
    else:
        mask = np.zeros(len(values), dtype=bool)
    return mask if column.missing is None else mask | column.missing
