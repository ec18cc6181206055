"""Nested lists to columns: flattened level by level without recursion, lengths checked, the number of cells bounded.

What is an array to the profile, or wider than 64 numbers, stays one column of arrays.
"""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from functools import lru_cache
from itertools import chain

import numpy as np

from .types import ARRAY_KINDS, Cells, SkipExchangeError

MAX_COLUMNS = 16_384
MAX_VALUES = 4 * 1024 * 1024
MAX_DEPTH = 8
_NUMBERS = frozenset((bool, float, int))
MAX_FLAT_WIDTH = 64  # numbers a row that become columns where no one says otherwise


def flatten(data: list[object]) -> tuple[list[object], int]:
    """Return (values in row-major order, length of the outermost list); decline unequal lengths and mixed depths."""
    rows, level = len(data), data
    for _ in range(MAX_DEPTH):
        if not level or type(level[0]) is not list:
            if len(level) > 1 and list in map(type, level):
                raise SkipExchangeError("ragged")
            return level, rows
        if len(level) > 1 and (set(map(type, level)) != {list} or len(set(map(len, level))) != 1):  # type: ignore[arg-type]
            raise SkipExchangeError("ragged")
        level = list(chain.from_iterable(level))  # type: ignore[arg-type]
    raise SkipExchangeError("too_deep")


def add_columns(
    columns: dict[str, Cells],
    base: str,
    flat: Cells,
    width: int,
    known: Sequence[str] = (),
    given: object = None,
    *,
    alone: bool = False,
    arrays: AbstractSet[str] = frozenset(),
) -> None:
    """Cut row-major `flat` into `width` columns and add them under their names; decline a name that is there already.

    Names are as the request gives them (`given`), else those of `known` by position, else `base`, or `base[0]`,
    `base[1]`. `known` are the reference's columns; position means something only if these columns are `alone`. What the
    reference knows as one of `arrays` is one column [rows, width], and so is what has more than 64 numbers and is not
    known number by number.
    """
    if width <= 0:
        return
    if given is None and (arrays or width > MAX_FLAT_WIDTH):
        name = _array_name(base, width, known, alone, arrays)
        if name:
            add_column(columns, name, _matrix(flat, width))
            return
    if width > MAX_COLUMNS:
        return
    if len(columns) + width > MAX_COLUMNS:
        raise SkipExchangeError("too_many_values")
    if not isinstance(flat, list):
        flat = flat.tolist()
    names = _names(base, width, known if alone else (), given)
    before = len(columns)
    if len(flat) == width:
        columns.update(zip(names, [[value] for value in flat], strict=True))
    else:
        columns.update(zip(names, [flat[index::width] for index in range(width)], strict=True))
    if len(columns) != before + width:
        raise SkipExchangeError("duplicate_name")


def add_column(columns: dict[str, Cells], name: str, cells: Cells) -> None:
    """Add one column as it is; decline a name that is there already."""
    if name in columns:
        raise SkipExchangeError("duplicate_name")
    columns[name] = cells


def array_of(given: object) -> object:
    """Return a list of numbers, however nested, as a numpy array; everything else as it is."""
    if type(given) is not list:
        return given
    cell: list[object] = given
    try:
        kinds = set(map(type, cell))
        if list in kinds:
            cell, _ = flatten(cell)
            kinds = set(map(type, cell))
        if not kinds <= _NUMBERS:  # numpy would make every text as wide as the longest
            return given
        array = np.array(cell, np.float64 if float in kinds else None)
    except (SkipExchangeError, OverflowError):  # lists of several lengths, or a number beyond a double
        return given
    return array if array.dtype.kind in ARRAY_KINDS else given


def _array_name(base: str, width: int, known: Sequence[str], alone: bool, arrays: AbstractSet[str]) -> str:
    """Return under which name the values stay one column of arrays; nothing where they do not."""
    if alone and len(known) == 1 and known[0] in arrays:
        return known[0]
    if base in arrays:
        return base
    one_by_one = width <= MAX_FLAT_WIDTH or (alone and len(known) == width) or f"{base}[0]" in known
    return "" if one_by_one else base


def _matrix(flat: Cells, width: int) -> Cells:
    """Return row-major values as [rows, width], or as a list of rows where they are not all numbers."""
    whole = array_of(flat)
    if isinstance(whole, np.ndarray) and whole.ndim == 1:
        return whole.reshape(-1, width)
    return [flat[start : start + width] for start in range(0, len(flat), width)]


def _names(base: str, width: int, known: Sequence[str], given: object) -> Sequence[str]:
    if given is not None:
        names = given.split(",") if isinstance(given, str) else given
        if not isinstance(names, list) or len(names) != width or not all(isinstance(name, str) for name in names):
            raise SkipExchangeError("shape_mismatch")
        return [name.strip() for name in names]
    if len(known) == width and (width > 1 or base not in known):
        return known
    return (base,) if width == 1 else _numbered(base, width)


@lru_cache(16)
def _numbered(base: str, width: int) -> tuple[str, ...]:
    return tuple(f"{base}[{index}]" for index in range(width))
