"""Reads Parquet files into columns, by pyarrow (the extra `pilotfish[parquet]`)."""

from __future__ import annotations

from collections.abc import Container
from pathlib import Path
from typing import Any

import numpy as np

from ...detectors.batch import Column
from ..errors import quote_value
from . import list_columns as lists
from .errors import ReferenceDataError
from .table import Progress, ReferenceTable

MAGIC = b"PAR1"


def parquet_header(path: Path) -> list[str]:
    """Return the names of the columns in the order of the file; fields of structs are `name.field`."""
    schema = _open(path).schema_arrow
    import pyarrow as pa  # installed, because _open has imported it

    names = [name for field in schema for name in lists.names_of(pa, field.name, field.type)]
    if len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise ReferenceDataError(
            f"{path}: has {quote_value(twice)} more than once, as a column or in a struct; rename these columns"
        )
    return names


def read_parquet(path: Path, skipped: Container[str], names: Container[str], progress: Progress) -> ReferenceTable:
    """Return the columns of `path`, read one at a time; raise ReferenceDataError.

    The integers of the columns in `names` are names, so they become exact texts.
    """
    import pyarrow as pa

    file = _open(path)
    table = ReferenceTable({}, file.metadata.num_rows)
    if not table.rows:
        raise ReferenceDataError(f"{path}: has no rows; give reference rows")
    header = list(file.schema_arrow.names)
    for done, name in enumerate(header):
        progress("reading", done / len(header))
        if all(inner in skipped for inner in lists.names_of(pa, name, file.schema_arrow.field(name).type)):
            continue
        try:
            for inner, array in lists.columns_of(pa, name, _combined(pa, file.read(columns=[name]).column(0))):
                if inner in skipped:
                    continue
                found = _column(pa, array, exact=inner in names)
                if found is None:
                    table.left_out[inner] = f"holds values of type {array.type}"
                else:
                    table.columns[inner] = found
        except (pa.ArrowException, OSError) as error:
            raise ReferenceDataError(f"{path}: column {name!r} cannot be read ({error}); check the file") from error
    progress("reading", 1.0)
    return table


def _open(path: Path) -> Any:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise ReferenceDataError(
            f"{path}: Parquet needs pyarrow; pip install 'pilotfish[parquet]', or give a CSV file"
        ) from error
    try:
        return pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise ReferenceDataError(
            f"{path}: cannot be read as Parquet ({error}); check that the file is complete"
        ) from error


def _combined(pa: Any, column: Any) -> Any:
    found = column.combine_chunks()
    return pa.concat_arrays(found.chunks) if isinstance(found, pa.ChunkedArray) else found


def _column(pa: Any, array: Any, *, exact: bool) -> Column | None:
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
        return Column(np.array(array.to_pylist(), dtype=object), missing)
    return None
