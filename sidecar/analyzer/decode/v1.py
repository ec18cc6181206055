"""Decode KServe v1 and TensorFlow Serving over REST: `instances` row by row, or `inputs` column by column.

In the row form, a row is a scalar, a list or an object of named values. The column form is an object of named lists, or
one list. Columns without a name take the names of the profile by position, otherwise `inputs[i]` and `predictions[i]`.
Nested lists are flattened, and values of nested objects become columns `outer.inner`. Lists that differ in length stay
one column of lists. {"b64": ...} stands for the text that it encodes.
Source: https://www.tensorflow.org/tfx/serving/api_rest.
"""

from __future__ import annotations

import base64
import binascii
from functools import lru_cache
from typing import Any

import msgspec

from . import arrays
from .content import parse, require_unique_keys
from .types import Body, Cells, DecodedBody, Hints, Rows, SkipExchangeError

Tree = Any  # a list in the row form, an object in the column form, a scalar for one row


class PredictRequest(msgspec.Struct, gc=False):
    """A prediction request: row form (`instances`) or column form (`inputs`)."""

    instances: list[Any] | None = None
    inputs: Tree = None
    signature_name: str | None = None


class PredictResponse(msgspec.Struct, gc=False):
    """A prediction response: row form (`predictions`) or column form (`outputs`)."""

    predictions: Tree = None
    outputs: Tree = None


_REQUEST = msgspec.json.Decoder(PredictRequest)
_RESPONSE = msgspec.json.Decoder(PredictResponse)


def decode_request(body: Body, hints: Hints) -> DecodedBody:
    """Return the rows of a request body; raise SkipExchangeError if it cannot be decoded."""
    request = parse(_REQUEST, body.raw, body.headers)
    tree = one_of(body.raw, request.instances, request.inputs, int(request.signature_name is not None))
    return DecodedBody(rows_of(tree, "inputs", hints.inputs, hints))


def decode_response(body: Body, hints: Hints) -> DecodedBody:
    """Return the rows of a response body; raise SkipExchangeError if it cannot be decoded."""
    response = parse(_RESPONSE, body.raw, body.headers)
    return DecodedBody(
        rows_of(one_of(body.raw, response.predictions, response.outputs, 0), "predictions", hints.outputs, hints)
    )


def one_of(body: bytes, rows: Tree, columns: Tree, keys: int) -> list[Any] | dict[str, Any]:
    """Return `rows` or `columns`: the one that the body has. Check the body for duplicate keys.

    `keys` is the number of other parsed keys in the body.

    Raises:
        SkipExchangeError: the body has both or neither, or has a duplicate key.
    """
    if (rows is None) == (columns is None):
        raise SkipExchangeError("wrong_structure")
    tree = columns if rows is None else rows
    require_unique_keys(body, keys + 1, tree)
    return tree if isinstance(tree, (dict, list)) else [tree]


def rows_of(tree: list[Any] | dict[str, Any], base: str, known: tuple[str, ...], hints: Hints) -> Rows:
    """Return the rows of either form.

    Args:
        tree: a list in the row form, an object in the column form.
        base: the name of columns without a name.
        known: the columns of the reference on this side of the traffic, in order.
        hints: see `Hints`.
    """
    if not tree:
        raise SkipExchangeError("no_rows")
    if isinstance(tree, dict):
        return _column_form(tree, known, hints)
    arrays.require_rows(len(tree))
    kinds = set(map(type, tree))
    if dict not in kinds:
        return _matrix(tree, base, known, hints)
    if all(map(_is_base64, tree)):
        return _matrix(_plain(tree), base, known, hints)
    if kinds != {dict}:
        raise SkipExchangeError("ragged")
    return _fill_missing_columns(_named_rows(tree, known, hints), known, hints)


def _matrix(tree: list[Any], base: str, known: tuple[str, ...], hints: Hints) -> Rows:
    columns: dict[str, Cells] = {}
    try:
        flat, count = arrays.flatten(tree)
    except SkipExchangeError as skipped:
        if skipped.reason != "ragged":
            raise
        return _uneven(tree, known, hints)
    width = len(flat) // count
    if not width:
        raise SkipExchangeError("no_rows")
    names = hints.named_by(known, width)
    arrays.add_columns(columns, base, _plain(flat), width, names, by_position=True, arrays=hints.arrays)
    return Rows(columns, count)


