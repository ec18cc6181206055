"""Converts the cells of one column to a numpy column: numbers if every cell is a number or missing, else categories.

Each different text is stored once. Live values are decoded by the same rules (tests/profiles/test_same_cells.py), so a
change here needs the same change there.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from ...detectors.batch import Column, Floats
from ..errors import quote_value
from .arguments import ArgumentNames

_AS_PANDAS = "#N/A|#N/A N/A|#NA|-1.#IND|-1.#QNAN|-NaN|-nan|1.#IND|1.#QNAN|<NA>|N/A|NA|NULL|NaN|NaT|None|n/a|nan|null"
NA = frozenset(["", *_AS_PANDAS.split("|")])
_DECIMAL_COMMA = re.compile(r"\s*[+-]?[0-9.]*[0-9](?:,[0-9]+)?\s*")
_NO_THOUSANDS = re.compile(r",(?![0-9]{3}\s*$)|^\s*[+-]?0,")  # 51,234 is ambiguous; 5,1 and 0,125 are not thousands
_DECORATION = str.maketrans("", "", "$€£¥₹%,")
MAX_EXACT = 2.0**53  # from here on, a double rounds integers
SAMPLE = 1000  # texts that are examined
MAX_TEXT = 0.5  # share of text cells up to which a column counts as numbers with exceptions
_NO_NUMBER = re.compile(r"_|(?:\A|\0)[+-]?0[0-9]")  # Python parses 1_000 and 007 as numbers; in data they are codes


def numbers(cells: Sequence[str], na: frozenset[str]) -> Floats | None:
    """Return the cells as numbers [cells], with NaN for NA; None if a cell is neither a number nor NA."""
    found = _floats(cells)
    if found is None:
        found = _floats(["nan" if cell in na else cell for cell in cells])
    if found is None:
        found = _floats(["nan" if cell.strip() in na else cell for cell in cells])
    return None if found is None or _NO_NUMBER.search("\0".join(cells)) else found


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
    if column.values.dtype != object:
        return ""
    missing = np.zeros(len(column.values), bool) if column.missing is None else column.missing
    cells = Counter(value for value in column.values[~missing].tolist() if isinstance(value, str))
    texts = {text: count for text, count in cells.items() if _floats([text]) is None}
    total, found = sum(cells.values()), sum(texts.values())
    if not found:
        return ""
    what = f"text in {found:,} of {total:,} cells, e.g. {quote_value(next(iter(texts)))}"
    if all(_floats([text.translate(_DECORATION)]) is not None for text in texts):
        return f"{what}; write them as plain numbers"
    if found > MAX_TEXT * total:
        return ""
    return f"{what}; give {arguments.typed(name, 'numeric')} or {arguments.missing_words()}"


class ColumnBuilder:
    """Builds a column from blocks of cells.

    `names` is for numbers that are names: numbers that a double would round stay text. `as_text` keeps every cell as
    it is written. After `add`, `text_after_numbers` is True if text followed cells that were already converted to
    numbers. Their spelling is lost, so the file must be read again with `as_text`.
    """

    def __init__(self, na: frozenset[str], *, names: bool = False, as_text: bool = False) -> None:
        self._na = na
        self._numbers: list[Floats] = []
        self._codes: list[np.ndarray[tuple[int], np.dtype[np.int32]]] = []
        self._known: dict[str, int] = {}
        self._names = names
        self._text = as_text
        self.text_after_numbers = False

    def add(self, cells: Sequence[str]) -> None:
        """Add the next cells."""
        if self.text_after_numbers:
            return
        if not self._text:
            found = numbers(cells, self._na)
            if found is not None and not (self._names and (np.abs(found) >= MAX_EXACT).any()):
                self._numbers.append(found)
                return
            self._text, self.text_after_numbers = True, any(not np.isnan(part).all() for part in self._numbers)
            self._codes = [np.full(len(part), -1, np.int32) for part in self._numbers]
            self._numbers = []
        if not self.text_after_numbers:
            known, na = self._known, self._na
            codes = (-1 if cell in na else known.setdefault(cell, len(known)) for cell in cells)
            self._codes.append(np.fromiter(codes, np.int32, len(cells)))

    def finish(self) -> Column:
        """Return the column and empty the builder."""
        if not self._text:
            parts, self._numbers = self._numbers, []
            return Column(np.concatenate(parts) if parts else np.empty(0))
        codes = np.concatenate(self._codes) if self._codes else np.empty(0, np.int32)
        texts = [None if text.strip() in self._na else text for text in self._known]
        self._codes, self._known = [], {}
        values = np.array([*_booleans(texts), None], dtype=object)  # code -1 selects the last entry: missing
        missing = np.array([text is None for text in texts] + [True])
        return Column(values[codes], missing[codes])


def _booleans(texts: Sequence[str | None]) -> Sequence[object]:
    """Return booleans if all texts are some spelling of true or false, as True, TRUE, true; else the texts."""
    lowered = [None if text is None else text.strip().lower() for text in texts]
    if not {"true", "false", None}.issuperset(lowered):
        return texts
    return [None if text is None else text == "true" for text in lowered]
