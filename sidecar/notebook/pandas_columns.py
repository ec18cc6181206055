"""Columns of pandas frames, by numpy and pandas only.

A column becomes what Parquet would make of it: numbers are float64, times are datetime64 in UTC, and texts, booleans
and lists are objects. pandas stores any Python value in a column of the type `object`; the values that are present
then determine what the column is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import numpy as np

from ...detectors.batch import Bools, Column
from ..profiles.list_columns import MAX_DEPTH, together
from ..profiles.parquet import combined
from . import arrow_columns

TEXTS, BOOLEANS, WHOLE = (str,), (bool, np.bool_), (int, np.integer)
NUMBERS = (*WHOLE, float, np.floating, Decimal)
TIMES = (datetime, date, np.datetime64)
LISTS = (list, tuple, np.ndarray)


def columns_of(frame: Any) -> Iterator[tuple[Any, Any]]:
    """Yield (name, Series) pairs; the fields of a column of dictionaries become columns `name.field`."""
    for place, name in enumerate(frame.columns):  # by place, because a name may occur twice
        yield from _spread(name, frame.iloc[:, place], MAX_DEPTH)


def column(series: Any, *, exact: bool) -> Column | str:
    """Return the column of a Series, or why it cannot be used. With `exact`, integers become exact texts."""
    import pandas as pd

    kind = series.dtype
    missing = np.asarray(series.isna(), dtype=bool)
    if isinstance(kind, pd.ArrowDtype):
        import pyarrow as pa  # installed, because pandas uses it for this type

        return arrow_columns.column(combined(pa, pa.table({"it": series.array}).column(0)), exact=exact)
    if isinstance(kind, pd.SparseDtype):
        series, kind = series.sparse.to_dense(), kind.subtype
    if isinstance(kind, pd.CategoricalDtype):
        return _of_objects(series.astype(object), missing, exact=exact, as_text=True)
    if pd.api.types.is_bool_dtype(kind) or pd.api.types.is_object_dtype(kind) or isinstance(kind, pd.StringDtype):
        return _of_objects(series.astype(object), missing, exact=exact)
    if pd.api.types.is_complex_dtype(kind):
        return f"holds values of type {kind}"
    if pd.api.types.is_numeric_dtype(kind):
        if exact and pd.api.types.is_integer_dtype(kind):
            return _of_objects(series.astype(object), missing, exact=True)
        return Column(series.to_numpy(dtype=np.float64, na_value=np.nan), missing)
    if pd.api.types.is_datetime64_any_dtype(kind):
        naive = series if series.dt.tz is None else series.dt.tz_convert("UTC").dt.tz_localize(None)
        return Column(naive.to_numpy().astype("datetime64[us]"), missing)
    return f"holds values of type {kind}"


def is_time_index(frame: Any) -> bool:
    """Return whether the index of a frame holds times."""
    import pandas as pd

    return isinstance(frame.index, pd.DatetimeIndex)


def numeric_categories(frame: Any) -> Iterator[str]:
    """Yield the categorical columns whose categories are numbers."""
    import pandas as pd

    for name, kind in frame.dtypes.items():
        if isinstance(kind, pd.CategoricalDtype) and pd.api.types.is_any_real_numeric_dtype(kind.categories.dtype):
            yield name


def _spread(name: Any, series: Any, depth: int) -> Iterator[tuple[Any, Any]]:
    """Yield a Series, or one for each key of its dictionaries; rows without a dictionary have no value there."""
    if not depth or not _are_dictionaries(series):
        yield name, series
        return
    missing = np.asarray(series.isna(), dtype=bool)
    rows = [{} if absent else row for absent, row in zip(missing, series, strict=True)]
    for key in dict.fromkeys(key for row in rows for key in row):
        inner = type(series)([row.get(key) for row in rows], dtype=object)
        yield from _spread(f"{name}.{key}", inner, depth - 1)


def _are_dictionaries(series: Any) -> bool:
    if series.dtype != object:
        return False
    present = series[series.notna()]
    return len(present) > 0 and all(isinstance(value, dict) for value in present)


def _of_objects(series: Any, missing: Bools, *, exact: bool, as_text: bool = False) -> Column | str:
    """Return the column of Python values. With `as_text`, values that are no numbers, times or lists become texts."""
    present = [value for absent, value in zip(missing, series.to_list(), strict=True) if not absent]
    kinds = set(map(type, present))
    if any(issubclass(kind, LISTS) for kind in kinds):
        return _filled(missing, None, [_list(value) for value in present])
    boolean = any(issubclass(kind, BOOLEANS) for kind in kinds)  # Python counts them as whole numbers
    if not kinds or (_all(kinds, NUMBERS) and not boolean and not (exact and _all(kinds, WHOLE))):
        return _filled(missing, np.float64("nan"), [_number(value) for value in present])
    if _all(kinds, WHOLE) and not boolean:
        return _filled(missing, None, [str(int(value)) for value in present])
    if _all(kinds, TIMES):
        return _filled(missing, np.datetime64("NaT", "us"), [_in_utc(value) for value in present])
    if not as_text and not any(issubclass(kind, (*TEXTS, *BOOLEANS, *NUMBERS)) for kind in kinds):
        return f"holds values of type {', '.join(sorted(kind.__name__ for kind in kinds))}"
    return _filled(missing, None, [_scalar(value) for value in present])


def _all(kinds: Collection[type], wanted: tuple[type, ...]) -> bool:
    return all(issubclass(kind, wanted) for kind in kinds)


def _filled(missing: Bools, fill: Any, present: Sequence[Any]) -> Column:
    """Return a column of the present values, with `fill` in the rows that are missing; its type is that of `fill`."""
    given = iter(present)
    rows = [fill if absent else next(given) for absent in missing]
    return Column(together(rows) if fill is None else np.array(rows, dtype=fill.dtype), missing)


def _scalar(value: Any) -> object:
    """Return a value as JSON would carry it: a text, a boolean, a number, or the text of anything else."""
    if isinstance(value, (*TEXTS, *BOOLEANS, int, float)):
        return value
    if isinstance(value, (np.integer, np.floating)):
        return value.item()
    return _number(value) if isinstance(value, Decimal) else str(value)


def _number(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:  # an integer beyond the largest double
        return np.inf if value > 0 else -np.inf


def _in_utc(value: Any) -> Any:
    """Return a time without a zone, which numpy accepts; a time without a zone counts as UTC."""
    return value.astimezone(UTC).replace(tzinfo=None) if getattr(value, "tzinfo", None) is not None else value


def _list(value: Any) -> Any:
    """Return a flat list of numbers as an array, another list as a list, and any other value as it is."""
    if not isinstance(value, LISTS):
        return value
    if isinstance(value, np.ndarray):
        return value.astype(np.float64) if value.ndim == 1 and value.dtype.kind in "fiub" else value.tolist()
    if all(item is None or isinstance(item, NUMBERS) for item in value):
        return np.array([np.nan if item is None else _number(item) for item in value], dtype=np.float64)
    return list(value)
