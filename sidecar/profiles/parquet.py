"""Reads Parquet files into columns, by pyarrow (the extra `pilotfish[parquet]`)."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np

from ...detectors.batch import Column
from ..errors import quote_value
from . import list_columns as lists
from .errors import ReferenceDataError
from .sources import RowSource
from .table import Progress, ReferenceTable, repeated, require_same_columns, require_size

MAGIC = b"PAR1"
MAX_NAMED = 3  # columns that an error names
OPENED = frozenset(("arrow.bool8", "arrow.fixed_shape_tensor", "arrow.json"))


def parquet_header(source: RowSource) -> list[str]:
    """Return the names of the columns in the order of the file; fields of structs are `name.field`."""
    with _open(source) as file:
        return _header(source, file)


def read_parquet(
    sources: Sequence[RowSource], skipped: Container[str], names: Container[str], progress: Progress
) -> ReferenceTable:
    """Return the columns of the files, one file after the other, read a column at a time; raise ReferenceDataError.

    The integers of the columns in `names` are names, so they become exact texts.
    """
    with ExitStack() as stack:
        files = [(source, stack.enter_context(_open(source))) for source in sources]
        import pyarrow as pa  # installed, because _open has imported it

        table = ReferenceTable({}, sum(file.metadata.num_rows for _, file in files))
        if not table.rows:
            raise ReferenceDataError(f"{sources[0]}: has no rows; give reference rows")
        schema = files[0][1].schema_arrow
        inner_names = {field.name: list(lists.names_of(pa, field.name, field.type)) for field in schema}
        header = [name for name, inner in inner_names.items() if any(each not in skipped for each in inner)]
        require_size(sources[0], table.rows, sum(len(inner_names[name]) for name in header))
        for source, file in files[1:]:
            require_same_columns(sources[0], _header(sources[0], files[0][1]), source, _header(source, file))
        for done, name in enumerate(header):
            progress("reading", done / len(header))
            whole = _joined(pa, name, [(source, _read(pa, source, file, name)) for source, file in files])
            for inner, array in lists.columns_of(pa, name, whole):
                if inner not in skipped:
                    _add(sources[0], table, inner, array, exact=inner in names)
        table.index = _index(schema)
    if not table.columns and table.left_out:
        left = "; ".join(f"{name!r} {reason}" for name, reason in list(table.left_out.items())[:MAX_NAMED])
        raise ReferenceDataError(f"{sources[0]}: no column can be read: {left}; give numbers, texts, times or lists")
    progress("reading", 1.0)
    return table


def _index(schema: Any) -> frozenset[str]:
    """Return the columns that pandas wrote as an index, according to its metadata."""
    try:
        columns = (schema.pandas_metadata or {}).get("index_columns", ())
    except (AttributeError, ValueError):  # metadata that is no JSON object
        return frozenset()
    return frozenset(name for name in columns if isinstance(name, str)) if isinstance(columns, list) else frozenset()


def _header(source: RowSource, file: Any) -> list[str]:
    import pyarrow as pa

    names = [name for field in file.schema_arrow for name in lists.names_of(pa, field.name, field.type)]
    if twice := repeated(names):
        raise ReferenceDataError(
            f"{source}: has {quote_value(twice)} more than once, as a column or in a struct; rename these columns"
        )
    return names


def _read(pa: Any, source: RowSource, file: Any, name: str) -> Any:
    """Return a column of a file as one array; raise ReferenceDataError."""
    try:
        whole = combined(pa, file.read(columns=[name], use_threads=False).column(0))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise ReferenceDataError(f"{source}: column {name!r} cannot be read ({error}); check the file") from error
    if len(whole) != file.metadata.num_rows:
        raise ReferenceDataError(
            f"{source}: column {name!r} has {len(whole):,} of {file.metadata.num_rows:,} rows; copy the file again"
        )
    return whole


def _joined(pa: Any, name: str, parts: list[tuple[RowSource, Any]]) -> Any:
    """Return the arrays of several files as one; raise ReferenceDataError if their types have nothing in common."""
    if len(parts) == 1:
        return parts[0][1]
    tables = [pa.table({name: plain(pa, array)}) for _, array in parts]
    schema = tables[0].schema
    for (source, _), table in zip(parts, tables, strict=True):
        try:
            schema = pa.unify_schemas([schema, table.schema], promote_options="permissive")
        except (pa.ArrowException, ValueError) as error:
            raise ReferenceDataError(
                f"{source}: column {name!r} holds {table.schema.field(0).type}, but {schema.field(0).type} in "
                f"{parts[0][0]}; write it with one type"
            ) from error
    try:
        return combined(pa, pa.concat_tables(tables, promote_options="permissive").column(0))
    except (pa.ArrowException, ValueError) as error:
        raise ReferenceDataError(
            f"{parts[0][0]}: column {name!r} has other values in the other files ({error}); write it with one type"
        ) from error


def _add(source: RowSource, table: ReferenceTable, name: str, array: Any, *, exact: bool) -> None:
    """Add a column to the table; raise ReferenceDataError with the row of a value that cannot be read."""
    import pyarrow as pa

    try:
        found = arrow_column(pa, array, exact=exact)
    except UnicodeDecodeError as error:
        raise ReferenceDataError(
            f"{source}: column {name!r}, row {_unreadable_row(array) + 1:,}: the text is not UTF-8; write it as UTF-8"
        ) from error
    except (pa.ArrowException, OSError, ValueError) as error:
        raise ReferenceDataError(f"{source}: column {name!r} cannot be read ({error}); check the file") from error
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
def _open(source: RowSource) -> Iterator[Any]:
    """Yield the `pyarrow.parquet.ParquetFile` of `source`; raise ReferenceDataError."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise ReferenceDataError(
            f"{source}: Parquet needs pyarrow; pip install 'pilotfish[parquet]', or give a CSV file"
        ) from error
    with ExitStack() as stack:
        try:
            found = pq.ParquetFile(stack.enter_context(source.open()))
        except (pa.ArrowException, OSError, ValueError) as error:
            raise ReferenceDataError(
                f"{source}: cannot be read as Parquet ({error}); check that the file is complete"
            ) from error
        yield found


