"""Reads a CSV file with named columns, and refuses it as a whole, with the number of the first bad line.

Lines that are empty or start with `#` are skipped. A header names the columns in any order.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from ..errors import quote_value
from ..prometheus import LATEST
from .errors import TraceError

MAX_BYTES = 256 * 2**20
GZIP = b"\x1f\x8b"
MAX_RATE = 1e9


@dataclass(frozen=True, slots=True)
class CsvColumns:
    """The columns that a file must have, those that it may have, and what to do about others."""

    required: Sequence[str]
    optional: Sequence[str]
    remedy: str


def read_rows(raw: bytes, where: str, columns: CsvColumns) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Yield for each row where it is, in words, and its cells by column; raise TraceError.

    `where` names the file in errors.
    """
    names: list[str] | None = None
    for line, cells in _lines(_text(raw, where), where, columns.remedy):
        place = f"{where}: line {line}"
        if names is None:
            names = _header(cells, place, columns)
        elif len(cells) != len(names):
            raise TraceError(f"{place}: {len(cells)} cells instead of {len(names)}; give one cell for each column")
        else:
            yield place, dict(zip(names, cells, strict=True))
    if names is None:
        raise TraceError(f"{where}: empty; {columns.remedy}")


def read_time(text: str, where: str, name: str = "time") -> float:
    """Return the Unix seconds of a time: a number or ISO 8601, in UTC without an offset; raise TraceError."""
    seconds = math.nan
    try:
        seconds = float(text)
    except ValueError:
        try:
            moment = datetime.fromisoformat(text)
            seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        except (ValueError, OverflowError):
            pass
    if not 0 <= seconds <= LATEST:
        raise TraceError(
            f"{where}: {name} {quote_value(text)} is not a time; give Unix seconds, or ISO 8601 such as "
            "2026-03-01T12:00:00Z"
        )
    return seconds


def read_value(row: Mapping[str, str], name: str, where: str, most: float = MAX_RATE) -> float:
    """Return the number in a column, from 0 to `most`; NaN if it is missing. Raise TraceError."""
    text = row.get(name, "")
    if not text or text.lower() == "nan":
        return math.nan
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= most:
        raise TraceError(f"{where}: {name} {quote_value(text)}; give a number from 0 to {most:,.0f}, or leave it empty")
    return value


def _text(raw: bytes, where: str) -> str:
    if len(raw) > MAX_BYTES:
        raise TraceError(f"{where}: {len(raw):,} bytes; at most {MAX_BYTES:,} are read; give fewer samples")
    if raw.startswith(GZIP):
        raise TraceError(f"{where}: compressed; decompress it first, such as by `gunzip`")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise TraceError(f"{where}: line {line}: not UTF-8; save the file as UTF-8") from error


def _lines(text: str, where: str, remedy: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise TraceError(f"{where}: line {reader.line_num}: not CSV ({error}); {remedy}") from error
        if cells is None:
            return
        if any(cell.strip() for cell in cells) and not cells[0].lstrip().startswith("#"):
            yield reader.line_num, [cell.strip() for cell in cells]


def _header(cells: list[str], where: str, columns: CsvColumns) -> list[str]:
    unknown = [cell for cell in cells if cell not in columns.required and cell not in columns.optional]
    if unknown:
        raise TraceError(f"{where}: unknown column {quote_value(unknown[0])}; {columns.remedy}")
    if len(set(cells)) != len(cells) or not set(columns.required) <= set(cells):
        raise TraceError(f"{where}: the columns are {quote_value(','.join(cells))}; {columns.remedy}")
    return cells
