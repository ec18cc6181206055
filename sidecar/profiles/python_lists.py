"""Reads lists as programs write them to text: `[1 2 3]` (NumPy), `(1, None)`, `array([1.])`, `tensor([1.])`, `{1,2}`.

`DataFrame.to_csv` and PostgreSQL write lists in these forms. Requests hold the same lists as JSON.
"""

from __future__ import annotations

import ast
import re
from typing import Any
from warnings import catch_warnings

import numpy as np

MAX_LITERAL = 1024 * 1024  # characters; a longer text that is no list of numbers stays a text
SHORTENED = "..."  # NumPy writes this for the middle of an array of more than 1,000 numbers
_CALL = re.compile(
    r"(?:np\.|numpy\.)?(?:array|tensor|ndarray)\((?P<inner>[\[(].*[\])])\s*(?:,\s*[a-z_]+=[^\[\](),]*)*\)", re.DOTALL
)
_OPENING = re.compile(r"\s*(?:[\[({]|(?:np\.|numpy\.)?(?:array|tensor|ndarray)\()")
_SCALAR = re.compile(r"(?:np\.|numpy\.)(?:float|int|uint|bool|str)\w*\(([^()]*)\)")
_MISSING = re.compile(r"\b(?:nan|NaN|NaT|NULL|null|<NA>)\b|<NA>")
_ABSENT = frozenset({"none", "nan", "null", "<na>"})


def opens_list(text: str) -> bool:
    """Return whether a text begins like a list in any of these forms."""
    return _OPENING.match(text) is not None


def python_list(text: str) -> Any:
    """Return the list in a text: an array [numbers] if it is flat and numeric, else a list; None for other text."""
    text = text.strip()
    if call := _CALL.fullmatch(text):
        text = call["inner"]
    text = _SCALAR.sub(r"\1", text)
    if len(text) < 2 or text[0] + text[-1] not in ("[]", "()", "{}") or SHORTENED in text:
        return None
    inner = text[1:-1].strip()
    if text[0] != "[" and "," not in inner:
        return None  # (5.00) is a number
    numbers = _numbers(inner)
    if numbers is not None or text[0] == "{":
        return numbers
    return _literal(text)


def _numbers(inner: str) -> np.ndarray[tuple[int], np.dtype[np.float64]] | None:
    """Return numbers between commas, or between blanks as NumPy writes them."""
    parts = inner.rstrip(",").split(",") if "," in inner else inner.split()
    try:
        return np.array([np.nan if part.strip().lower() in _ABSENT else float(part) for part in parts])
    except ValueError:
        return None


def _literal(text: str) -> list[Any] | None:
    if len(text) > MAX_LITERAL:
        return None
    if "," not in text:  # [[1 2]\n [3 4]]: blanks separate numbers and rows
        text = re.sub(r"(?<=[\]0-9.])\s+(?=[\[0-9.+-])", ",", text)
    try:
        with catch_warnings(action="ignore"):  # the compiler warns of texts such as [1 (2)]
            found = ast.literal_eval(_MISSING.sub("None", text))
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return None
    return list(found) if isinstance(found, (list, tuple)) else None
