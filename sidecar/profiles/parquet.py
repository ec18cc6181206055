"""Reads Parquet files into columns, by pyarrow (the extra `pilotfish[parquet]`)."""

from __future__ import annotations

from collections.abc import Container, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ...detectors.batch import Column
from ..errors import quote_value
from ..system.files import open_file
from . import list_columns as lists
from .errors import ReferenceDataError
from .table import Progress, ReferenceTable, repeated, require_size

MAGIC = b"PAR1"


def parquet_header(path: Path) -> list[str]:
    """Return the names of the columns in the order of the file; fields of structs are `name.field`."""
    with _open(path) as file:
        schema = file.schema_arrow
    import pyarrow as pa  # installed, because _open has imported it

    names = [name for field in schema for name in lists.names_of(pa, field.name, field.type)]
    if twice := repeated(names):
        raise ReferenceDataError(
            f"{path}: has {quote_value(twice)} more than once, as a column or in a struct; rename these columns"
        )
    return names


def read_parquet(path: Path, skipped: Container[str], names: Container[str], progress: Progress) -> ReferenceTable:
    """Return the columns of `path`, read one at a time; raise ReferenceDataError.

    The integers of the columns in `names` are names, so they become exact texts.
    """
    import pyarrow as pa

    with _open(path) as file:
        table = ReferenceTable({}, file.metadata.num_rows)
        if not table.rows:
            raise ReferenceDataError(f"{path}: has no rows; give reference rows")
        header = [
            name
            for name, kind in zip(file.schema_arrow.names, file.schema_arrow.types, strict=True)
            if any(inner not in skipped for inner in lists.names_of(pa, name, kind))
        ]
        inner_names = [
            inner for name in header for inner in lists.names_of(pa, name, file.schema_arrow.field(name).type)
        ]
        require_size(path, table.rows, len(inner_names))
        for done, name in enumerate(header):
            progress("reading", done / len(header))
            try:
                whole = combined(pa, file.read(columns=[name], use_threads=False).column(0))
            except (pa.ArrowException, OSError, ValueError) as error:
                raise ReferenceDataError(f"{path}: column {name!r} cannot be read ({error}); check the file") from error
            if len(whole) != table.rows:
                raise ReferenceDataError(
                    f"{path}: column {name!r} has {len(whole):,} of {table.rows:,} rows; copy the file again"
                )
            for inner, array in lists.columns_of(pa, name, whole):
                if inner not in skipped:
                    _add(path, table, inner, array, exact=inner in names)
    progress("reading", 1.0)
    return table


def _add(path: Path, table: ReferenceTable, name: str, array: Any, *, exact: bool) -> None:
    """Add a column to the table; raise ReferenceDataError with the row of a value that cannot be read."""
    import pyarrow as pa

    try:
        found = arrow_column(pa, array, exact=exact)
    except UnicodeDecodeError as error:
        raise ReferenceDataError(
            f"{path}: column {name!r}, row {_unreadable_row(array) + 1:,}: the text is not UTF-8; write it as UTF-8"
        ) from error
    except (pa.ArrowException, OSError, ValueError) as error:
        raise ReferenceDataError(f"{path}: column {name!r} cannot be read ({error}); check the file") from error
    if found is None:
        table.left_out[name] = f"holds values of type {array.type}"
    else:
        table.columns[name] = found


def _unreadable_row(array: Any) -> int:
    for row in range(len(array)):
        try:
            array[row].as_py()
        except UnicodeDecodeError:
            return row
    return 0


@contextmanager
def _open(path: Path) -> Iterator[Any]:
    """Yield the `pyarrow.parquet.ParquetFile` of `path`; raise ReferenceDataError."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise ReferenceDataError(
            f"{path}: Parquet needs pyarrow; pip install 'pilotfish[parquet]', or give a CSV file"
        ) from error
    with ExitStack() as stack:
        try:
            found = pq.ParquetFile(stack.enter_context(open_file(path, follow=True)))
        except (pa.ArrowException, OSError, ValueError) as error:
            raise ReferenceDataError(
                f"{path}: cannot be read as Parquet ({error}); check that the file is complete"
            ) from error
        yield found


def combined(pa: Any, column: Any) -> Any:
    """Return a chunked array as one array."""
    found = column.combine_chunks()
    return pa.concat_arrays(found.chunks) if isinstance(found, pa.ChunkedArray) else found


def arrow_column(pa: Any, array: Any, *, exact: bool) -> Column | None:
    """Return the column of an Arrow array; None if its type is not supported. With `exact`, integers become texts."""
    kind = array.type
    missing = np.asarray(array.is_null().to_numpy(zero_copy_only=False), dtype=bool)
    if pa.types.is_dictionary(kind):
        array, kind = array.cast(kind.value_type), kind.value_type
    numeric = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    if exact and pa.types.is_integer(kind):
        array, kind, numeric = array.cast(pa.string()), pa.string(), False
    if numeric:
        values = array.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        return Column(values, missing)
    if lists.is_list(pa, kind):
        return lists.lists_of(pa, array)
    if pa.types.is_temporal(kind) and not (pa.types.is_time(kind) or pa.types.is_duration(kind)):
        return Column(array.cast(pa.timestamp("us"), safe=False).to_numpy(zero_copy_only=False), missing)
    if pa.types.is_boolean(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind):
        coded = array.dictionary_encode()  # so that equal texts are one object
        values = np.array([*coded.dictionary.to_pylist(), None], dtype=object)
        return Column(values[coded.indices.fill_null(len(values) - 1).to_numpy(zero_copy_only=False)], missing)
    return None