def _uneven(tree: list[Any], known: tuple[str, ...], hints: Hints) -> Rows:
    """Return rows of lists that have no common shape.

    They are one array each if the reference has no other column, so that an odd one does not hide the others; or they
    hold an array among the values of a row, and are as wide as the reference.
    """
    if len(known) == 1 and known[0] in hints.arrays:
        columns: dict[str, Cells] = {}
        arrays.add_column(columns, known[0], [arrays.array_of(cell) for cell in tree])
        return Rows(columns, len(tree))
    widths = {len(row) if type(row) is list else 0 for row in tree}
    width = widths.pop()
    names = hints.named_by(known, width)
    if widths or width < 2 or len(names) != width:
        raise SkipExchangeError("ragged")
    return _named_rows([dict(zip(names, row, strict=True)) for row in tree], known, hints)


def _named_rows(rows: list[dict[str, Any]], known: tuple[str, ...], hints: Hints) -> Rows:
    if len(rows) == 1 and {list, dict}.isdisjoint(map(type, rows[0].values())):
        return _single(rows[0])
    rows = [flatten_objects(row) if dict in map(type, row.values()) else row for row in rows]
    if len(rows) == 1 and {list, dict}.isdisjoint(map(type, rows[0].values())):
        return _single(rows[0])
    names = dict.fromkeys(name for row in rows for name in row)
    if not names:
        raise SkipExchangeError("no_rows")
    cells = len(names) * len(rows)
    if len(names) > arrays.MAX_COLUMNS or cells > arrays.MAX_VALUES:
        raise SkipExchangeError("too_many_values")
    arrays.require_room(cells - sum(map(len, rows)), hints)
    columns: dict[str, Cells] = {}
    for name in names:
        _add_cells(columns, name, [row.get(name) for row in rows], known, hints)
    return Rows(columns, len(rows))


def _single(row: dict[str, Any]) -> Rows:
    if not row:
        raise SkipExchangeError("no_rows")
    if len(row) > arrays.MAX_COLUMNS:
        raise SkipExchangeError("too_many_values")
    return Rows({name: [value] for name, value in row.items()}, 1)