def combined(pa: Any, column: Any) -> Any:
    """Return a chunked array as one array."""
    found = column.combine_chunks()
    return pa.concat_arrays(found.chunks) if isinstance(found, pa.ChunkedArray) else found


def plain(pa: Any, array: Any) -> Any:
    """Return the array without dictionaries and views, which polars and DuckDB write, and Arrow's extensions.

    Only the extensions whose storage is what a JSON request holds are opened: tensors, JSON texts and booleans.
    """
    kind = array.type
    if getattr(kind, "extension_name", None) in OPENED:
        is_truth = kind.extension_name == "arrow.bool8"
        return plain(pa, array.storage.cast(pa.bool_()) if is_truth else array.storage)
    if pa.types.is_dictionary(kind):  # by hand, because pyarrow does not cast dictionaries of views
        return plain(pa, array.dictionary).take(array.indices)
    if kind == pa.string_view():
        return array.cast(pa.large_string())
    if kind == pa.binary_view():
        return array.cast(pa.large_binary())
    if pa.types.is_list_view(kind) or pa.types.is_large_list_view(kind):
        ends = np.cumsum(array.value_lengths().fill_null(0).to_numpy(zero_copy_only=False), dtype=np.int64)
        offsets = pa.array(
            np.concatenate([[0], ends]), pa.int64()
        )  # by hand, because pyarrow's cast mixes up the lists
        return pa.LargeListArray.from_arrays(offsets, array.flatten(), mask=array.is_null())
    return array


def arrow_column(pa: Any, array: Any, *, exact: bool) -> Column | None:
    """Return the column of an Arrow array; None if its type is not supported. With `exact`, integers become texts."""
    missing = np.asarray(array.is_null().to_numpy(zero_copy_only=False), dtype=bool)
    array = plain(pa, array)
    kind = array.type
    number_types = (pa.types.is_integer, pa.types.is_floating, pa.types.is_null)
    numeric = any(is_type(kind) for is_type in number_types)  # a column of nulls is one of missing numbers, as in a CSV
    is_decimal = pa.types.is_decimal(kind)
    if exact and (pa.types.is_integer(kind) or (is_decimal and not kind.scale)):
        array, kind, numeric = array.cast(pa.string()), pa.string(), False
    elif is_decimal:
        array, numeric = lists.rounded(pa, array), True
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
