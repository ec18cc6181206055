"""Finds columns of numbers in another dress: currency, percent, thousands, units, or marks for missing values.

Such cells are text, so that the column would be watched as categories. `profile build` says so, whatever the number of
different cells.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from ...detectors.batch import Column

SAMPLE = 1000  # cells that are examined for blanks
FEW_TEXTS = 100  # different texts among these, up to which they are categories
_CURRENCY = r"(?:[$€£¥₹₩₽₺]|(?:AUD|BRL|CAD|CHF|CNY|EUR|GBP|INR|JPY|USD|Rs\.?|Fr\.?|kr\.?|R\$|zł))"
_DIGITS = r"\d[\d.,'’_\s]*"
_DRESSED = re.compile(
    rf"[(<>~≈≤≥=]*\s*{_CURRENCY}?\s*[-+−–]?\s*{_CURRENCY}?\s*{_DIGITS}(?:[eE][-+]?\d+)?\s*(?:[%‰°]|{_CURRENCY})?\s*\)?",
    re.IGNORECASE,
)
_UNIT = re.compile(rf"[-+−]?\s*{_DIGITS}(?P<unit>[^\W\d_]{{1,6}}(?:/[^\W\d_]{{1,4}})?[²³]?)")
_DATE = re.compile(r"(?:\d{1,2}([./-])\d{1,2}\1(?:\d{4}|\d\d)|\d{4}([./])\d{1,2}\2\d{1,2})\.?(?:[ T,]+\d{1,2}:\d\d.*)?")
_DOTTED = re.compile(r"\d+(?:\.\d+){2,}")
_THOUSANDS = re.compile(r"\d{1,3}(?:\.\d{3})+")
_MARKS = frozenset(["?", "??", ".", "-", "--", "---", "–", "—", "*", "x", "X", "#", "/", "\\", "\\N"])
_EXCEL_ERRORS = ["#div/0!", "#name?", "#num!", "#ref!", "#value!"]
_MARK_WORDS = frozenset(
    ["unknown", "missing", "none", "nil", "void", "n.a.", "n.d.", "nd", "bdl", "tbd", *_EXCEL_ERRORS]
)
_TRUTHS = frozenset(  # as PostgreSQL, people, and Excel in other languages write booleans
    frozenset(words.split())
    for words in (
        "t f", "y n", "j n", "yes no", "on off", "ja nein", "oui non", "wahr falsch", "vrai faux", "vero falso",
        "verdadero falso", "verdadeiro falso", "waar onwaar", "sand falsk",
    )
)  # fmt: skip
MOST_TEXTS = 3  # different texts beside numbers, up to which the texts may be mistakes
LEAST_NUMBERS = 4  # different numbers for each of them


def dressed(texts: Collection[str]) -> bool:
    """Return whether all texts are numbers with a currency, a percent sign, separators, or one common unit."""
    if not texts or are_dates(texts) or any(map(_is_dotted, texts)):
        return False
    if all(_DRESSED.fullmatch(text.strip()) for text in texts):
        return True
    found = [_UNIT.fullmatch(text.strip()) for text in texts]
    return all(found) and len({match["unit"].lower() for match in found if match}) == 1


def are_truths(texts: Collection[str]) -> bool:
    """Return whether the texts are two words for true and false, other than those of JSON."""
    return frozenset(text.strip().lower() for text in texts) in _TRUTHS


def are_dates(texts: Collection[str]) -> bool:
    """Return whether all texts are dates in another form than ISO 8601, such as 31.01.2024 or 1/31/24 8:00."""
    return bool(texts) and all(_DATE.fullmatch(text.strip()) for text in texts)


def _is_dotted(text: str) -> bool:
    """Return whether a text is a version or an address, such as 1.2.3 or 10.0.0.1, and no number with thousands."""
    return _DOTTED.fullmatch(text.strip()) is not None and _THOUSANDS.fullmatch(text.strip()) is None


def exceptions(texts: Collection[str], numbers: int) -> bool:
    """Return whether different texts beside so many different numbers may be marks for missing values, or mistakes."""
    if not texts or not numbers:
        return False
    if all(text.strip() in _MARKS or text.strip().lower() in _MARK_WORDS for text in texts):
        return True
    return len(texts) <= max(1, min(MOST_TEXTS, numbers // LEAST_NUMBERS))


def has_outer_blanks(column: Column) -> bool:
    """Return whether categories of a column begin or end with a blank; free text may."""
    if column.values.dtype != object:
        return False
    texts = {value for value in column.values[:SAMPLE].tolist() if isinstance(value, str)}
    return len(texts) <= FEW_TEXTS and any(text != text.strip() for text in texts)
