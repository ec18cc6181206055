"""Count duplicate rows, in live traffic and in the reference.

Rows are compared by hash within short runs, so memory is bounded. Missing values are equal, however they are written:
NaN, None, or masked. Rows with lists or objects are not compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..batch import Column, ColumnData, as_column, missing_mask

DUPLICATE_WINDOW_ROWS = 256  # consecutive rows that are compared with each other
SAMPLES = 40  # samples of the reference in which rows are compared


class DuplicateCount:
    """A count of the rows that repeat another one among the same `DUPLICATE_WINDOW_ROWS` rows.

    Example:
        >>> from pilotfish.detectors.quality.duplicates import DuplicateCount
        >>> DuplicateCount().add([[1, 2, 1], ["a", "b", "a"]])
        (1, 3)
    """

    def __init__(self) -> None:
        self._seen: set[int] = set()
        self._rows = 0

    def add(self, columns: list[list[Any]]) -> tuple[int, int]:
        """Compare rows, given as columns of equal length; return how many repeat another and how many were compared."""
        try:
            hashes = list(map(hash, zip(*columns, strict=True)))
        except TypeError:  # lists or dictionaries are not hashable
            return 0, 0
        repeated = 0
        for value in hashes:
            if self._rows == DUPLICATE_WINDOW_ROWS:
                self._seen.clear()
                self._rows = 0
            self._rows += 1
            repeated += value in self._seen
            self._seen.add(value)
        return repeated, len(hashes)


def duplicate_ratio(columns: Mapping[str, Column]) -> float:
    """Return the share of reference rows that repeat a row shortly before them, from samples over the whole time."""
    rows = min((len(column.values) for column in columns.values()), default=0)
    count = DuplicateCount()
    repeated = compared = 0
    for first in range(0, rows, max(DUPLICATE_WINDOW_ROWS, rows // SAMPLES)):
        piece = [listed(column.take(slice(first, first + DUPLICATE_WINDOW_ROWS))) for column in columns.values()]
        found, able = count.add(piece)
        repeated, compared = repeated + found, compared + able
    return round(repeated / compared, 4) if compared else 0.0


def listed(data: ColumnData) -> list[Any]:
    """Return the values of a column as a list in which None stands for every missing value, so that they are equal."""
    if isinstance(data, list):
        if _WITHOUT_NAN.issuperset(map(type, data)):
            return data
        try:
            return [None if value != value else value for value in data]  # only NaN differs from itself
        except ValueError:  # an array has no single truth value; its row is not compared
            return data
    column = as_column(data)
    values: list[Any] = column.values.tolist()
    for row in np.flatnonzero(missing_mask(column)).tolist():
        values[row] = None
    return values


_WITHOUT_NAN = frozenset((bool, int, str, type(None)))
