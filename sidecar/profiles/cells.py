"""Cells of one column to a numpy column: numbers while every cell is one, else categories, each text kept once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np

from pilotfish.detectors.batch import Column, Floats

_AS_PANDAS = "#N/A|#N/A N/A|#NA|-1.#IND|-1.#QNAN|-NaN|-nan|1.#IND|1.#QNAN|<NA>|N/A|NA|NULL|NaN|NaT|None|n/a|nan|null"
NA = frozenset(["", *_AS_PANDAS.split("|")])
_DECIMAL_COMMA = re.compile(r"\s*[+-]?[0-9.]*[0-9](?:,[0-9]+)?\s*")
ROUNDED = 2.0**53
SAMPLE = 1000
_NO_NUMBER = re.compile(r"_|(?:\A|\0)[+-]?0[0-9]")  # Python reads 1_000 and 007 as numbers; in data they are codes


def numbers(cells: Sequence[str], na: frozenset[str]) -> Floats | None:
    """Return the cells as numbers [cells], NaN where one is NA; None when one is neither."""
    try:
        found = np.fromiter(map(float, cells), np.float64, len(cells))
    except ValueError:
        try:
            values = (float("nan") if cell.strip() in na else float(cell) for cell in cells)
            found = np.fromiter(values, np.float64, len(cells))
        except ValueError:
            return None
    return None if _NO_NUMBER.search("\0".join(cells)) else found


def has_decimal_commas(column: Column) -> bool:
    """Whether the texts of a column are numbers in the spelling of much of Europe; the first ones tell."""
    if column.values.dtype != object:
        return False
    texts = [value for value in column.values[:SAMPLE].tolist() if isinstance(value, str)]
    return bool(texts) and all(_DECIMAL_COMMA.fullmatch(text) for text in texts) and any("," in text for text in texts)


class ColumnBuilder:
    """Takes a column's cells piece by piece. `late` tells that text came after numbers: their spelling is gone.

    `names` is for numbers that name things: those that a double would round are kept as text. `spelled` keeps all as
    text, as it is spelled.
    """

    def __init__(self, na: frozenset[str], *, names: bool = False, spelled: bool = False) -> None:
        self._na = na
        self._numbers: list[Floats] = []
        self._codes: list[np.ndarray[tuple[int], np.dtype[np.int32]]] = []
        self._known: dict[str, int] = {}
        self._names = names
        self._text = spelled
        self.late = False

    def add(self, cells: Sequence[str]) -> None:
        """Take the next cells."""
        if self.late:
            return
        if not self._text:
            found = numbers(cells, self._na)
            if found is not None and not (self._names and (np.abs(found) >= ROUNDED).any()):
                self._numbers.append(found)
                return
            self._text, self.late = True, any(not np.isnan(part).all() for part in self._numbers)
            self._codes = [np.full(len(part), -1, np.int32) for part in self._numbers]
            self._numbers = []
        if not self.late:
            known, na = self._known, self._na
            codes = (-1 if cell.strip() in na else known.setdefault(cell, len(known)) for cell in cells)
            self._codes.append(np.fromiter(codes, np.int32, len(cells)))

    def finish(self) -> Column:
        """Return the whole column; the builder is empty afterwards."""
        if not self._text:
            parts, self._numbers = self._numbers, []
            return Column(np.concatenate(parts) if parts else np.empty(0))
        codes = np.concatenate(self._codes) if self._codes else np.empty(0, np.int32)
        texts = np.array([*_booleans(self._known), None], dtype=object)  # code -1 is the last: missing
        self._codes, self._known = [], {}
        return Column(texts[codes], codes < 0)


def _booleans(texts: Iterable[str]) -> list[object]:
    """Return the texts, or true and false where they are nothing else: files write True, TRUE, true; JSON has one."""
    lowered = [text.strip().lower() for text in texts]
    return [text == "true" for text in lowered] if {"true", "false"}.issuperset(lowered) else list(texts)
