"""The table of protocols, and `decode`, the only entry point of this package.

`decode` runs on the worker thread for every record. It must not raise, and its cost must stay within the allowance.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Protocol

import msgspec
import numpy as np

from ...channel.record import EVENT_STREAM, REQUEST_TRUNCATED, RESPONSE_TRUNCATED, Record
from ...report.problems import REASONS
from ...settings.jsonpath import JsonPath
from ...wire.headers import Headers
from ..defects import log_defect
from . import arrays, headers, mlflow, oip, own_json, v1
from . import cloudevents as events
from .allowance import Allowance
from .content import decompress, parse
from .targets import RequestTarget, parse_target
from .types import (
    Body,
    Cells,
    DecodedBody,
    DecodedExchange,
    Hints,
    OwnJson,
    Rows,
    SkipExchangeError,
    SkippedExchange,
)


class Codec(Protocol):
    """The functions that the module of a protocol provides."""

    def decode_request(self, body: Body, hints: Hints) -> DecodedBody:
        """Return the rows of a request body; raise SkipExchangeError if it cannot be decoded."""

    def decode_response(self, body: Body, hints: Hints) -> DecodedBody:
        """Return the rows of a response body; raise SkipExchangeError if it cannot be decoded."""


PROTOCOLS: Mapping[str, Codec] = MappingProxyType({"json": own_json, "mlflow": mlflow, "oip": oip, "v1": v1})


class _ProtocolKeys(msgspec.Struct, gc=False):
    dataframe_records: msgspec.Raw = msgspec.Raw()
    dataframe_split: msgspec.Raw = msgspec.Raw()
    inputs: msgspec.Raw = msgspec.Raw()
    instances: msgspec.Raw = msgspec.Raw()


_ERROR_NAME = re.compile(
    r"(?:details?|errors?|exception|fault|message|msg|reason|status|(?:error|status)?[_-]?code|error[_-]?message)"
    r"(?:[.\[].*)?",
    re.IGNORECASE | re.DOTALL,
)
_SKIPS = {reason: SkippedExchange(reason) for reason in REASONS}
_SNIFF = msgspec.json.Decoder(_ProtocolKeys)
_ANY_OBJECT = msgspec.json.Decoder(dict[str, Any])


def decode(record: Record, hints: Hints, allowance: Allowance | None = None) -> DecodedExchange | SkippedExchange:
    """Return the rows of `record`, or the reason why it is skipped. Never raises an exception.

    What its bodies are expected to cost is drawn from `allowance`; None has no bound.
    """
    try:
        return _decode(record, hints, allowance or Allowance())
    except SkipExchangeError as skipped:
        return _SKIPS[skipped.reason]
    except RecursionError:
        return _SKIPS["too_deep"]
    except MemoryError:
        return _SKIPS["decode_budget"]
    except Exception as error:  # a defect in a decoder must not end the worker thread
        log_defect("decoding an exchange failed", error)
        return _SKIPS["decoder_error"]


def _decode(record: Record, hints: Hints, allowance: Allowance) -> DecodedExchange:
    target = parse_target(record.target)
    _require_inference(record, target, hints)
    request_headers, response_headers = Headers(record.request_headers), Headers(record.response_headers)
    body = _body(record.request_body, request_headers, hints, allowance)
    if allowance.cells < hints.most_added:
        hints = msgspec.structs.replace(hints, most_added=allowance.cells)
    protocol = hints.protocol if hints.protocol != "auto" else target.protocol or _sniff(body)
    codec = PROTOCOLS[protocol]
    request = codec.decode_request(body, _with_binary_room(body, hints, allowance))
    _require_names(request)
    response, reason = _response(record, response_headers, codec, request.rows.count, hints, allowance)
    request_id, response_id = _ids(request_headers, response_headers, request.request_id or body.event_id, response)
    return DecodedExchange(
        target.model or (response and response.model) or hints.model,
        target.version or (response and response.version) or None,
        protocol,
        request.rows,
        _match_single(response.rows, hints) if response else None,
        reason,
        request_id,
        response_id,
        allowance.size,
    )


def _ids(
    request_headers: Headers, response_headers: Headers, own: str | None, response: DecodedBody | None
) -> tuple[str | None, str | None]:
    """Return the two ids that labels may use: the id of the request, and a different id of the response.

    `own` is the id in the request body. Without an id of the request, the first id is that of the response, otherwise
    the trace id.
    """
    first = own or headers.request_id(request_headers)
    second = (response and response.request_id) or headers.request_id(response_headers)
    first = first or second or headers.trace_id(request_headers)
    first, second = first and first[: headers.MAX_ID_LENGTH], second and second[: headers.MAX_ID_LENGTH]
    return first or None, second if second and second != first else None


def _require_inference(record: Record, target: RequestTarget, hints: Hints) -> None:
    if hints.protocol == "json":
        paths = hints.own.paths
        expected = not paths or any(path.matches(target) for path in paths)
    else:
        expected = target.inference and record.method == "POST"
    if not expected:
        raise SkipExchangeError("not_inference")
    if hints.model and target.model and target.model != hints.model:
        raise SkipExchangeError("other_model")
    if not 200 <= record.status < 300:
        raise SkipExchangeError("error_status")
    if record.flags & REQUEST_TRUNCATED:
        raise SkipExchangeError("truncated")


def _body(raw: bytes, fields: Headers, hints: Hints, allowance: Allowance, rows: int | None = None) -> Body:
    if not raw:
        raise SkipExchangeError("empty_body")
    coding = fields.get(headers.CONTENT_ENCODING)
    if coding is not None:
        raw = decompress(raw, coding, hints.body_limit, allowance.room)
    if len(raw) > hints.body_limit:
        raise SkipExchangeError("body_too_large")
    allowance.spend(raw)
    if fields.begins(headers.CONTENT_TYPE, events.STRUCTURED):
        return msgspec.structs.replace(events.unwrap_event(raw, fields), rows=rows)
    size = fields.get(headers.JSON_SIZE)
    if size is None:
        return Body(raw, fields, rows=rows)
    if not (size.isascii() and size.isdigit() and len(size) < 12 and int(size) <= len(raw)):
        raise SkipExchangeError("binary_layout")
    return Body(raw, fields, int(size), rows=rows)


def _with_binary_room(body: Body, hints: Hints, allowance: Allowance) -> Hints:
    if body.json_size is None:
        return hints
    return msgspec.structs.replace(hints, most_binary=allowance.binary_values)


def _require_names(body: DecodedBody) -> None:
    """Raise SkipExchangeError if the name of a column is too long: the names of unknown columns are kept and shown."""
    names, limit = body.rows.columns, arrays.MAX_NAME_LENGTH
    if len("".join(names)) > limit and max(map(len, names)) > limit:  # the first condition takes a third of the time
        raise SkipExchangeError("name_too_long")


def _response(
    record: Record, fields: Headers, codec: Codec, count: int, hints: Hints, allowance: Allowance
) -> tuple[DecodedBody | None, str | None]:
    if record.flags & EVENT_STREAM:
        return None, "event_stream"
    if record.flags & RESPONSE_TRUNCATED:
        return None, "truncated"
    try:
        body = _body(record.response_body, fields, hints, allowance, count)
        part = codec.decode_response(body, _with_binary_room(body, hints, allowance))
        _require_names(part)
    except SkipExchangeError as skipped:
        return None, skipped.reason
    return (part, None) if part.rows.count == count else (None, "row_mismatch")


def _match_single(rows: Rows, hints: Hints) -> Rows:
    """Give the only column of a response the name of the reference's only prediction column, whatever its name is.

    The name of an input is kept: such a column repeats the request. The name of an error is kept: such a response has
    no prediction. A column of arrays keeps its name where the reference has single values, and the reverse.
    """
    if len(rows.columns) != 1 or len(hints.outputs) != 1:
        return rows
    ((name, cells),) = rows.columns.items()
    known = hints.outputs[0]
    if name == known or name in hints.inputs or _holds_arrays(cells) != (known in hints.arrays):
        return rows
    if _is_error(name, hints.own):
        return rows
    return Rows({known: cells}, rows.count)


def _is_error(name: str, own: OwnJson) -> bool:
    """Return whether servers give this name to errors, such as `error.message`, and the document does not name it."""
    asked = own.predictions or ()
    names = (asked.name,) if isinstance(asked, JsonPath) else [column for column, _ in asked]
    return name not in names and _ERROR_NAME.fullmatch(name) is not None


def _holds_arrays(cells: Cells) -> bool:
    if isinstance(cells, np.ndarray):
        return cells.ndim > 1
    return any(isinstance(cell, (list, np.ndarray)) for cell in cells)


def _sniff(body: Body) -> str:
    text = body.raw if body.json_size is None else body.raw[: body.json_size]
    try:
        found = parse(_SNIFF, text, body.headers)
    except SkipExchangeError as skipped:
        if skipped.reason != "wrong_structure":
            raise
        found = _sniff_leniently(text, body.headers)
    if bytes(found.dataframe_split) or bytes(found.dataframe_records):
        return "mlflow"
    if bytes(found.instances):
        return "v1"
    if not bytes(found.inputs):
        raise SkipExchangeError("unknown_protocol")
    return "oip" if _are_tensors(bytes(found.inputs)) else "v1"


def _are_tensors(inputs: bytes) -> bool:
    """Return whether `inputs` is a list of objects, as tensors are, and not of rows, as MLflow accepts."""
    return inputs[:1] == b"[" and inputs[1:].lstrip()[:1] == b"{" and b'"datatype"' in inputs


def _sniff_leniently(text: bytes, fields: Headers) -> _ProtocolKeys:
    """Return the keys of a body with NaN or Infinity, which `msgspec.Raw` refuses; each with its first bytes."""
    try:
        tree = parse(_ANY_OBJECT, text, fields)
    except SkipExchangeError:  # a list or a scalar has no keys
        raise SkipExchangeError("unknown_protocol") from None
    named = {name: tree[name] for name in _ProtocolKeys.__struct_fields__ if name in tree}
    return _ProtocolKeys(
        **{name: msgspec.Raw(b'[{"datatype"' if _begins_with_tensor(value) else b"[") for name, value in named.items()}
    )


def _begins_with_tensor(value: object) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict) and "datatype" in value[0]
