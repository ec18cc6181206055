"""Columns of Arrow tables, and of every frame that offers the Arrow C interface, such as those of polars and DuckDB."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...detectors.batch import Column
from ..errors import UsageError
from ..profiles import list_columns as lists
from ..profiles.errors import ReferenceDataError
from ..profiles.parquet import arrow_column, combined, plain

CONVERSIONS = ("collect", "compute", "toPandas", "to_frame")  # what lazy frames, distributed frames and series offer


def arrow_table(frame: Any) -> Any:
    """Return the `pyarrow.Table` of a frame; raise UsageError if it is not a frame, or pyarrow is missing."""
    kind = f"{type(frame).__module__.partition('.')[0]}.{type(frame).__name__}"
    made = next((call for call in CONVERSIONS if hasattr(frame, call)), "")
    if made or not hasattr(frame, "__arrow_c_stream__"):
        other = "pandas.DataFrame(rows)" if isinstance(frame, dict | list) else "a pandas, polars or Arrow frame"
        raise UsageError(f"a {kind} is not a data frame; give {f'frame.{made}()' if made else other}")
    try:
        import pyarrow as pa
    except ImportError as error:
        raise UsageError(
            f"a {kind} is read by pyarrow; pip install 'pilotfish[parquet]', or give {kind}.to_pandas()"
        ) from error
    try:
        found = pa.table(frame)
    except (pa.ArrowException, ValueError, TypeError, NotImplementedError, RuntimeError) as error:
        raise ReferenceDataError(f"a {kind} cannot be read as Arrow ({error}); drop or cast the column") from error
    return found


def columns_of(table: Any) -> Iterator[tuple[str, Any]]:
    """Yield (name, Arrow array) pairs; fields of structs become columns `name.field`."""
    import pyarrow as pa

    for name, given in zip(table.column_names, table.columns, strict=True):
        chunks = [plain(pa, chunk) for chunk in given.chunks] or [pa.array([], given.type)]
        yield from lists.columns_of(pa, name, combined(pa, pa.chunked_array(chunks)))


def column(array: Any, *, exact: bool) -> Column | str:
    """Return the column of an Arrow array, or why it cannot be used."""
    import pyarrow as pa

    found = arrow_column(pa, array, exact=exact)
    return f"holds values of type {array.type}" if found is None else found
