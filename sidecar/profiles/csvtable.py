"""Reads CSV files of up to `MAX_CELLS` cells into columns, in one pass.

A second pass reads the columns in which text followed numbers. Apart from the finished columns, never hold more than
`CELLS` cells as text, so that memory does not grow with the text of the file. Several files are read as one: their
rows go to the same builders, in the order of the files.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain, islice

import numpy as np

from . import list_columns as lists
from .cells import ColumnBuilder, has_decimal_commas
from .csvheader import CsvHeader, read_header
from .csvlines import TextLines
from .dressed import has_outer_blanks
from .errors import ReferenceDataError
from .sources import RowSource
from .table import Progress, ReferenceTable, require_same_columns, require_size

CELLS = 200_000  # cells that are held as text at once
MAX_RAGGED = 0.1  # share of rows with another number of cells than the header


@dataclass(frozen=True, slots=True)
class CsvOptions:
    """How cells are read.

    Attributes:
        na: spellings of "missing".
        names: columns whose numbers are names, such as codes.
        texts: columns whose cells stay as they are written.
        lists: columns with a JSON list per cell; other columns are examined for lists.
        skipped: columns that are not read.
        delimiter: None infers it from the header line.
        comment: lines that begin with it are skipped; None skips none.
    """

    na: frozenset[str]
    names: frozenset[str] = frozenset()
    texts: frozenset[str] = frozenset()
    lists: frozenset[str] = frozenset()
    skipped: frozenset[str] = frozenset()
    delimiter: str | None = None
    comment: str | None = None


@dataclass(slots=True)
class _ReadPass:
    """The result of one pass over the files."""

    names: list[str]
    builders: dict[str, ColumnBuilder]
    rows: int = 0
    ragged: int = 0
    first_ragged: str = ""
    repeated_headers: int = 0
    notes: list[str] = field(default_factory=list)


def read_csv(sources: Sequence[RowSource], options: CsvOptions, progress: Progress) -> ReferenceTable:
    """Return the columns of CSV files (plain or gzip); raise ReferenceDataError with the line and the remedy."""
    first = _read(sources, options, None, progress)
    columns = {name: builder.finish() for name, builder in first.builders.items() if not builder.text_after_numbers}
    again = frozenset(first.builders) - columns.keys()
    if again:
        second = _read(sources, options, again, progress)
        columns |= {name: builder.finish() for name, builder in second.builders.items()}
    for name, column in columns.items():
        if name not in options.names | options.texts:
            columns[name] = lists.parsed(column, wanted=name in options.lists) or column
    table = ReferenceTable({name: columns[name] for name in first.names if name in columns}, first.rows)
    table.notes += [
        *first.notes,
        *_notes_on_columns(table),
        *_notes_on_empty_rows(table),
        *_notes_on_rows(", ".join(map(str, sources)), first),
    ]
    unnamed = sum(not name for name in first.names)
    if unnamed:
        table.notes.append(f"left out: {unnamed} column{'s' if unnamed > 1 else ''} without a name in the header")
    return table


def csv_header(source: RowSource, options: CsvOptions) -> list[str]:
    """Return the names of the columns in the order of the file."""
    with TextLines(source, lambda *_: None) as lines:
        return read_header(source, iter(lines), options.delimiter, options.comment).names


def _notes_on_columns(table: ReferenceTable) -> list[str]:
    commas = [
        f"column {name}: numbers with a decimal comma are read as text; write them with a decimal point"
        for name, column in table.columns.items()
        if has_decimal_commas(column)
    ]
    blanks = [
        f"column {name}: texts begin or end with a blank, which is part of the value; remove it if requests lack it"
        for name, column in table.columns.items()
        if has_outer_blanks(column)
    ]
    shortened = [
        f"column {name}: NumPy left out the middle of the arrays ('...'); write all numbers, as JSON lists"
        for name, column in table.columns.items()
        if lists.is_shortened(column)
    ]
    return [*commas, *blanks, *shortened]


def _notes_on_empty_rows(table: ReferenceTable) -> list[str]:
    empty = np.full(table.rows, len(table.columns) > 1)
    for column in table.columns.values():
        if not empty.any():
            return []
        if column.missing is None and column.values.dtype.kind != "f":
            return []
        empty &= np.isnan(column.values) if column.missing is None else column.missing
    found = int(empty.sum())
    rows = "1 row holds" if found == 1 else f"{found:,} rows hold"
    return [f"{rows} no value, e.g. row {int(np.argmax(empty)) + 1:,}; remove such rows, unless requests have them"] * (
        found > 0
    )


def _notes_on_rows(where: str, found: _ReadPass) -> list[str]:
    """Return notes on the rows that were left out; raise ReferenceDataError if they are too many."""
    notes = []
    if found.repeated_headers:
        rows = "1 row repeats" if found.repeated_headers == 1 else f"{found.repeated_headers:,} rows repeat"
        notes.append(f"{rows} the header, as in files that were joined, and were left out")
    if found.ragged:
        seen = found.rows + found.ragged
        what = f"{found.ragged:,} of {seen:,} rows do not have the header's number of cells ({found.first_ragged})"
        if found.ragged > MAX_RAGGED * seen:
            raise ReferenceDataError(
                f"{where}: {what}; check that line 1 is the header, and the delimiter: set it with --delimiter"
            )
        notes.append(f"{what} and were left out")
    return notes


def _read(
    sources: Sequence[RowSource], options: CsvOptions, again: frozenset[str] | None, progress: Progress
) -> _ReadPass:
    """Read all columns; or, in a second pass, only the columns in `again`, as text."""
    found: _ReadPass | None = None
    for place, source in enumerate(sources):

        def show(what: str, share: float, place: int = place) -> None:
            progress(what, (place + share) / len(sources))

        with TextLines(source, show) as lines:
            header = read_header(source, iter(lines), options.delimiter, options.comment)
            if found is None:
                found = _begin(sources[0], header.names, options, again)
            else:
                require_same_columns(sources[0], found.names, source, header.names)
            found.notes += [note for note in header.notes if note not in found.notes]
            _read_rows(source, header, found)
    if found is None or not found.rows + found.ragged:
        raise ReferenceDataError(f"{sources[0]}: has a header but no row below it; give reference rows")
    return found


def _begin(source: RowSource, names: list[str], options: CsvOptions, again: frozenset[str] | None) -> _ReadPass:
    wanted = [name for name in names if name and name not in options.skipped and (again is None or name in again)]
    require_size(source, 0, len(wanted))
    builders = {
        name: ColumnBuilder(
            options.na,
            names=name in options.names,
            as_text=again is not None or name in options.texts,
            exact=name in options.texts,
        )
        for name in wanted
    }
    return _ReadPass(names, builders)


def _read_rows(source: RowSource, header: CsvHeader, found: _ReadPass) -> None:
    from . import arrow_cells  # imports pyarrow, which only a CSV needs

    place_of = dict(zip(header.names, range(len(header.names)), strict=True))
    places = [place_of[name] for name in found.builders]
    size = max(16, CELLS // len(header.names))
    by_arrow, line = arrow_cells.can_split(header.delimiter, header.padded), header.line
    while lines := list(islice(header.lines, size)):
        columns = None
        if by_arrow:
            columns = arrow_cells.split("".join(lines), header.delimiter, header.cells)
        if columns is None:
            rows, used = _split(source, header, lines, line)
            _take(found, header.cells, rows, places)
        else:
            used = len(lines)
            found.rows += len(columns[0])
            for place, builder in zip(places, found.builders.values(), strict=True):
                arrow_cells.add_cells(builder, columns[place])
        line += used
        require_size(source, found.rows, len(found.builders))


def _split(source: RowSource, header: CsvHeader, lines: list[str], line: int) -> tuple[list[list[str]], int]:
    """Return the rows of the lines, and how many lines these are: more than given if a quoted cell goes on."""
    reader = csv.reader(
        chain(lines, header.lines), delimiter=header.delimiter, skipinitialspace=header.padded, strict=True
    )
    rows = []
    try:
        for row in reader:
            rows.append(row)
            if reader.line_num >= len(lines):
                break
    except csv.Error as error:
        hint = (
            "; check for a quote that is not closed"
            if "field larger" in str(error) or "end of data" in str(error)
            else ""
        )
        raise ReferenceDataError(f"{source}: line {line + reader.line_num:,}: {error}{hint}") from error
    return rows, reader.line_num


def _take(found: _ReadPass, header: list[str], rows: list[list[str]], places: Sequence[int]) -> None:
    if header in rows:
        count = len(rows)
        rows = [row for row in rows if row != header]
        found.repeated_headers += count - len(rows)
    if set(map(len, rows)) - {len(header)}:
        at = found.rows + found.ragged
        for index, row in enumerate(rows, at + 1):
            if len(row) != len(header) and row and not found.first_ragged:
                found.first_ragged = f"the first is row {index:,}, with {len(row)} instead of {len(header)}"
        filled = [row for row in rows if row]  # an empty line is not a row
        rows = [row for row in filled if len(row) == len(header)]
        found.ragged += len(filled) - len(rows)
    if rows:
        found.rows += len(rows)
        cells = list(zip(*rows, strict=True))
        for place, builder in zip(places, found.builders.values(), strict=True):
            builder.add(cells[place])
