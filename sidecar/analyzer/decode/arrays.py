"""Convert nested lists to columns, for the decoders of all protocols.

Lists are flattened level by level without recursion. Values that are an array in the profile, or rows of more than 64
numbers, stay one column of arrays. Clients choose depth, number of columns, and the length of their names, so these are
bounded. The number of cells that are added to the values of a body is bounded, too: the cost of a body must follow from
its size.
"""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from functools import lru_cache
from itertools import chain

import numpy as np

from .types import ARRAY_KINDS, MAX_ADDED, Cells, Hints, SkipExchangeError

MAX_COLUMNS = 16_384
MAX_ROWS = 65_536  # of one exchange; they also cost time when they have no cells
MAX_VALUES = 4 * 1024 * 1024
MAX_DEPTH = 8
MAX_NAME_LENGTH = 1000  # characters of a column; profiles have no longer ones
_NUMBERS = frozenset((bool, float, int))
MAX_FLAT_WIDTH = 64  # numbers per row that become single columns, if neither request nor profile names them


def require_room(added: int, hints: Hints) -> None:
    """Raise SkipExchangeError if so many cells may not be added to the values of a body. Call it before adding them."""
    if added > MAX_ADDED:
        raise SkipExchangeError("too_many_values")
    if added > hints.most_added:
        raise SkipExchangeError("decode_budget")


def require_rows(count: int) -> None:
    """Raise SkipExchangeError if an exchange has more rows than `MAX_ROWS`. Call it before the rows are built."""
    if count > MAX_ROWS:
        raise SkipExchangeError("too_many_rows")


def require_name(name: str) -> None:
    """Raise SkipExchangeError if `name` is too long for a column."""
    if len(name) > MAX_NAME_LENGTH:
        raise SkipExchangeError("name_too_long")


def flatten(data: list[object]) -> tuple[list[object], int]:
    """Return the values in row-major order, and the length of the outermost list.

    Raises:
        SkipExchangeError: lists of one level differ in length or depth, or are nested too deeply.
    """
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
    by_position: bool = False,
    arrays: AbstractSet[str] = frozenset(),
) -> None:
    """Split row-major values into `width` columns and add them to `columns`.

    The names are the first of these: the names in the request, `known` by position, `base` or `base[0]`, `base[1]`, ...
    The values stay one column [rows, width] in two cases: the reference has an array of that name, or `width` exceeds
    `MAX_FLAT_WIDTH` and the reference does not have the numbers as single columns.

    Args:
        columns: receives the new columns.
        base: the name that the request gives to all the values.
        flat: [rows * width] values in row-major order.
        width: values per row.
        known: the columns of the reference, in order.
        given: the names in the request, as a list or separated by commas; None without names.
        by_position: whether these values are the only ones of the body, so that their position identifies a column.
        arrays: the columns of the reference that hold arrays.

    Raises:
        SkipExchangeError: a name is taken, or the names do not fit the width, or there are too many columns.
    """
    if width <= 0:
        return
    require_name(base)
    if given is None and (arrays or width > MAX_FLAT_WIDTH):
        name = _array_name(base, width, known, by_position, arrays)
        if name:
            add_column(columns, name, _matrix(flat, width))
            return
    if width > MAX_COLUMNS:
        return
    if len(columns) + width > MAX_COLUMNS:
        raise SkipExchangeError("too_many_values")
    if not isinstance(flat, list):
        flat = flat.tolist()
    names = _names(base, width, known if by_position else (), given)
    before = len(columns)
    if len(flat) == width:
        columns.update(zip(names, [[value] for value in flat], strict=True))
    else:
        columns.update(zip(names, [flat[index::width] for index in range(width)], strict=True))
    if len(columns) != before + width:
        raise SkipExchangeError("duplicate_name")


def add_column(columns: dict[str, Cells], name: str, cells: Cells) -> None:
    """Add one column unchanged; raise SkipExchangeError if the name is taken."""
    if name in columns:
        raise SkipExchangeError("duplicate_name")
    columns[name] = cells


def array_of(given: object) -> object:
    """Return a list of numbers, nested or not, as a numpy array. Return any other value unchanged."""
    if type(given) is not list:
        return given
    cell: list[object] = given
    try:
        kinds = set(map(type, cell))
        if list in kinds:
            cell, _ = flatten(cell)
            kinds = set(map(type, cell))
        if not kinds <= _NUMBERS:  # in a numpy array, every text takes the space of the longest
            return given
        array = np.array(cell, np.float64 if float in kinds else None)
    except (SkipExchangeError, OverflowError):  # lists that differ in length, or an integer too large for a double
        return given
    return array if array.dtype.kind in ARRAY_KINDS else given


def _array_name(base: str, width: int, known: Sequence[str], by_position: bool, arrays: AbstractSet[str]) -> str:
    """Return the name of the column of arrays, or "" if the values become single columns."""
    if by_position and len(known) == 1 and known[0] in arrays:
        return known[0]
    if base in arrays:
        return base
    single_columns = width <= MAX_FLAT_WIDTH or (by_position and len(known) == width) or f"{base}[0]" in known
    return "" if single_columns else base


def _matrix(flat: Cells, width: int) -> Cells:
    """Return row-major values as an array [rows, width], or as a list of rows if some are not numbers."""
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
