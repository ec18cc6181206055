"""Nested lists to columns: flattened level by level without recursion, lengths checked, the number of cells bounded."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import chain

from pilotfish.sidecar.analyzer.decode.types import DeclineError

MOST_COLUMNS = 16_384
MOST_CELLS = 4 * 1024 * 1024
DEEPEST = 8


def flatten(data: list[object]) -> tuple[list[object], int]:
    """Return (values in row-major order, length of the outermost list); decline unequal lengths and mixed depths."""
    rows, level = len(data), data
    for _ in range(DEEPEST):
        if not level or type(level[0]) is not list:
            if len(level) > 1 and list in map(type, level):
                raise DeclineError("ragged")
            return level, rows
        if len(level) > 1 and (set(map(type, level)) != {list} or len(set(map(len, level))) != 1):  # type: ignore[arg-type]
            raise DeclineError("ragged")
        level = list(chain.from_iterable(level))  # type: ignore[arg-type]
    raise DeclineError("too_deep")


def add_columns(
    columns: dict[str, list[object]],
    base: str,
    flat: list[object],
    width: int,
    known: Sequence[str] = (),
    given: object = None,
) -> None:
    """Cut row-major `flat` into `width` columns and add them under their names; decline a name that is there already.

    Names are as the request gives them (`given`), else those of `known` by position, else `base`, or `base[0]`,
    `base[1]`. `known` are the reference's columns: pass () where other columns stand beside these, as position then
    means nothing. What is wider than `MOST_COLUMNS` is an image or an embedding: its cells are no features.
    """
    if not 0 < width <= MOST_COLUMNS:
        return
    if len(columns) + width > MOST_COLUMNS:
        raise DeclineError("too_many_values")
    names = _names(base, width, known, given)
    before = len(columns)
    if len(flat) == width:
        columns.update(zip(names, [[value] for value in flat], strict=True))
    else:
        columns.update(zip(names, [flat[index::width] for index in range(width)], strict=True))
    if len(columns) != before + width:
        raise DeclineError("duplicate_name")


def _names(base: str, width: int, known: Sequence[str], given: object) -> Sequence[str]:
    if given is not None:
        names = given.split(",") if isinstance(given, str) else given
        if not isinstance(names, list) or len(names) != width or not all(isinstance(name, str) for name in names):
            raise DeclineError("shape_mismatch")
        return [name.strip() for name in names]
    if len(known) == width and (width > 1 or base not in known):
        return known
    return (base,) if width == 1 else _numbered(base, width)


@lru_cache(16)
def _numbered(base: str, width: int) -> tuple[str, ...]:
    return tuple(f"{base}[{index}]" for index in range(width))
