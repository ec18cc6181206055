"""Reads files of rows into one table: all CSV, or all Parquet."""

from __future__ import annotations

from collections.abc import Sequence

from .csvtable import CsvOptions, csv_header, read_csv
from .errors import ReferenceDataError
from .parquet import MAGIC, parquet_header, read_parquet
from .sources import RowSource
from .table import Progress, ReferenceTable


def header_of(sources: Sequence[RowSource], options: CsvOptions) -> list[str]:
    """Return the names of the columns in the order of the first file; raise ReferenceDataError."""
    return parquet_header(sources[0]) if _are_parquet(sources) else csv_header(sources[0], options)


def read_rows(sources: Sequence[RowSource], options: CsvOptions, progress: Progress) -> ReferenceTable:
    """Return the columns of the files, one after the other; raise ReferenceDataError."""
    if _are_parquet(sources):
        return read_parquet(sources, options.skipped, options.names, progress)
    return read_csv(sources, options, progress)


def _are_parquet(sources: Sequence[RowSource]) -> bool:
    found = [source.starts_with(MAGIC) for source in sources]
    if any(found) and not all(found):
        other = sources[found.index(not found[0])]
        raise ReferenceDataError(f"{other}: has another format than {sources[0]}; give only CSV or only Parquet files")
    return found[0]
