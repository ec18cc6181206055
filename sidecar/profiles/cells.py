"""Converts the cells of one column of a file to a numpy column: numbers if almost every cell is one, else texts.

Each different text is stored once, and looked at once. The rules for single cells are in `detectors.cells`, which live
rows obey as well (tests/profiles/test_same_cells.py).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...detectors.batch import Array, Column, Floats, Ints
from ...detectors.cells import number_of
from ...detectors.columns.inference import are_mostly_numbers
from ..errors import quote_value
from .arguments import ArgumentNames
from .dressed import are_dates, dressed, exceptions

_DECIMAL_COMMA = re.compile(r"\s*[+-]?[0-9.]*[0-9](?:,[0-9]+)?\s*")
_NO_THOUSANDS = re.compile(r",(?![0-9]{3}\s*$)|^\s*[+-]?0,")  # 51,234 is ambiguous; 5,1 and 0,125 are not thousands
MAX_EXACT = 2.0**53  # from here on, a double rounds integers
GROWTH = 8  # an array of n values grows by n / GROWTH at least
MAX_SHOWN = 3  # texts that a note shows
SAMPLE = 1000  # texts that are examined
_CODES = re.compile(r"_|(?:\A|\0)\s*[+-]?0[0-9]")  # `is_code` for many cells at once
MAX_TEXT = 0.5  # share of text cells up to which a column counts as numbers with exceptions


def numbers(cells: Sequence[str], na: frozenset[str]) -> Floats | None:
    """Return the cells as numbers [cells], with NaN for NA; None if a cell is neither a number nor NA."""
    found = _floats(cells)
    if found is None:
        found = _floats(["nan" if cell in na else cell for cell in cells])
    if found is None:
        found = _floats(["nan" if cell.strip() in na else cell for cell in cells])
    return None if found is None or _CODES.search("\0".join(cells)) else found


def _floats(cells: Sequence[str]) -> Floats | None:
    try:
        return np.fromiter(map(float, cells), np.float64, len(cells))
    except ValueError:
        return None


def has_decimal_commas(column: Column) -> bool:
    """Return whether the first texts of a column are numbers with a decimal comma."""
    if column.values.dtype != object:
        return False
    texts = [value for value in column.values[:SAMPLE].tolist() if isinstance(value, str)]
    return all(_DECIMAL_COMMA.fullmatch(text) for text in texts) and any(_NO_THOUSANDS.search(text) for text in texts)


def text_among_numbers(name: str, column: Column, arguments: ArgumentNames) -> str:
    """Return which text makes a column of numbers categorical, and the remedy; empty for a column of other texts."""
    texts, total, values = _texts_among(column)
    found = sum(texts.values())
    if not found:
        return ""
    what = f"text in {found:,} of {total:,} cells, e.g. {quote_value(next(iter(texts)))}"
    if are_dates(texts):
        return f"{what}; write dates as 2024-01-31 or 2024-01-31T08:00:00Z"
    if dressed(texts):
        return f"{what}; write them as plain numbers"
    few = found <= MAX_TEXT * total or exceptions(texts, values)
    return f"{what}; give {arguments.typed(name, 'numeric')} or {arguments.missing_words()}" if few else ""


def odd_cells(name: str, column: Column, arguments: ArgumentNames) -> str:
    """Return a note on the text in a numeric column, which counts as missing; empty if there is none."""
    texts, total, _ = _texts_among(column)
    if not texts:
        return ""
    listed = ", ".join(quote_value(text) for text in list(texts)[:MAX_SHOWN])
    return (
        f"column {name}: text in {sum(texts.values()):,} of {total:,} cells counts as missing, e.g. {listed}; "
        f"give {arguments.missing_words()} if it means missing, or {arguments.typed(name, 'categorical')}"
    )


def _texts_among(column: Column) -> tuple[Counter[str], int, int]:
    """Return the texts that are no numbers with their rows, the number of present cells, and of different numbers."""
    if column.values.dtype != object:
        return Counter(), 0, 0
    missing = np.zeros(len(column.values), bool) if column.missing is None else column.missing
    present = column.values[~missing].tolist()
    cells = Counter(value for value in present if isinstance(value, str))
    texts = Counter({text: rows for text, rows in cells.items() if np.isnan(number_of(text))})
    return texts, len(present), len(cells) - len(texts)


def masked_words(column: Column) -> Counter[str]:
    """Return the rows of each word of a text column that counts as missing, without the empty text."""
    if column.values.dtype != object or column.missing is None:
        return Counter()
    masked = (value.strip() for value in column.values[column.missing].tolist() if isinstance(value, str))
    return Counter(word for word in masked if word)


def with_numbers(column: Column) -> Column:
    """Return a column in which each text that is a number is this number; other texts stay."""
    if column.values.ndim > 1 or column.values.dtype.kind not in "OUS":
        return column
    cells = column.values.tolist()
    read = {text: _number_or_text(text) for text in {cell for cell in cells if isinstance(cell, str)}}
    values = (read[cell] if isinstance(cell, str) else cell for cell in cells)
    return Column(np.fromiter(values, dtype=object, count=len(cells)), column.missing)


def _number_or_text(text: str) -> object:
    number = number_of(text)
    return text if np.isnan(number) else number


class _GrowingArray:
    """An array that grows in place: parts of blocks would leave as much memory in fragments as they held."""

    def __init__(self, dtype: type[np.generic]) -> None:
        self._values = np.empty(0, dtype)
        self._size = 0

    def add(self, part: Array) -> None:
        """Add values."""
        size = self._size + len(part)
        if size > len(self._values):
            self._values.resize(max(size, self._size + self._size // GROWTH), refcheck=False)
        self._values[self._size : size] = part
        self._size = size

    def take(self) -> Array:
        """Return all values and empty the array."""
        found, size, self._values, self._size = self._values, self._size, self._values[:0].copy(), 0
        found.resize(size, refcheck=False)
        return found


class ColumnBuilder:
    """Builds a column from blocks of cells.

    `names` is for numbers that are names: numbers that a double would round stay text. `as_text` reads every cell as
    text first; with `exact`, it stays as it is written, even if almost all cells are numbers. After `add`,
    `text_after_numbers` is True if text followed cells that were already converted to numbers. Their spelling is lost,
    so the file must be read again with `as_text`.
    """

    def __init__(self, na: frozenset[str], *, names: bool = False, as_text: bool = False, exact: bool = False) -> None:
        self._na = na
        self._numbers = _GrowingArray(np.float64)
        self._codes = _GrowingArray(np.int32)
        self._known: dict[str, int] = {}
        self._names = names
        self._exact = exact or names
        self._text = as_text
        self.text_after_numbers = False

    @property
    def is_text(self) -> bool:
        """Whether a cell was no number, so that all cells are kept as texts."""
        return self._text

    def add(self, cells: Sequence[str]) -> None:
        """Add the next cells."""
        if not self.text_after_numbers and not self._add_as_numbers(cells, None):
            self._add_texts(cells, None)

    def add_coded(self, texts: Sequence[str], codes: Ints) -> None:
        """Add the next cells, which are `texts[codes]`."""
        if not self.text_after_numbers and not self._add_as_numbers(texts, codes):
            self._add_texts(texts, codes)

    def add_numbers(self, found: Floats) -> bool:
        """Add cells that are finite numbers and no codes; return False if their texts are needed instead."""
        if self.text_after_numbers:
            return True
        if self._text or (self._names and (np.abs(found) >= MAX_EXACT).any()):
            return False
        self._numbers.add(found)
        return True

    def _add_as_numbers(self, texts: Sequence[str], codes: Ints | None) -> bool:
        if self._text:
            return False
        found = numbers(texts, self._na)
        if found is not None and self.add_numbers(found if codes is None else found[codes]):
            return True
        before = self._numbers.take()
        self._text, self.text_after_numbers = True, not np.isnan(before).all()
        self._codes.add(np.full(len(before), -1, np.int32))
        return self.text_after_numbers

    def _add_texts(self, texts: Sequence[str], codes: Ints | None) -> None:
        known = self._known
        found = np.fromiter((known.setdefault(text, len(known)) for text in texts), np.int32, len(texts))
        self._codes.add(found if codes is None else found[codes])

    def finish(self) -> Column:
        """Return the column and empty the builder."""
        if not self._text:
            return Column(self._numbers.take())
        codes, texts = self._codes.take(), list(self._known)
        self._known = {}
        return column_of_texts(texts, codes, self._na, exact=self._exact)


def column_of_texts(texts: Sequence[str], codes: NDArray[np.int32], na: frozenset[str], *, exact: bool) -> Column:
    """Return a column of the rows `texts[codes]`, where the code -1 is a missing cell.

    The cells are booleans if each text is one. They are numbers if almost all are (`are_mostly_numbers`); the others
    stay texts, and are counted later as values of another type. With `exact`, all cells stay as they are written.
    """
    present = [None if text.strip() in na else text for text in texts]
    values: Sequence[object] = _booleans(present)
    if values is present:
        values = texts  # the words that are masked are kept, so that the build can name them
    if values is texts and not exact:
        rows = np.bincount(codes[codes >= 0], minlength=len(texts)).tolist()
        if are_mostly_numbers({text: n for text, n in zip(present, rows, strict=True) if text is not None}):
            values = [None if text is None else _number_or_text(text) for text in present]
    missing = np.array([text is None for text in present] + [True])
    whole = np.fromiter([*values, None], dtype=object, count=len(values) + 1)  # code -1 selects the last entry
    return Column(whole[codes], missing[codes])


def _booleans(texts: Sequence[str | None]) -> Sequence[object]:
    """Return booleans if all texts are some spelling of true or false, as True, TRUE, true; else the texts."""
    lowered = [None if text is None else text.strip().lower() for text in texts]
    if not {"true", "false", None}.issuperset(lowered):
        return texts
    return [None if text is None else text == "true" for text in lowered]
