"""Splits lines of a CSV into columns by pyarrow, where that gives the same cells as the csv module.

pyarrow is several times as fast, but its rules for quotes and for rows of another length differ. So it gets only lines
with the header's number of cells, in which each quote opens or closes a cell and no cell holds a quote or a line end.
`csvtable` reads all other lines by the csv module.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from .cells import ColumnBuilder

try:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.csv as pa_csv
except ImportError:  # the extra `parquet` is not installed
    pa = None


def can_split(delimiter: str, padded: bool) -> bool:
    """Return whether pyarrow is installed and splits lines at this delimiter."""
    return pa is not None and delimiter.isascii() and delimiter not in "\r\n" and not padded


@lru_cache(maxsize=8)
def _quoted_cell(delimiter: str) -> re.Pattern[str]:
    """Return a pattern of a whole cell in quotes, on one line and without a quote inside."""
    around = f"{re.escape(delimiter)}\\r\\n"
    return re.compile(rf'(?<![^{around}])"[^"\r\n]*"(?![^{around}])')


def split(block: str, delimiter: str, header: Sequence[str]) -> list[Any] | None:
    """Return the columns of whole lines as arrays of texts; None if only the csv module may read the lines.

    These are lines of another number of cells than the header's, of odd quotes, or with a row that repeats the header.
    """
    quotes = block.count('"')
    if block[0] == "\ufeff" or block.count("\r") != block.count("\r\n"):
        return None
    if quotes and 2 * len(_quoted_cell(delimiter).findall(block)) != quotes:
        return None
    names = [str(place) for place in range(len(header))]
    raw = block.encode()
    try:
        found = pa_csv.read_csv(
            pa.BufferReader(raw),
            read_options=pa_csv.ReadOptions(column_names=names, block_size=len(raw) + 1, use_threads=False),
            parse_options=pa_csv.ParseOptions(
                delimiter=delimiter, quote_char='"' if quotes else False, ignore_empty_lines=True
            ),
            convert_options=pa_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), null_values=[], strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid:  # a row of another length
        return None
    columns = [pa.concat_arrays(column.chunks) for column in found.columns] if found.num_rows else []
    return None if not columns or _holds_row(columns, header) else columns


def _holds_row(columns: Sequence[Any], cells: Sequence[str]) -> bool:
    """Return whether a row of the columns has these cells."""
    equal = None
    for column, cell in zip(columns, cells, strict=True):
        found = pc.equal(column, cell)
        equal = found if equal is None else pc.and_(equal, found)
        if not pc.any(equal).as_py():
            return False
    return equal is not None


def add_cells(builder: ColumnBuilder, cells: Any) -> None:
    """Add an array of texts to a column, with the same result as `builder.add` of the texts."""
    if builder.text_after_numbers:
        return
    found = None if builder.is_text else _plain_numbers(cells)
    if found is None or not builder.add_numbers(found):
        coded = cells.dictionary_encode()
        builder.add_coded(coded.dictionary.to_pylist(), coded.indices.to_numpy())


def _plain_numbers(cells: Any) -> np.ndarray[tuple[int], np.dtype[np.float64]] | None:
    """Return the cells as numbers, if all are finite and none has leading zeros, as a code has."""
    try:
        found = pc.cast(cells, pa.float64()).to_numpy()
    except pa.ArrowInvalid:
        return None
    if not np.isfinite(found).all():
        return None
    zeros = cells.filter(pc.or_(pc.starts_with(cells, "0"), pc.starts_with(cells, "-0")))
    codes = len(zeros) and pc.any(pc.match_substring_regex(zeros, "^-?0[0-9]")).as_py()
    return None if codes else found
