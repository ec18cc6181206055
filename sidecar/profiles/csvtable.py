"""CSV to columns, in one pass over a file of any size (a second one for columns that turn out to be text late)."""

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
from ..system.gunzip import GZIP_MAGIC, DecompressionError, GunzipReader
from . import list_columns as lists
from .cells import ColumnBuilder, has_decimal_commas
from .errors import ReferenceDataError
from .table import Progress, ReferenceTable

BLOCK = 1024 * 1024
LONGEST_LINE = 64 * 1024 * 1024
CELLS = 200_000  # in one piece: bounds the memory of text that is not columns yet
DELIMITERS = (",", "\t", ";", "|")
MOST_RAGGED = 0.1
ZIP = b"PK\x03\x04"
UTF16 = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, slots=True)
class CsvOptions:
    """How cells are read. `names` are columns whose numbers name things, `skipped` those that are not wanted.

    `texts` are read as they are spelled, and `lists` hold a JSON list a cell, as columns without a type may do, too.
    """

    na: frozenset[str]
    names: frozenset[str] = frozenset()
    texts: frozenset[str] = frozenset()
    lists: frozenset[str] = frozenset()
    skipped: frozenset[str] = frozenset()
    delimiter: str | None = None


@dataclass(slots=True)
class _ReadPass:
    """What one pass over the file found."""

    names: list[str]
    builders: dict[str, ColumnBuilder]
    rows: int = 0
    ragged: int = 0
    first_ragged: str = ""


def read_csv(path: Path, options: CsvOptions, progress: Progress) -> ReferenceTable:
    """Return the columns of `path` (plain or gzip); raise ReferenceDataError that names the line and the remedy."""
    first = _read(path, options, None, progress)
    columns = {name: builder.finish() for name, builder in first.builders.items() if not builder.late}
    late = frozenset(first.builders) - columns.keys()
    if late:
        again = _read(path, options, late, progress)
        columns |= {name: builder.finish() for name, builder in again.builders.items()}
    for name, column in columns.items():
        if name not in options.names | options.texts:
            columns[name] = lists.parsed(column, wanted=name in options.lists) or column
    table = ReferenceTable({name: columns[name] for name in first.names if name in columns}, first.rows)
    table.notes += [
        f"column {name}: looks like numbers with a decimal comma, and is read as text; write them with a point"
        for name, column in table.columns.items()
        if has_decimal_commas(column)
    ]
    if first.ragged:
        seen = first.rows + first.ragged
        what = f"{first.ragged:,} of {seen:,} rows do not have the header's number of cells ({first.first_ragged})"
        if first.ragged > MOST_RAGGED * seen:
            raise ReferenceDataError(f"{path}: {what}; is the delimiter right? Tell it with --delimiter")
        table.notes.append(f"{what}: left out")
    unnamed = sum(not name for name in first.names)
    if unnamed:
        table.notes.append(f"{unnamed} column{'s' if unnamed > 1 else ''} without a name in the header: left out")
    return table


def csv_header(path: Path, delimiter: str | None = None) -> list[str]:
    """Return the names of the columns in the file's order."""
    with _Lines(path, lambda *_: None) as lines:
        return _header(path, lines, delimiter)[0]


def _read(path: Path, options: CsvOptions, late: frozenset[str] | None, progress: Progress) -> _ReadPass:
    """One pass over all columns, or a second one over those of which text came late."""
    with _Lines(path, progress) as lines:
        names, reader = _header(path, lines, options.delimiter)
        wanted = [name for name in names if name and name not in options.skipped and (late is None or name in late)]
        builders = {
            name: ColumnBuilder(
                options.na, names=name in options.names, spelled=late is not None or name in options.texts
            )
            for name in wanted
        }
        found = _ReadPass(names, builders)
        places = [names.index(name) for name in wanted]
        size = max(16, CELLS // len(names))
        try:
            while rows := list(islice(reader, size)):
                _take(found, rows, places)
        except csv.Error as error:
            hint = "; is a quote not closed?" if "field larger" in str(error) or "end of data" in str(error) else ""
            raise ReferenceDataError(f"{path}: line {reader.line_num:,}: {error}{hint}") from error
    if not found.rows and not found.ragged:
        raise ReferenceDataError(f"{path}: there is a header but no row below it; give reference rows")
    return found


def _take(found: _ReadPass, rows: list[list[str]], places: Sequence[int]) -> None:
    width = len(found.names)
    if set(map(len, rows)) != {width}:
        at = found.rows + found.ragged
        for index, row in enumerate(rows, at + 1):
            if len(row) != width and row and not found.first_ragged:
                found.first_ragged = f"the first is row {index:,}, with {len(row)} instead of {width}"
        filled = [row for row in rows if row]  # an empty line is no row
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
    delimiter = delimiter or _delimiter(first)

    def again() -> Iterator[str]:
        yield first
        yield from text

    padded = all(part[:1] == " " for part in first.split(delimiter)[1:]) and delimiter in first
    reader = csv.reader(again(), delimiter=delimiter, skipinitialspace=padded, strict=True)
    try:
        names = [name.strip() for name in next(reader)]
    except csv.Error as error:
        raise ReferenceDataError(f"{path}: line 1: {error}; the header cannot be read") from error
    if all(_is_number(name) for name in names if name) and any(names):
        raise ReferenceDataError(f"{path}: line 1 holds numbers, not names; put a header line above the rows")
    twice = sorted({name for name in names if name and names.count(name) > 1}) if len(set(names)) < len(names) else []
    if twice:
        raise ReferenceDataError(f"{path}: the header has {quote_value(twice)} more than once; rename them")
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
    """The lines of a file as text, block by block; tells line and byte of what is no UTF-8."""

    def __init__(self, path: Path, progress: Progress) -> None:
        self._path = path
        self._progress = progress

    def __enter__(self) -> Self:
        try:
            self._file: BinaryIO = self._path.open("rb")
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
                if len(rest) > LONGEST_LINE:
                    raise ReferenceDataError(f"{self._path}: line {line:,} is longer than 64 MiB; is this a CSV file?")
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
            raise ReferenceDataError(f"{self._path}: cannot be unpacked: it is {error}; is it complete?") from error
        except OSError as error:
            raise ReferenceDataError(f"{self._path}: cannot be read ({error.strerror}); check the file") from error

    def _decoded(self, raw: bytes, at: int, line: int) -> Iterator[str]:
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            self._refuse_bytes(raw, error.start, at, line)
        yield from io.StringIO(text, newline="")  # every kind of line end, and none of it changed inside quotes

    def _refuse_bytes(self, raw: bytes, start: int, at: int, line: int) -> NoReturn:
        where = f"line {line + raw.count(bytes([10]), 0, start):,}: byte {at + start:,} (0x{raw[start]:02x})"
        remedy = "convert the file, for example: iconv -f WINDOWS-1252 -t UTF-8"
        raise ReferenceDataError(f"{self._path}: {where} is not UTF-8; {remedy}")
