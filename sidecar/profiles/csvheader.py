"""The header of a CSV file: delimiter, names, padding, and what the first rows show about them.

The rules are those of `docs/profiles.md`. What is in doubt is refused, or returned as a note.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, islice

from ...detectors.columns.timestamps import from_text
from ..errors import quote_value
from .csvlines import MAX_LINE
from .errors import ReferenceDataError
from .sources import RowSource
from .table import repeated

MAX_HEADER = 4 * 1024 * 1024  # characters of the header line
DELIMITERS = (",", "\t", ";", "|")
PEEKED = 20  # lines below the header that are examined
MOST_ALIKE = 0.8  # share of these lines with equally many cells
COMMENT = "#"
IN_NAMES = "_-./()[]{}'"  # marks that names of columns hold, such as `emb[0]` and `home.city`
FEWEST_LINES = 3  # with the header, from which a mark in all of them may be a delimiter
_SEPARATOR = re.compile(r'"?sep=([^"\r\n])"?\s*', re.IGNORECASE)  # the first line of a CSV that Excel writes or reads


@dataclass(frozen=True, slots=True)
class CsvHeader:
    """The header of a CSV file.

    Attributes:
        names: names of the columns; empty for a column without a name.
        cells: the header as it is written, to recognise it among the rows.
        delimiter: between cells.
        padded: whether a blank after each delimiter is padding.
        lines: the lines below the header.
        line: number of the last line of the header, from 1.
        notes: what the user should know.
    """

    names: list[str]
    cells: list[str]
    delimiter: str
    padded: bool
    lines: Iterator[str]
    line: int
    notes: list[str]


def read_header(source: RowSource, lines: Iterator[str], delimiter: str | None, comment: str | None) -> CsvHeader:
    """Read the header from the lines of a file; raise ReferenceDataError."""
    csv.field_size_limit(MAX_LINE)  # the library's own limit of 131,072 characters is smaller than cells of real files
    text = blank_comments(lines, comment) if comment else lines
    first, number = _first_line(source, text, 0)
    if separator := _SEPARATOR.fullmatch(first):
        delimiter = delimiter or separator[1]
        first, number = _first_line(source, text, number)
    given, delimiter = delimiter, delimiter or infer_delimiter(first)
    padded = delimiter != " " and delimiter in first and all(part[:1] == " " for part in first.split(delimiter)[1:])
    head = _with_open_quote(first, text)
    below = list(islice(text, PEEKED))
    _require_header_line(source, first, number, below, delimiter)
    if given is None and delimiter not in first:
        _require_one_column(source, first, number, below)
    try:
        cells = next(csv.reader(head, delimiter=delimiter, skipinitialspace=padded, strict=True))
    except csv.Error as error:
        hint = "; if blanks separate the columns, give --delimiter ' '" if delimiter not in first else ""
        raise ReferenceDataError(f"{source}: line {number}: {error}; the header cannot be read{hint}") from error
    rows = _rows(below, delimiter)
    names, notes = [name.strip() for name in cells], []
    if first.startswith(f"{COMMENT} "):  # as numpy.savetxt writes it
        names[0] = names[0].removeprefix(COMMENT).strip()
        notes.append(f"the {COMMENT!r} before the header is left out: the first column is {quote_value(names[0])}")
    if padded:
        notes.append("the blank after each delimiter of the header is padding; blanks there are not part of a cell")
    if rows and all(len(row) == len(cells) + 1 for row in rows):
        at_end = not any(row[-1].strip() for row in rows)
        cells, names = ([*cells, ""], [*names, ""]) if at_end else (["", *cells], ["", *names])
        if not at_end:
            notes.append("the rows have one cell more than the header: their first cells are read as names of rows")
    _require_names(source, names, rows, number)
    if in_doubt := _values_among(names):
        notes.append(
            f"the header names {quote_value(in_doubt)} look like values; check that line {number} is not a row of data"
        )
    return CsvHeader(names, cells, delimiter, padded, chain(below, text), number + len(head) - 1, notes)


def infer_delimiter(line: str) -> str:
    """Return the delimiter that occurs most often in a line, outside quotes."""
    unquoted = "".join(line.split('"')[::2])
    return max(DELIMITERS, key=unquoted.count)


def is_value(name: str) -> bool:
    """Return whether a name is a date, or a number other than a whole one, which may number the columns."""
    if is_number(name):
        return not name.isdecimal()
    return any(map(str.isdigit, name)) and from_text(name) is not None


def is_number(text: str) -> bool:
    """Return whether Python reads a text as a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def blank_comments(lines: Iterator[str], comment: str) -> Iterator[str]:
    """Yield the lines, with an empty line for each one that begins with `comment` outside quotes."""
    inside = False
    for line in lines:
        if not inside and line.startswith(comment):
            yield "\n"
        else:
            inside ^= line.count('"') % 2 == 1
            yield line


def _first_line(source: RowSource, text: Iterator[str], number: int) -> tuple[str, int]:
    """Return the next line that is not blank, and its number."""
    for line in text:
        number += 1
        if len(line) > MAX_HEADER:
            raise ReferenceDataError(
                f"{source}: line {number} is longer than {MAX_HEADER >> 20} MiB; give a header of fewer columns"
            )
        if line.strip():
            return line, number
    raise ReferenceDataError(f"{source}: the file is empty; give a header line and rows below it")


