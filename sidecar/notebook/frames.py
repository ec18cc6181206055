"""Turns a data frame of any library into a `ReferenceTable`, the same as a Parquet file with these columns gives.

A pandas frame needs pandas only. All other frames are read through the Arrow C interface (`__arrow_c_stream__`), by
pyarrow. No library is imported before a frame of it arrives.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ...detectors.batch import Column
from ..errors import quote_value
from ..profiles.build import ColumnRoles, require_roles
from ..profiles.errors import ReferenceDataError
from ..profiles.table import ReferenceTable, repeated, require_size
from . import arrow_columns, pandas_columns

WHERE = "the frame"  # what messages call the rows


@dataclass(frozen=True, slots=True)
class FrameColumn:
    """A column before its conversion: `values` is a pandas Series or an Arrow array."""

    name: str
    values: Any


def frame_table(frame: Any, roles: ColumnRoles, exact: Collection[str] = ()) -> ReferenceTable:
    """Return the columns of `frame` without the excluded ones; raise ReferenceDataError or UsageError.

    The integers of the columns in `exact` are names, so they become exact texts. Columns of the type `categorical` are
    always exact. The index of a pandas frame is a column only where a role names it.
    """
    if is_pandas(frame):
        frame = _with_index(frame, roles)
        arrow = None
    else:
        arrow = arrow_columns.arrow_table(frame)
    columns = list(pandas_columns.columns_of(frame) if arrow is None else arrow_columns.columns_of(arrow))
    names = [name for name, _ in columns]
    _require_names(names)
    require_roles(WHERE, names, roles)
    table = ReferenceTable({}, len(frame) if arrow is None else arrow.num_rows, header=tuple(names))
    if not table.rows:
        raise ReferenceDataError(f"{WHERE}: has no rows; give reference rows")
    kept = [(name, values) for name, values in columns if name not in roles.excluded]
    require_size(WHERE, table.rows, len(kept))
    as_names = {*exact, *(name for name, kind in roles.kinds.items() if kind == "categorical")}
    convert = pandas_columns.column if arrow is None else arrow_columns.column
    for name, values in kept:
        found = convert(values, exact=name in as_names)
        if isinstance(found, Column):
            table.columns[name] = found
        else:
            table.left_out[name] = found
    table.notes += _notes(frame, names, roles) if arrow is None else []
    return table


def is_pandas(frame: Any) -> bool:
    """Return whether `frame` is a pandas DataFrame, without importing pandas."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(frame, pandas.DataFrame)


def has_column(frame: Any, name: str) -> bool:
    """Return whether a frame of any library has a column, or a level of its index, of that name."""
    columns = list(getattr(frame, "column_names", getattr(frame, "columns", ())))
    return name in columns or (is_pandas(frame) and name in _index_names(frame))


def _require_names(names: Sequence[Any]) -> None:
    wrong = [name for name in names if not isinstance(name, str)]
    if any(isinstance(name, tuple) for name in wrong):
        raise ReferenceDataError(
            f"{WHERE}: has columns of several levels, such as {quote_value(wrong[0])}; give each column one name: "
            "frame.columns = ['_'.join(map(str, levels)) for levels in frame.columns]"
        )
    if wrong:
        raise ReferenceDataError(
            f"{WHERE}: has names of columns that are not text, such as {quote_value(wrong[0])}; "
            "name them: frame.columns = [f'x{name}' for name in frame.columns]"
        )
    if twice := repeated(names):
        raise ReferenceDataError(f"{WHERE}: has {quote_value(twice)} more than once; rename these columns")


def _with_index(frame: Any, roles: ColumnRoles) -> Any:
    """Return a pandas frame with the levels of its index that have a role as columns; the caller's frame stays."""
    roled = (roles.time, roles.score, *roles.predictions, *roles.labels)
    wanted = [name for name in _index_names(frame) if name in roled and name not in frame.columns]
    return frame.reset_index(level=wanted) if wanted else frame


def _index_names(frame: Any) -> Iterator[str]:
    index = getattr(frame, "index", None)
    yield from (name for name in getattr(index, "names", ()) if isinstance(name, str))


def _notes(frame: Any, names: Sequence[str], roles: ColumnRoles) -> Iterator[str]:
    if roles.time is None and pandas_columns.is_time_index(frame):
        named = frame.index.name if isinstance(frame.index.name, str) else None
        how = f"time={quote_value(named)}" if named is not None else "frame.rename_axis('at') and time='at'"
        yield f"the index of the frame holds times, but it is not a column; to use them, give {how}"
    for name in pandas_columns.numeric_categories(frame):
        if name in names and name not in roles.kinds and name not in roles.excluded:
            typed = roles.arguments.typed(name, "categorical")
            yield f"column {name}: its categories are numbers, so it is read as numbers; else give {typed}"
