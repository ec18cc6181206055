"""Convert row blocks to the columns from which a reference is built.

`learn.py` and `pilotfish report` use it. Numbers with gaps and arrays must become numpy arrays, because lists take ten
times the memory.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...detectors.batch import Column as MaskedColumn
from ...detectors.batch import ColumnData, Floats, Side
from ...detectors.schema import LONGEST_NAME
from .blocks import RowBlock

MAX_COLUMNS = 2000


@dataclass(frozen=True)
class RowTable:
    """The columns of a reference.

    Attributes:
        columns: [rows] values of each column.
        sides: input or prediction, by column.
        times: [rows] epoch seconds.
        left_out: columns that are not used, with the reason.
    """

    columns: dict[str, ColumnData]
    sides: dict[str, Side]
    times: Floats
    left_out: dict[str, str]


def build_table(blocks: Iterable[RowBlock], most_rows: int) -> RowTable:
    """Return the first `most_rows` rows of `blocks`. A column that a row does not have is missing in that row.

    A prediction with the name of an input is left out, because column names in a profile are unique.
    """
    builder = _TableBuilder(most_rows)
    for block in blocks:
        if builder.rows >= most_rows:
            break
        builder.add(block)
    return builder.build()


class _TableBuilder:
    def __init__(self, most_rows: int) -> None:
        self._most_rows = most_rows
        self._values: dict[str, list[Any]] = {}
        self._sides: dict[str, Side] = {}
        self._left_out: dict[str, str] = {}
        self._at: list[float] = []

    @property
    def rows(self) -> int:
        return len(self._at)

    def add(self, block: RowBlock) -> None:
        first, capacity = self.rows, self._most_rows - self.rows
        self._at += block.at[:capacity]
        self._add(block.inputs, "input", first, capacity)
        self._add(block.outputs, "prediction", first, capacity)

    def build(self) -> RowTable:
        columns = {name: _column(_pad(values, self.rows)) for name, values in self._values.items()}
        return RowTable(columns, self._sides, np.array(self._at, dtype=np.float64), self._left_out)

    def _add(self, columns: dict[str, list[Any]], side: Side, first: int, capacity: int) -> None:
        for name, values in columns.items():
            if name not in self._values:
                problem = ""
                if len(name) > LONGEST_NAME:
                    problem = f"its name has more than {LONGEST_NAME} characters"
                elif len(self._values) >= MAX_COLUMNS:
                    problem = f"more than {MAX_COLUMNS} columns"
                if problem:
                    self._left_out[name[:80]] = problem
                    continue
                self._values[name], self._sides[name] = [], side
            if self._sides[name] != side:
                self._left_out[name] = "an input has the same name"
                continue
            _pad(self._values[name], first).extend(values[:capacity])


def _pad(values: list[Any], rows: int) -> list[Any]:
    values.extend([None] * (rows - len(values)))
    return values


def _column(values: list[Any]) -> ColumnData:
    """Return numbers with gaps, and lists of numbers, as arrays: a tenth of the memory. Return others unchanged."""
    types = set(map(type, values))
    if list in types and types <= {list, type(None)}:
        return _arrays(values)
    if type(None) in types and types <= {int, float, type(None)}:
        missing = np.array([value is None for value in values])
        return MaskedColumn(np.array([np.nan if value is None else float(value) for value in values]), missing)
    return values


def _arrays(values: list[Any]) -> ColumnData:
    missing = np.array([value is None for value in values])
    try:
        shape = np.asarray(next(value for value in values if value is not None), dtype=np.float64).shape
        missing_value = np.full(shape, np.nan)
        return MaskedColumn(
            np.array([missing_value if value is None else value for value in values], dtype=np.float64), missing
        )
    except (TypeError, ValueError):  # lists that differ in length, or values that are not numbers
        return values
