"""Decode JSON of a user's own form: `spec.traffic.decode` gives the paths of rows and predictions.

A path with a wildcard selects one value per row. A path without one selects a single value, and the form of this value
decides: a list of objects or lists is rows, an object of lists is columns, anything else is one row. In a response, the
number of rows of the request decides instead. `v1.py` turns the rows into columns.

Never drop a row that lacks a value: later predictions would move to other rows. Such a value is missing.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

import msgspec

from ...settings.jsonpath import JsonPath
from . import arrays, v1
from .content import parse, require_unique_keys
from .selection import ABSENT, select, select_one
from .types import Body, Columns, DecodedBody, Hints, SkipExchangeError

_TREE: msgspec.json.Decoder[Any] = msgspec.json.Decoder()
_NESTED = frozenset((dict, list))
_WHOLE = re.compile("[0-9]{1,18}")


def decode_request(body: Body, hints: Hints) -> DecodedBody:
    """Return rows and id of a request body; raise SkipExchangeError if it cannot be decoded."""
    tree, own = _parse(body), hints.own
    if isinstance(own.rows, JsonPath):
        rows, base = _with_names(_request_rows(own.rows, tree, hints), own.names, tree), own.rows.name or "inputs"
    else:
        rows, base = _rows_of_columns(own.rows, tree, None, hints), ""
    return DecodedBody(v1.rows_of(rows, base, hints.inputs, hints), _id(own.id, tree))


def decode_response(body: Body, hints: Hints) -> DecodedBody:
    """Return predictions and id of a response body; raise SkipExchangeError if it cannot be decoded."""
    own = hints.own
    if own.predictions is None:
        raise SkipExchangeError("no_predictions_path")
    tree, count = _parse(body), body.rows or 1
    if isinstance(own.predictions, JsonPath):
        rows, base = _response_rows(own.predictions, tree, count, hints), own.predictions.name or "predictions"
    else:
        rows, base = _rows_of_columns(own.predictions, tree, count, hints), ""
    return DecodedBody(v1.rows_of(rows, base, hints.outputs, hints), _id(own.id, tree))


def _parse(body: Body) -> Any:
    tree = parse(_TREE, body.raw, body.headers)
    require_unique_keys(body.raw, 0, tree)
    return tree


def _request_rows(path: JsonPath, tree: Any, hints: Hints) -> list[Any] | dict[str, Any]:
    """Return the rows of a request as a list, or as an object of columns."""
    values = select(path, tree)
    if path.many:
        if all(value is None for value in values):
            raise SkipExchangeError("no_rows")
        return [values] if hints.own.one_row else _fill(values, hints)
    value = _without_id(values[0], path, hints.own.id)
    if hints.own.one_row:
        return [value]
    value = _without_row_numbers(value, frozenset(hints.inputs))
    if type(value) is dict:
        return value if _is_columns(value, hints) else [value]
    if type(value) is list and (not value or not _NESTED.isdisjoint(map(type, value))):
        return _fill(value, hints)
    if value is None:
        raise SkipExchangeError("no_rows")
    return [value]


def _without_row_numbers(value: Any, known: frozenset[str], count: int | None = None) -> Any:
    """Return lists in place of objects whose keys are row numbers, as `to_json` of pandas writes them.

    The numbers are the keys of each column, or of rows that are objects. In a response with `count` predictions, they
    may be the keys of scalars. They count from 0; others, as of a part of a data frame, are row numbers only if the
    reference has the columns. Any other value is returned unchanged.

    Raises:
        SkipExchangeError: the columns have different row numbers.
    """
    if type(value) is not dict:
        return value
    kinds = set(map(type, value.values()))
    if kinds == {dict} and _have_numbers(value.values(), not known.isdisjoint(value), count):
        keys = list(next(iter(value.values())))
        if any(list(cells) != keys for cells in value.values()):
            raise SkipExchangeError("row_mismatch")
        return {name: list(cells.values()) for name, cells in value.items()}
    if kinds == {dict}:
        is_known = any(not known.isdisjoint(row) for row in value.values())
        return list(value.values()) if _have_numbers([value], is_known, count) else value
    if len(value) == count and _NESTED.isdisjoint(kinds) and _have_numbers([value], False, count):
        return list(value.values())
    return value


def _have_numbers(objects: Collection[dict[str, Any]], known: bool, count: int | None) -> bool:
    """Return whether the keys of each object are row numbers: from 0, or any ones if the reference has the columns.

    In a response (`count` is a number), they must be in the order of the rows.
    """
    if all("0" in keys and all(key == str(index) for index, key in enumerate(keys)) for keys in objects):
        return True
    if not known or not all(keys and all(map(_WHOLE.fullmatch, keys)) for keys in objects):
        return False
    return count is None or all(list(map(int, keys)) == sorted(map(int, keys)) for keys in objects)


def _is_columns(value: dict[str, Any], hints: Hints) -> bool:
    """Return whether an object holds columns. If the profile has all its lists as arrays of one row, it is a row.

    Beside a scalar, a list is a column only if the profile has it as one.
    """
    kinds = set(map(type, value.values()))
    if kinds != {list}:
        single = set(hints.inputs) - hints.arrays if list in kinds and dict not in kinds else frozenset[str]()
        return not value or any(type(cell) is list and name in single for name, cell in value.items())
    return not (value.keys() <= hints.arrays and all(_NESTED.isdisjoint(map(type, cell)) for cell in value.values()))


def _response_rows(path: JsonPath, tree: Any, count: int, hints: Hints) -> list[Any] | dict[str, Any]:
    """Return the rows of a response to a request with `count` rows, as a list or as an object of columns."""
    values = select(path, tree)
    if path.many:
        return _fill(values, hints)
    value = _without_row_numbers(_without_id(values[0], path, hints.own.id), frozenset(hints.outputs), count)
    if type(value) is list and (count > 1 or not _NESTED.isdisjoint(map(type, value))):
        return _fill(value, hints)
    if type(value) is dict and count > 1:
        return {name: cells for name, cells in value.items() if type(cells) is list} or [value]
    return [value]


def _rows_of_columns(columns: Columns, tree: Any, count: int | None, hints: Hints) -> list[Any]:
    """Return rows from one path per column.

    Args:
        columns: the path of each column, by name.
        tree: the parsed body.
        count: the number of rows of the request if `tree` is a response. None if `tree` is the request: then the paths
            with a wildcard give the number, and all others a value that holds for each row.
        hints: see `Hints`.
    """
    series: dict[str, list[Any]] = {}
    constants: dict[str, Any] = {}
    for name, path in columns:
        try:
            values = select(path, tree, arrays.MAX_VALUES // len(columns))
        except SkipExchangeError as skipped:
            if skipped.reason != "no_match":
                raise
            constants[name] = ABSENT
            continue
        if path.many:
            series[name] = values
        elif count is None or count == 1:
            constants[name] = values[0]
        elif type(values[0]) is list:
            series[name] = values[0]
        else:
            raise SkipExchangeError("row_mismatch")
    if not series and all(value is ABSENT for value in constants.values()):
        raise SkipExchangeError("no_match")
    lengths = set(map(len, series.values())) or {1}
    rows = lengths.pop()
    if lengths or (count is not None and rows != count):
        raise SkipExchangeError("row_mismatch")
    arrays.require_rows(rows)
    arrays.require_room(rows * len(constants) if rows > 1 else 0, hints)
    cells = {
        name: series[name] if name in series else [None if constants[name] is ABSENT else constants[name]] * rows
        for name, _ in columns
    }
    return [dict(zip(cells, row, strict=True)) for row in zip(*cells.values(), strict=True)]


def _with_names(rows: list[Any] | dict[str, Any], path: JsonPath | None, tree: Any) -> list[Any] | dict[str, Any]:
    """Return rows of lists as objects, with the names at `path`. Without names in the body, position identifies them.

    Raises:
        SkipExchangeError: a name is not a text or occurs twice, or a row has a different number of values.
    """
    if path is None or isinstance(rows, dict) or set(map(type, rows)) != {list}:
        return rows
    try:
        values = select(path, tree)
    except SkipExchangeError:
        return rows
    names = values if path.many else values[0]
    if names is None:
        return rows
    if type(names) is not list or not all(type(name) is str for name in names):
        raise SkipExchangeError("wrong_structure")
    if len(set(names)) != len(names):
        raise SkipExchangeError("duplicate_name")
    if set(map(len, rows)) != {len(names)}:
        raise SkipExchangeError("ragged")
    return [dict(zip(names, row, strict=True)) for row in rows]


def _fill(values: list[Any], hints: Hints) -> list[Any]:
    """Return rows in which a null among objects or lists is a row of missing values."""
    arrays.require_rows(len(values))
    kinds = set(map(type, values))
    if type(None) not in kinds or _NESTED.isdisjoint(kinds):
        return values
    width = next((len(value) for value in values if type(value) is list), 0)
    arrays.require_room(width * values.count(None), hints)
    absent: Any = {} if dict in kinds else [None] * width
    return [absent if value is None else value for value in values]


def _without_id(value: Any, path: JsonPath, id_path: JsonPath | None) -> Any:
    """Return an object of values without the id of the exchange, which is not a feature."""
    if id_path is None or type(value) is not dict or id_path.steps[:-1] != path.steps:
        return value
    return {name: cell for name, cell in value.items() if name != id_path.name}


def _id(path: JsonPath | None, tree: Any) -> str | None:
    """Return the id at `path`: a text or a whole number; None without one."""
    value = None if path is None else select_one(path, tree)
    return str(value) if type(value) in (int, str) else None
