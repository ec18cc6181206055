"""KServe v1 and TensorFlow Serving over REST: `instances` row by row, or `inputs` column by column.

Source: https://www.tensorflow.org/tfx/serving/api_rest. A row is a scalar, a list (nested ones are flattened) or an
object of named values; the column form is an object of named lists, or one list. Columns without a name take the
profile's by position, else `inputs[i]` and `predictions[i]`. {"b64": ...} stands for the text that it encodes.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

import msgspec

from pilotfish.sidecar.analyzer.decode import arrays
from pilotfish.sidecar.analyzer.decode.content import parse, require_unique_keys
from pilotfish.sidecar.analyzer.decode.types import Body, DeclineError, Part, Rows

Tree = list[Any] | dict[str, Any] | None


class Request(msgspec.Struct, gc=False):
    """A prediction request in either form."""

    instances: list[Any] | None = None
    inputs: Tree = None
    signature_name: str | None = None


class Response(msgspec.Struct, gc=False):
    """A prediction response in either form."""

    predictions: Tree = None
    outputs: Tree = None


_REQUEST = msgspec.json.Decoder(Request)
_RESPONSE = msgspec.json.Decoder(Response)


def decode_request(body: Body, known: tuple[str, ...]) -> Part:
    """Return the rows of a request; `known` are the reference's input columns."""
    request = parse(_REQUEST, body.raw, body.head)
    tree = _either(body.raw, request.instances, request.inputs, int(request.signature_name is not None))
    return Part(_rows(tree, "inputs", known))


def decode_response(body: Body, known: tuple[str, ...]) -> Part:
    """Return the rows of a response; `known` are the reference's prediction columns."""
    response = parse(_RESPONSE, body.raw, body.head)
    return Part(_rows(_either(body.raw, response.predictions, response.outputs, 0), "predictions", known))


def _either(body: bytes, rows: Tree, columns: Tree, keys: int) -> list[Any] | dict[str, Any]:
    if (rows is None) == (columns is None):
        raise DeclineError("wrong_structure")
    tree = rows or columns or []
    if type(tree) is list:
        keys += sum(len(row) for row in tree if type(row) is dict)
    else:
        keys += len(tree)
    require_unique_keys(body, keys + 1)
    return tree


def _rows(tree: list[Any] | dict[str, Any], base: str, known: tuple[str, ...]) -> Rows:
    if not tree:
        raise DeclineError("no_rows")
    if isinstance(tree, dict):
        return _column_form(tree)
    kinds = set(map(type, tree))
    if dict not in kinds:
        return _matrix(tree, base, known)
    if all(map(_is_base64, tree)):
        return _matrix(_plain(tree), base, known)
    if kinds != {dict}:
        raise DeclineError("ragged")
    return _completed(_named_rows(tree), known)


def _matrix(tree: list[Any], base: str, known: tuple[str, ...]) -> Rows:
    columns: dict[str, list[object]] = {}
    flat, count = arrays.flatten(tree)
    width = len(flat) // count
    if not width:
        raise DeclineError("no_rows")
    arrays.add_columns(columns, base, _plain(flat), width, known)
    return Rows(columns, count)


def _named_rows(rows: list[dict[str, Any]]) -> Rows:
    names = dict.fromkeys(rows[0]) if len(rows) == 1 else dict.fromkeys(name for row in rows for name in row)
    if len(names) > arrays.MOST_COLUMNS or len(names) * len(rows) > arrays.MOST_CELLS:
        raise DeclineError("too_many_values")
    if len(rows) == 1 and {list, dict}.isdisjoint(map(type, rows[0].values())):
        return Rows({name: [value] for name, value in rows[0].items()}, 1)
    columns: dict[str, list[object]] = {}
    for name in names:
        _add_cells(columns, name, [row.get(name) for row in rows])
    return Rows(columns, len(rows))


def _completed(rows: Rows, known: tuple[str, ...]) -> Rows:
    """A key that no row of a request has is as missing as one that some of its rows lack."""
    columns = rows.columns
    lacking = [name for name in known if name not in columns]
    if 0 < len(lacking) < len(known):
        columns.update((name, [None] * rows.count) for name in lacking)
    return rows


def _add_cells(columns: dict[str, list[object]], name: str, cells: list[Any]) -> None:
    """Add one named value of each row: a scalar, or a list of one length for all rows that have it."""
    kinds = set(map(type, cells))
    if list not in kinds:
        arrays.add_columns(columns, name, _plain(cells), 1)
        return
    flat = [[cell] if cell is None else arrays.flatten(cell if type(cell) is list else [cell])[0] for cell in cells]
    widths = {len(row) for row, cell in zip(flat, cells, strict=True) if cell is not None}
    if len(widths) != 1:
        raise DeclineError("ragged")
    width = widths.pop()
    if width * len(cells) > arrays.MOST_CELLS:
        raise DeclineError("too_many_values")
    absent: list[object] = [None] * width
    whole = [value for row, cell in zip(flat, cells, strict=True) for value in (absent if cell is None else row)]
    arrays.add_columns(columns, name, _plain(whole), width)


def _column_form(tree: dict[str, Any]) -> Rows:
    columns: dict[str, list[object]] = {}
    if not any(type(value) is list for value in tree.values()):
        return _named_rows([tree])
    counts = set()
    for name, value in tree.items():
        if type(value) is not list or not value:
            raise DeclineError("row_mismatch" if value else "no_rows")
        flat, count = arrays.flatten(value)
        counts.add(count)
        width = len(flat) // count
        arrays.add_columns(columns, name, _plain(flat), width)
    if len(counts) != 1:
        raise DeclineError("row_mismatch")
    return Rows(columns, counts.pop())


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
