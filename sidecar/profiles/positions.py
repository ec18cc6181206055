"""Decides which columns of a file name the values of a request without names, and in which order.

`build` calls it. Columns that are left out must not move the names of the others. A column that cannot be read keeps
its place; an index, a row number, the time and excluded columns have none, because the model is not sent them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...detectors.batch import Column
from ...detectors.columns.inference import COUNTS_ROWS, is_row_number
from ...detectors.profile.profile import Profile
from ...detectors.profile.provenance import ExcludedColumn
from ...detectors.reference.layout import check_column_name
from ...detectors.schema import LONGEST_NAME, MOST_ITEMS
from ..errors import quote_value
from .table import ReferenceTable

INDEX_REASON = "the index of a data frame: it is not sent to the model"
MOST_GAPS = 1.25  # span of row numbers, of rows; the rows between were dropped
LISTED = 200  # characters of names in a note
_INDEX = re.compile(r"Unnamed: 0(?:\.\d+)*|__index_level_\d+__")  # as pandas writes an index without a name
_RESET_INDEX = re.compile(r"index|level_\d+")  # as `reset_index` names it


@dataclass(frozen=True, slots=True)
class Positions:
    """The columns in the order of the file.

    Attributes:
        inputs: the columns that are neither a prediction nor a label.
        unsent: those of them that the model is not sent.
        predictions: the predictions, readable or not.
        unread: inputs that cannot be read and keep their places.
    """

    inputs: tuple[str, ...]
    unsent: tuple[str, ...]
    predictions: tuple[str, ...]
    unread: tuple[str, ...]

    def apply(self, profile: Profile, indexes: Mapping[str, str]) -> Profile:
        """Return the profile with these positions, and with the reasons for leaving out `indexes`."""
        excluded = tuple(ExcludedColumn(name, reason) for name, reason in indexes.items())
        return replace(
            profile,
            input_columns=self.inputs,
            unsent_columns=self.unsent,
            prediction_columns=self.predictions,
            excluded=(*excluded, *profile.excluded),
        )

    def notes(self) -> list[str]:
        """Return what to know about requests without names, if any column is left out."""
        found = []
        if self.unsent:
            sent, every = len(self.inputs) - len(self.unsent), len(self.inputs)
            found.append(
                f"a request without names has {sent} values a row: the columns in their order, without "
                f"{_listed(self.unsent)}; one with {every} values has these, too"
            )
        if self.unread:
            found.append(
                f"in requests without names, columns that cannot be read keep their places: {_listed(self.unread)}"
            )
        return found


def positions_of(
    table: ReferenceTable, unsent: Collection[str], predictions: Collection[str], labels: Collection[str]
) -> Positions:
    """Return the positions of the columns of a file.

    Args:
        table: its columns, and its header with all names.
        unsent: the time, excluded columns and indexes.
        predictions, labels: the columns of these roles.
    """
    names = [name or f"Unnamed: {place}" for place, name in enumerate(table.header)]  # as pandas names them
    unnamed = {name for name, given in zip(names, table.header, strict=True) if not given} - set(table.header)
    outside = {*predictions, *labels}
    inputs = [name for name in names if (name in unnamed or name in table.header) and name not in outside]
    away = {*unsent, *unnamed}
    if len(inputs) > MOST_ITEMS or any(len(name) > LONGEST_NAME for name in inputs if name in away):
        inputs = [name for name in inputs if name not in away]  # more than a profile holds
    for name in inputs:
        check_column_name(name)
    return Positions(
        tuple(dict.fromkeys(inputs)),
        tuple(name for name in dict.fromkeys(inputs) if name in away),
        tuple(name for name in names if name in predictions),
        tuple(name for name in inputs if name in table.left_out),
    )


def index_columns(table: ReferenceTable, given: Collection[str]) -> dict[str, str]:
    """Return the columns that number or name the rows, with the reason; never one of the columns in `given`.

    These are the index of a data frame, by its metadata or its name, and columns of distinct whole numbers with few
    gaps, in any order. The result is empty if no other column is left.
    """
    found = {}
    for name, column in table.columns.items():
        if name in given:
            continue
        if name in table.index or _INDEX.fullmatch(name):
            found[name] = INDEX_REASON
        elif _numbers_rows(column, np.inf if _RESET_INDEX.fullmatch(name) else MOST_GAPS):
            found[name] = COUNTS_ROWS
    return found if found.keys() != table.columns.keys() - set(given) else {}


def _numbers_rows(column: Column, most_gaps: float) -> bool:
    """Return whether each row has a number, and these are row numbers."""
    values = column.values
    if values.dtype.kind not in "fiu" or values.ndim > 1 or (column.missing is not None and column.missing.any()):
        return False
    return bool(np.isfinite(values).all()) and is_row_number(values, most_gaps)


def _listed(names: Sequence[str]) -> str:
    return quote_value(list(names), LISTED)