def flatten_objects(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row in which each value of a nested object has its own name, with dots: `outer.inner`.

    Raises:
        SkipExchangeError: a name occurs twice, or there are too many columns or levels.
    """
    found: dict[str, Any] = {}
    _flatten_into(found, row, "", arrays.MAX_DEPTH)
    return found


def _flatten_into(found: dict[str, Any], values: dict[str, Any], prefix: str, depth: int) -> None:
    if not depth:
        raise SkipExchangeError("too_deep")
    for key, value in values.items():
        name = prefix + key
        arrays.require_name(name)
        if type(value) is dict and not _is_base64(value):
            _flatten_into(found, value, name + ".", depth - 1)
        elif name in found:
            raise SkipExchangeError("duplicate_name")
        else:
            found[name] = value
    if len(found) > arrays.MAX_COLUMNS:
        raise SkipExchangeError("too_many_values")


def _fill_missing_columns(rows: Rows, known: tuple[str, ...], hints: Hints) -> Rows:
    """Add known columns that are absent from every row as missing, like columns absent from some rows."""
    columns = rows.columns
    for name in _objects(known) & columns.keys():
        if all(value is None for value in columns[name]):
            del columns[name]  # a null object: the reference has its values as columns
    absent = [name for name in known if name not in columns]
    if 0 < len(absent) < len(known):
        arrays.require_room(len(absent) * rows.count if rows.count > 1 else 0, hints)
        cells: Cells = [None] * rows.count
        columns.update(dict.fromkeys(absent, cells))
    return rows


@lru_cache(16)
def _objects(known: tuple[str, ...]) -> frozenset[str]:
    """Return the names of objects with values in `known`: `home` for `home.city`."""
    parts = (name.split(".") for name in known if "." in name)
    return frozenset(".".join(part[:depth]) for part in parts for depth in range(1, len(part))) - set(known)


def _add_cells(columns: dict[str, Cells], name: str, cells: list[Any], known: tuple[str, ...], hints: Hints) -> None:
    """Add the values of one key, one per row: scalars, or lists that become several columns if lengths are equal."""
    kinds = set(map(type, cells))
    if list not in kinds:
        arrays.add_columns(columns, name, _plain(cells), 1)
        return
    flat = None if name in hints.arrays else _flat(cells)
    if flat is None:
        arrays.add_column(columns, name, [arrays.array_of(cell) for cell in cells])
        return
    width = len(flat) // len(cells)
    arrays.add_columns(columns, name, _plain(flat), width, known, arrays=hints.arrays)


def _flat(cells: list[Any]) -> list[Any] | None:
    """Return the values of lists in row-major order; None if the lists differ in length or hold objects."""
    try:
        flat = [[cell] if cell is None else arrays.flatten(cell if type(cell) is list else [cell])[0] for cell in cells]
    except SkipExchangeError:
        return None
    widths = {len(row) for row, cell in zip(flat, cells, strict=True) if cell is not None}
    width = widths.pop()
    if widths or any(dict in map(type, row) and not all(map(_is_base64, row)) for row in flat):
        return None
    if width * len(cells) > arrays.MAX_VALUES:
        raise SkipExchangeError("too_many_values")
    absent: list[object] = [None] * width
    return [value for row, cell in zip(flat, cells, strict=True) for value in (absent if cell is None else row)]


def _column_form(tree: dict[str, Any], known: tuple[str, ...], hints: Hints) -> Rows:
    if not any(type(value) is list for value in tree.values()):
        return _named_rows([tree], known, hints)
    if any(type(value) is list and value and type(value[0]) is dict for value in tree.values()):
        return _objects_in_columns(tree, known, hints)
    tree = _repeat_scalars(tree, hints)
    columns: dict[str, Cells] = {}
    counts = set()
    for name, value in tree.items():
        if type(value) is not list or not value:
            raise SkipExchangeError("row_mismatch" if value else "no_rows")
        arrays.require_rows(len(value))
        counts.add(len(value))
        if name in hints.arrays:
            arrays.add_column(columns, name, [arrays.array_of(cell) for cell in value])
            continue
        flat, count = arrays.flatten(value)
        arrays.add_columns(columns, name, _plain(flat), len(flat) // count, known, arrays=hints.arrays)
    if len(counts) != 1:
        raise SkipExchangeError("row_mismatch")
    return Rows(columns, counts.pop())


def _repeat_scalars(tree: dict[str, Any], hints: Hints) -> dict[str, Any]:
    """Return columns in which a scalar beside lists, such as a dropout rate, holds for every row."""
    kinds = set(map(type, tree.values()))
    if kinds == {list} or dict in kinds:
        return tree
    count = next(len(value) for value in tree.values() if type(value) is list)
    arrays.require_rows(count)
    arrays.require_room(count * sum(type(value) is not list for value in tree.values()), hints)
    return {name: value if type(value) is list else [value] * count for name, value in tree.items()}


def _objects_in_columns(tree: dict[str, Any], known: tuple[str, ...], hints: Hints) -> Rows:
    if not all(type(value) is list for value in tree.values()) or len(set(map(len, tree.values()))) != 1:
        raise SkipExchangeError("row_mismatch")
    arrays.require_rows(max(map(len, tree.values())))
    return _named_rows(
        [dict(zip(tree, cells, strict=True)) for cells in zip(*tree.values(), strict=True)], known, hints
    )


def _is_base64(value: object) -> bool:
    return type(value) is dict and value.keys() == {"b64"} and type(value["b64"]) is str


def _plain(values: list[Any]) -> list[object]:
    return [_unwrap(value) for value in values] if dict in map(type, values) else values


def _unwrap(value: Any) -> object:
    if not _is_base64(value):
        return value
    try:
        return base64.b64decode(value["b64"], validate=True).decode("utf-8", "backslashreplace")
    except (binascii.Error, ValueError):
        return value["b64"]
