"""How one cell is read: as missing, as a number or as a boolean. One rule for files, stored rows and live traffic.

`reference.build` and `summaries.counts` apply the words of the profile to each column before anything else reads it, so
no caller can forget them. A change of these rules moves rows to other bins.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np

from .batch import Array, Column

_AS_PANDAS = "#N/A|#N/A N/A|#NA|-1.#IND|-1.#QNAN|-NaN|-nan|1.#IND|1.#QNAN|<NA>|N/A|NA|NULL|NaN|NaT|None|n/a|nan|null"
MISSING_WORDS = frozenset(["", *_AS_PANDAS.split("|")])  # the words that pandas.read_csv reads as missing
TRUTHS = {"true": True, "false": False}
NUMERIC_TRUTHS = {"1": True, "0": False, **TRUTHS}
NUMBERS = (int, float, np.integer, np.floating, np.bool_)
TEXTS = (str, bytes)
_CODE = re.compile(r"_|\A\s*[+-]?0[0-9]")  # Python parses 1_000 and 007 as numbers; in data they are codes


def missing_words(added: Iterable[str] = (), kept: Iterable[str] = ()) -> frozenset[str]:
    """Return the words that mean missing: the default ones and `added`, without `kept`.

    Example:
        >>> from pilotfish.detectors.cells import missing_words
        >>> words = missing_words(added=["?"], kept=["NA"])
        >>> "?" in words, "NA" in words, "null" in words
        (True, False, True)
    """
    return (MISSING_WORDS | {word.strip() for word in added}).difference(word.strip() for word in kept)


def with_missing_words(column: Column, words: frozenset[str]) -> Column:
    """Return a column in which each text that is one of `words`, ignoring outer white space, is missing.

    Each distinct text is looked up once.

    Example:
        >>> from pilotfish.detectors.batch import as_column, missing_mask
        >>> from pilotfish.detectors.cells import MISSING_WORDS, with_missing_words
        >>> missing_mask(with_missing_words(as_column(["Rome", " NA ", ""]), MISSING_WORDS)).tolist()
        [False, True, True]
    """
    values = column.values
    if values.dtype.kind not in "OUS" or values.ndim > 1:
        return column
    cells = values.tolist()
    try:
        distinct = set(cells)
    except TypeError:  # a list or an object, which is no word
        cells = [cell if isinstance(cell, TEXTS) else None for cell in cells]
        distinct = set(cells)
    found = {cell for cell in distinct if isinstance(cell, TEXTS) and _text(cell).strip() in words}
    if not found:
        return column
    mask = np.fromiter(map(found.__contains__, cells), dtype=bool, count=len(cells))
    return Column(values, mask if column.missing is None else mask | column.missing)


def _text(cell: str | bytes) -> str:
    return cell if isinstance(cell, str) else cell.decode("utf-8", "replace")


def number_of(value: object) -> float:
    """Return a number, or a text that is one, as a float; NaN for anything else."""
    if not isinstance(value, (*NUMBERS, *TEXTS)):
        return np.nan
    try:
        return float(value)
    except OverflowError:
        return np.inf if value > 0 else -np.inf  # type: ignore[operator]  # only an integer overflows
    except (TypeError, ValueError):
        return np.nan


def is_code(text: str) -> bool:
    """Return whether a text that Python parses as a number is a code, such as 00501 or 1_000."""
    return _CODE.search(text) is not None


def truth_of(value: object) -> bool | None:
    """Return the boolean of True, 1, 1.0, "1", "true", and of false likewise, in any case; None for anything else."""
    if isinstance(value, TEXTS):
        return NUMERIC_TRUTHS.get(_text(value).strip().lower())
    if isinstance(value, NUMBERS) and value in {0, 1}:
        return bool(value)
    return None


def names_truths(column: Column) -> bool:
    """Return whether a cell is a boolean, or a text that is true or false."""
    if column.values.ndim > 1 or column.values.dtype.kind not in "OUS":
        return False
    cells = column.values.tolist()
    different = set(cells) if set(map(type, cells)) <= {str, type(None)} else cells
    return any(
        isinstance(cell, (bool, np.bool_)) or (isinstance(cell, TEXTS) and _text(cell).strip().lower() in TRUTHS)
        for cell in different
    )


def with_truths(column: Column) -> Column:
    """Return a column in which each spelling of a boolean is True or False; other values stay."""
    if column.values.ndim > 1 or column.values.dtype.kind == "b":
        return column
    truths = ((cell, truth_of(cell)) for cell in column.values.tolist())
    return Column(_objects([cell if truth is None else truth for cell, truth in truths]), column.missing)


def with_numeric_truths(column: Column) -> Column:
    """Return a column whose texts that are booleans are numbers, for a feature that has only the numbers 0 and 1."""
    if column.values.ndim > 1 or column.values.dtype.kind not in "OUS":
        return column
    texts = ((cell, truth_of(cell) if isinstance(cell, TEXTS) else None) for cell in column.values.tolist())
    return Column(_objects([cell if truth is None else truth for cell, truth in texts]), column.missing)


def _objects(cells: list[object]) -> Array:
    return np.fromiter(cells, dtype=object, count=len(cells))
