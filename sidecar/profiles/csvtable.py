"""Reads CSV files of up to `MAX_CELLS` cells into columns, in one pass.

A second pass reads the columns in which text followed numbers. Apart from the finished columns, never hold more than
`CELLS` cells as text, so that memory does not grow with the text of the file.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, NoReturn, Self

from ..errors import quote_value
from ..system.files import open_file
from ..system.gunzip import GZIP_MAGIC, DecompressionError, GunzipReader
from . import list_columns as lists
from .cells import ColumnBuilder, has_decimal_commas
from .errors import ReferenceDataError
from .table import Progress, ReferenceTable, repeated, require_size

BLOCK = 1024 * 1024
MAX_LINE = 64 * 1024 * 1024  # bytes
MAX_HEADER = 4 * 1024 * 1024  # characters of the header line
CELLS = 200_000  # cells that are held as text at once
DELIMITERS = (",", "\t", ";", "|")
MAX_RAGGED = 0.1  # share of rows with another number of cells than the header
ZIP = b"PK\x03\x04"
UTF16 = (b"\xff\xfe", b"\xfe\xff")


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
    """

    na: frozenset[str]
    names: frozenset[str] = frozenset()
    texts: frozenset[str] = frozenset()
    lists: frozenset[str] = frozenset()
    skipped: frozenset[str] = frozenset()
    delimiter: str | None = None


@dataclass(slots=True)
class _ReadPass:
    """The result of one pass over the file."""

    names: list[str]
    builders: dict[str, ColumnBuilder]
    rows: int = 0
    ragged: int = 0
    first_ragged: str = ""


def read_csv(path: Path, options: CsvOptions, progress: Progress) -> ReferenceTable:
    """Return the columns of `path` (plain or gzip); raise ReferenceDataError with the line and the remedy."""
    first = _read(path, options, None, progress)
    columns = {name: builder.finish() for name, builder in first.builders.items() if not builder.text_after_numbers}
    again = frozenset(first.builders) - columns.keys()
    if again:
        second = _read(path, options, again, progress)
        columns |= {name: builder.finish() for name, builder in second.builders.items()}
    for name, column in columns.items():
        if name not in options.names | options.texts:
            columns[name] = lists.parsed(column, wanted=name in options.lists) or column
    table = ReferenceTable({name: columns[name] for name in first.names if name in columns}, first.rows)
    table.notes += [
        f"column {name}: numbers with a decimal comma are read as text; write them with a decimal point"
        for name, column in table.columns.items()
        if has_decimal_commas(column)
    ]
    if first.ragged:
        seen = first.rows + first.ragged
        what = f"{first.ragged:,} of {seen:,} rows do not have the header's number of cells ({first.first_ragged})"
        if first.ragged > MAX_RAGGED * seen:
            raise ReferenceDataError(f"{path}: {what}; check the delimiter, and set it with --delimiter")
        table.notes.append(f"{what} and were left out")
    unnamed = sum(not name for name in first.names)
    if unnamed:
        table.notes.append(f"left out: {unnamed} column{'s' if unnamed > 1 else ''} without a name in the header")
    return table


def csv_header(path: Path, delimiter: str | None = None) -> list[str]:
    """Return the names of the columns in the order of the file."""
    with _Lines(path, lambda *_: None) as lines:
        return _header(path, lines, delimiter)[0]


