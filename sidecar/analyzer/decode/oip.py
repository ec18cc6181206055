"""Decode Open Inference Protocol v2 over REST: JSON tensors, and the binary-data extension of `binary.py`.

A tensor [n] or [n, 1] is one column. A tensor [n, d] or deeper is d columns, or one column of arrays (`arrays.py`). The
names of the d columns are the first of these: the parameter `names` of the tensor (a list, or separated by commas), the
profile by position if there is only one tensor, `name[i]`.

Keep the fast path in `_one_row`: most requests hold one value per tensor.
Source: section "Inference" of https://github.com/kserve/open-inference-protocol.
"""

from __future__ import annotations

from math import prod
from typing import Any

import msgspec

from . import arrays, binary
from .content import parse, require_unique_keys
from .types import Body, Cells, DecodedBody, Hints, Rows, SkipExchangeError

LARGEST_DIMENSION = 2**31
_NAMED = frozenset(("names", "columns", "feature_names"))
_ONE = [1]
_DATATYPES = frozenset(binary.DATATYPES)


class Tensor(msgspec.Struct, gc=False):
    """One tensor of the JSON part. `data` is None if the values are in the binary part or in shared memory."""

    name: str
    shape: list[int]
    datatype: str
    data: list[Any] | None = None
    parameters: dict[str, Any] | None = None


class InferenceRequest(msgspec.Struct, gc=False):
    """An inference request."""

    inputs: list[Tensor]
    id: str | None = None
    parameters: dict[str, Any] | None = None
    outputs: list[dict[str, Any]] | None = None


class InferenceResponse(msgspec.Struct, gc=False):
    """An inference response."""

    outputs: list[Tensor]
    id: str | None = None
    model_name: str | None = None
    model_version: str | None = None
    parameters: dict[str, Any] | None = None


_REQUEST = msgspec.json.Decoder(InferenceRequest)
_RESPONSE = msgspec.json.Decoder(InferenceResponse)


def decode_request(body: Body, hints: Hints) -> DecodedBody:
    """Return rows and id of a request body; raise SkipExchangeError if it cannot be decoded."""
    text, tail = _split(body)
    request = parse(_REQUEST, text, body.headers)
    keys = 1 + (request.id is not None) + _keys(request.parameters)
    if request.outputs is not None:
        keys += 1 + sum(len(output) + len(output.get("parameters", ())) for output in request.outputs)
    require_unique_keys(text, keys + _tensor_keys(request.inputs))
    return DecodedBody(_rows(request.inputs, tail, hints.inputs, hints), request.id)


def decode_response(body: Body, hints: Hints) -> DecodedBody:
    """Return rows, id, model and version of a response body; raise SkipExchangeError if it cannot be decoded."""
    text, tail = _split(body)
    response = parse(_RESPONSE, text, body.headers)
    given = (response.id, response.model_name, response.model_version)
    keys = 4 - given.count(None) + _keys(response.parameters)
    require_unique_keys(text, keys + _tensor_keys(response.outputs))
    repeats_input = len(response.outputs) == 1 and response.outputs[0].name in hints.inputs
    rows = _rows(response.outputs, tail, () if repeats_input else hints.outputs, hints)
    return DecodedBody(rows, response.id, response.model_name, response.model_version)


def _split(body: Body) -> tuple[bytes, bytes | None]:
    raw, size = body.raw, body.json_size
    return (raw, None) if size is None else (raw[:size], raw[size:])