def _with_open_quote(first: str, text: Iterator[str]) -> list[str]:
    """Return the lines of the header: more than one if a quoted name holds a line end."""
    head, size = [first], len(first)
    while sum(line.count('"') for line in head) % 2 and size <= MAX_HEADER and (line := next(text, "")):
        head.append(line)
        size += len(line)
    return head


def _rows(lines: list[str], delimiter: str) -> list[list[str]]:
    """Return the rows in the first lines; a row that these lines do not end is left out."""
    found: list[list[str]] = []
    with suppress(csv.Error):
        found.extend(filter(None, csv.reader(lines, delimiter=delimiter, strict=True)))
    return found


def _require_header_line(source: RowSource, first: str, number: int, below: list[str], delimiter: str) -> None:
    """Raise ReferenceDataError if the line is a comment or a title above the header."""
    used = delimiter if delimiter in first else infer_delimiter("".join(below))
    widths = Counter(map(len, _rows(below, used)))
    width, count = widths.most_common(1)[0] if widths else (0, 0)
    if count < MOST_ALIKE * widths.total() or width <= 1:
        return
    is_comment = first.startswith(COMMENT)
    if used in first and not (is_comment and (first.count(used) + 1 != width or _has_header(below, used))):
        return
    remedy = f"give --comment {COMMENT!r} to skip comment lines, or remove it" if is_comment else "remove it"
    raise ReferenceDataError(
        f"{source}: line {number} is not a header: {quote_value(first.strip())}; it is a "
        f"{'comment' if is_comment else 'title'}, as the lines below have {width} cells separated by {used!r}; {remedy}"
    )


def _require_one_column(source: RowSource, first: str, number: int, below: list[str]) -> None:
    """Raise ReferenceDataError if a character that is no usual delimiter divides all the first lines alike."""
    lines = ["".join(line.rstrip("\r\n").split('"')[::2]) for line in (first, *below) if line.strip()]
    for mark in sorted(set(lines[0]), key=lines[0].count, reverse=True):
        counts = {line.count(mark) for line in lines}
        if len(lines) < FEWEST_LINES or len(counts) > 1 or mark.isalnum() or mark in IN_NAMES:
            continue
        if mark == " " and not all(any(map(is_number, line.split(mark))) for line in lines[1:]):
            continue  # words
        raise ReferenceDataError(
            f"{source}: line {number} would be one column, {quote_value(lines[0])}, but each of the first lines has "
            f"{mark!r} equally often; give --delimiter {mark!r}, or --delimiter ',' for one column"
        )


def _has_header(below: list[str], delimiter: str) -> bool:
    """Return whether the first of these lines is a comment, or holds no number in a column of numbers."""
    if below[0].startswith(COMMENT):
        return True
    first, *others = _rows(below, delimiter)
    columns = list(zip(*(row for row in others if len(row) == len(first)), strict=True))
    return any(
        not is_number(name) and all(is_number(cell) for cell in cells)
        for name, cells in zip(first, columns, strict=False)
    )


def _require_names(source: RowSource, names: list[str], rows: list[list[str]], number: int) -> None:
    """Raise ReferenceDataError if the header has no name, is a row of values, or has a name twice."""
    remedy = "put a header line above the rows, or rename the columns"
    if not any(names):
        raise ReferenceDataError(f"{source}: line {number} has no name of a column; {remedy}")
    if all(is_number(name) for name in names if name):
        raise ReferenceDataError(f"{source}: line {number} holds numbers, not names; {remedy}")
    if _fits_rows(names, rows):
        raise ReferenceDataError(
            f"{source}: line {number} is a row of values, not of names: {quote_value(names)}; {remedy}"
        )
    if twice := repeated(list(filter(None, names))):
        raise ReferenceDataError(f"{source}: the header has {quote_value(twice)} more than once; rename these columns")


def _fits_rows(names: list[str], rows: list[list[str]]) -> bool:
    """Return whether the header looks like one of the first rows.

    Most names fit the cells of their columns: a number or a date stands among such, a text among equal ones. At least
    one name must be a fraction, a date, or a text that is a cell of its column, since numbers may name columns.
    """
    columns = list(zip(*(row for row in rows if len(row) == len(names) and row != names), strict=True))
    if len(columns) != len(names) or len(columns[0]) < 2:
        return False
    values, strong = _values_among(names), False
    fitting = 0
    for name, cells in zip(names, columns, strict=True):
        if name in values:
            if not all(is_number(cell) or is_value(cell) for cell in cells if cell):
                return False
            fitting += 1
            strong |= not name.isdecimal()
        elif name and not name.isdecimal() and name in cells:
            fitting += 1
            strong = True
    return strong and fitting > len(names) / 2


def _values_among(names: list[str]) -> list[str]:
    """Return the names that look like values; whole numbers that follow each other number the columns."""
    whole = [int(name) for name in names if name.isascii() and name.isdecimal() and len(name) < 10]
    numbered = whole in ([0], [1]) or (len(whole) > 1 and whole == list(range(whole[0], whole[0] + len(whole))))
    return [name for name in names if is_value(name) or (name.isdecimal() and not numbered)]