def _read(path: Path, options: CsvOptions, again: frozenset[str] | None, progress: Progress) -> _ReadPass:
    """Read all columns; or, in a second pass, only the columns in `again`, as text."""
    with _Lines(path, progress) as lines:
        names, reader = _header(path, lines, options.delimiter)
        wanted = [name for name in names if name and name not in options.skipped and (again is None or name in again)]
        builders = {
            name: ColumnBuilder(
                options.na,
                names=name in options.names,
                as_text=again is not None or name in options.texts,
                exact=name in options.texts,
            )
            for name in wanted
        }
        found = _ReadPass(names, builders)
        require_size(path, 0, len(wanted))
        place_of = dict(zip(names, range(len(names)), strict=True))
        places = [place_of[name] for name in wanted]
        size = max(16, CELLS // len(names))
        try:
            while rows := list(islice(reader, size)):
                _take(found, rows, places)
                require_size(path, found.rows, len(wanted))
        except csv.Error as error:
            hint = (
                "; check for a quote that is not closed"
                if "field larger" in str(error) or "end of data" in str(error)
                else ""
            )
            raise ReferenceDataError(f"{path}: line {reader.line_num:,}: {error}{hint}") from error
    if not found.rows and not found.ragged:
        raise ReferenceDataError(f"{path}: has a header but no row below it; give reference rows")
    return found


def _take(found: _ReadPass, rows: list[list[str]], places: Sequence[int]) -> None:
    width = len(found.names)
    if set(map(len, rows)) != {width}:
        at = found.rows + found.ragged
        for index, row in enumerate(rows, at + 1):
            if len(row) != width and row and not found.first_ragged:
                found.first_ragged = f"the first is row {index:,}, with {len(row)} instead of {width}"
        filled = [row for row in rows if row]  # an empty line is not a row
        rows = [row for row in filled if len(row) == width]
        found.ragged += len(filled) - len(rows)
    if rows:
        found.rows += len(rows)
        cells = list(zip(*rows, strict=True))
        for place, builder in zip(places, found.builders.values(), strict=True):
            builder.add(cells[place])


def _header(path: Path, lines: _Lines, delimiter: str | None) -> tuple[list[str], Any]:
    text = iter(lines)
    first = next(text, "")
    while first and not first.strip():
        first = next(text, "")
    if not first:
        raise ReferenceDataError(f"{path}: the file is empty; give a header line and rows below it")
    if len(first) > MAX_HEADER:
        raise ReferenceDataError(
            f"{path}: line 1 is longer than {MAX_HEADER >> 20} MiB; give a header of fewer columns"
        )
    delimiter = delimiter or _delimiter(first)

    def all_lines() -> Iterator[str]:
        yield first
        yield from text

    padded = all(part[:1] == " " for part in first.split(delimiter)[1:]) and delimiter in first
    reader = csv.reader(all_lines(), delimiter=delimiter, skipinitialspace=padded, strict=True)
    try:
        names = [name.strip() for name in next(reader)]
    except csv.Error as error:
        raise ReferenceDataError(f"{path}: line 1: {error}; the header cannot be read") from error
    if all(_is_number(name) for name in names if name) and any(names):
        raise ReferenceDataError(f"{path}: line 1 holds numbers, not names; put a header line above the rows")
    if twice := repeated(list(filter(None, names))):
        raise ReferenceDataError(f"{path}: the header has {quote_value(twice)} more than once; rename these columns")
    return names, reader


def _delimiter(line: str) -> str:
    unquoted = "".join(line.split('"')[::2])
    return max(DELIMITERS, key=unquoted.count)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


class _Lines:
    """The lines of a file as text, read in blocks; an error names line and byte of a wrong encoding."""

    def __init__(self, path: Path, progress: Progress) -> None:
        self._path = path
        self._progress = progress

    def __enter__(self) -> Self:
        try:
            self._file: BinaryIO = open_file(self._path, follow=True)
        except OSError as error:
            raise ReferenceDataError(f"{self._path}: cannot be read ({error.strerror}); check the path") from error
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __iter__(self) -> Iterator[str]:
        packed = self._file.read(2) == GZIP_MAGIC
        self._file.seek(0)
        source = GunzipReader(self._file) if packed else self._file
        size = max(1, os.fstat(self._file.fileno()).st_size)
        rest, at, line = b"", 0, 1
        while block := self._block(source):
            if not at and block[:2] in UTF16:
                raise ReferenceDataError(f"{self._path}: is UTF-16; convert it: iconv -f UTF-16 -t UTF-8")
            if not at and block[:4] == ZIP:
                raise ReferenceDataError(f"{self._path}: is a zip archive; unpack it and give the file inside")
            if not at:
                block = block.removeprefix(b"\xef\xbb\xbf")
            cut = block.rfind(b"\n") + 1
            if not cut:
                rest += block
                if len(rest) > MAX_LINE:
                    raise ReferenceDataError(f"{self._path}: line {line:,} is longer than 64 MiB; give a CSV file")
                continue
            text = rest + block[:cut]
            yield from self._decoded(text, at, line)
            at, line, rest = at + len(text), line + text.count(b"\n"), block[cut:]
            self._progress("reading", min(1.0, self._file.tell() / size))
        if rest:
            yield from self._decoded(rest, at, line)
        self._progress("reading", 1.0)

    def _block(self, source: GunzipReader | BinaryIO) -> bytes:
        try:
            return source.read(BLOCK)
        except DecompressionError as error:
            raise ReferenceDataError(
                f"{self._path}: cannot be decompressed: it is {error}; check that the file is complete"
            ) from error
        except OSError as error:
            raise ReferenceDataError(f"{self._path}: cannot be read ({error.strerror}); check the file") from error

    def _decoded(self, raw: bytes, at: int, line: int) -> Iterator[str]:
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            self._refuse_bytes(raw, error.start, at, line)
        yield from io.StringIO(text, newline="")  # accepts every line end, and keeps those inside quotes

    def _refuse_bytes(self, raw: bytes, start: int, at: int, line: int) -> NoReturn:
        where = f"line {line + raw.count(bytes([10]), 0, start):,}: byte {at + start:,} (0x{raw[start]:02x})"
        remedy = "convert the file, for example: iconv -f WINDOWS-1252 -t UTF-8"
        raise ReferenceDataError(f"{self._path}: {where} is not UTF-8; {remedy}")