def _rows(tensors: list[Tensor], tail: bytes | None, known: tuple[str, ...], hints: Hints) -> Rows:
    by_position = len(tensors) == 1
    columns = _one_row(tensors)
    if 0 < len(tensors) == len(columns) <= arrays.MAX_COLUMNS and not tail:
        return Rows({known[0]: columns[tensors[0].name]} if by_position and len(known) == 1 else columns, 1)
    if not tensors:
        raise SkipExchangeError("no_rows")
    if len(tensors) > arrays.MAX_COLUMNS:
        raise SkipExchangeError("too_many_values")
    if tail:
        _require_budget(tensors, hints)
    columns = {}
    count = tensors[0].shape[0] if tensors[0].shape else -1
    at = 0
    for tensor in tensors:
        data: Cells | None = tensor.data
        if data is None:
            data, at = _binary(tensor, tail, at)
        flat = arrays.flatten(data)[0] if isinstance(data, list) else data
        width = _width(tensor, len(flat), count)
        arrays.add_columns(
            columns,
            tensor.name,
            flat,
            width,
            hints.named_by(known, width) if by_position else known,
            _column_names(tensor),
            by_position=by_position,
            arrays=hints.arrays,
        )
    if tail is not None and at != len(tail):
        raise SkipExchangeError("binary_layout")
    return Rows(columns, count)


def _one_row(tensors: list[Tensor]) -> dict[str, Cells]:
    """Return one column for each tensor with shape [1] and without names of its own: the fast path."""
    return {
        tensor.name: tensor.data
        for tensor in tensors
        if tensor.shape == _ONE
        and tensor.data is not None
        and len(tensor.data) == 1
        and type(tensor.data[0]) is not list
        and tensor.datatype in _DATATYPES
        and (tensor.parameters is None or _NAMED.isdisjoint(tensor.parameters))
    }


def _width(tensor: Tensor, values: int, count: int) -> int:
    """Return the number of values per row of a tensor.

    Args:
        tensor: its shape and datatype are checked.
        values: the number of values that the tensor holds.
        count: the number of rows of the body.
    """
    if tensor.datatype not in _DATATYPES:
        raise SkipExchangeError("datatype")
    size = _size(tensor.shape)
    if values != size:
        raise SkipExchangeError("shape_mismatch")
    if tensor.shape[0] != count:
        raise SkipExchangeError("row_mismatch")
    if not size:
        raise SkipExchangeError("no_rows")
    arrays.require_rows(count)
    return size // count


def _column_names(tensor: Tensor) -> object:
    """Return the column names in the parameters of a tensor, or None."""
    if tensor.parameters is None:
        return None
    return next((value for key, value in tensor.parameters.items() if key in _NAMED), None)


def _require_budget(tensors: list[Tensor], hints: Hints) -> None:
    """Raise SkipExchangeError if the binary tensors have more values than the allowance covers.

    The bytes do not bound the cost: one byte can be one value. Numbers that stay arrays cost as much as their bytes.
    """
    values = 0
    for tensor in tensors:
        if tensor.data is not None:
            continue
        size = _size(tensor.shape)
        if tensor.datatype == "BYTES" or size <= arrays.MAX_FLAT_WIDTH * tensor.shape[0]:
            values += size
    if values > hints.most_binary:
        raise SkipExchangeError("decode_budget")


def _binary(tensor: Tensor, tail: bytes | None, at: int) -> tuple[Cells, int]:
    parameters = tensor.parameters or {}
    if "shared_memory_region" in parameters:
        raise SkipExchangeError("unreferenced_data")
    length = parameters.get("binary_data_size")
    if tail is None or type(length) is not int or not 0 <= length <= len(tail) - at:
        raise SkipExchangeError("wrong_structure" if length is None else "binary_layout")
    return binary.values(tail[at : at + length], tensor.datatype, _size(tensor.shape)), at + length


def _size(shape: list[int]) -> int:
    if not 1 <= len(shape) <= arrays.MAX_DEPTH or not all(0 <= size < LARGEST_DIMENSION for size in shape):
        raise SkipExchangeError("shape_mismatch")
    return prod(shape)


def _tensor_keys(tensors: list[Tensor]) -> int:
    keys = 4 * len(tensors)
    for tensor in tensors:
        if tensor.data is None:
            keys -= 1
        if tensor.parameters is not None:
            keys += _keys(tensor.parameters)
    return keys


def _keys(parameters: dict[str, Any] | None) -> int:
    return 0 if parameters is None else 1 + len(parameters)
