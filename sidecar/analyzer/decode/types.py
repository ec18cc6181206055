"""What a decoder takes and gives, and the one table of reasons for which it declines."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, Literal, TypeAlias

import msgspec
from numpy.typing import NDArray

from ...wire.headers import Headers

MIB = 1024 * 1024

Protocol = Literal["auto", "mlflow", "oip", "v1"]

REASONS = MappingProxyType(
    {
        "binary_layout": "the sizes of the binary-data extension do not add up to the body",
        "body_too_large": "a body is larger than the limit once its content coding is undone",
        "content_encoding": "the content coding is unknown, or the body is not in it",
        "content_type": "the body is not JSON, and its content type says so",
        "datatype": "a tensor's datatype is not one of the protocol's",
        "decoder_error": "the decoder itself failed or ran out of memory; this is a defect, please report it",
        "duplicate_name": "two tensors, or two keys of one object, have the same name",
        "empty_body": "the body is empty",
        "error_status": "the model did not answer with a 2xx status",
        "event_stream": "the response is a stream of events",
        "invalid_json": "the body is not JSON in UTF-8",
        "no_rows": "the request carries no row",
        "not_inference": "not a request for a prediction: metadata, health, an administrative call, or no POST",
        "other_model": "the path names another model than the document does",
        "ragged": "rows or nested lists differ in length",
        "row_mismatch": "tensors, or request and response, differ in their number of rows",
        "shape_mismatch": "a tensor's data does not fill its shape",
        "too_deep": "lists are nested deeper than any tensor",
        "too_many_values": "more columns or cells than the analyzer takes from one body",
        "truncated": "the body is longer than spec.traffic.bodyLimit, so that only its start was recorded",
        "unknown_protocol": "neither path nor body tells a protocol that has a decoder here",
        "unreferenced_data": "a tensor's data is not in the body (shared memory)",
        "wrong_structure": "the JSON is not built as the protocol says",
    }
)


class Hints(msgspec.Struct, frozen=True, kw_only=True):
    """What the document and the profile in force know beforehand.

    protocol    "auto" tells the protocols apart by path and body
    model       the document's model name; an exchange whose path names another one is declined; "" takes any
    inputs      the reference's input columns in their order, for requests without names
    outputs     the same for predictions
    arrays      those of both that hold an array or a list a row, and stay one column
    body_limit  bytes of one body at most, after its content coding is undone
    """

    protocol: Protocol = "auto"
    model: str = ""
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    arrays: frozenset[str] = frozenset()
    body_limit: int = 2 * MIB


Cells: TypeAlias = list[object] | NDArray[Any]
ARRAY_KINDS = "fiub"  # of numpy's types, those of an array of numbers


class Rows(msgspec.Struct, frozen=True, gc=False):
    """Decoded rows as plain lists, `columns[name][row]`; every list has `count` entries; None is a missing value.

    A column of arrays is a numpy array [count, numbers a row], or a list of arrays and lists where they differ.

    A value is what JSON made of it (number, string, boolean, rarely an object): its type is the encoder's matter.
    """

    columns: dict[str, Cells]
    count: int


class DecodedExchange(msgspec.Struct, frozen=True, gc=False):
    """One exchange as rows.

    `outputs` is None when the response gave none that belong to the inputs; `outputs_reason`, a key of REASONS, says
    why. `request_id` is the id of the request, else of its response, else of its trace; `response_id` another one that
    the response gave. `model` is "" and `version` None where neither path, body nor document names them.
    """

    model: str
    version: str | None
    protocol: str
    inputs: Rows
    outputs: Rows | None
    outputs_reason: str | None
    request_id: str | None
    response_id: str | None = None


class SkippedExchange(msgspec.Struct, frozen=True):
    """An exchange that is counted but not measured; `reason` is a key of REASONS."""

    reason: str


class Body(msgspec.Struct, frozen=True, gc=False):
    """A body without its content coding, and the headers that came with it.

    `json_size` is the length of the JSON part where a binary part follows, else None. `event_id` is that of the event
    that the body came in.
    """

    raw: bytes
    headers: Headers
    json_size: int | None = None
    event_id: str | None = None


class DecodedBody(msgspec.Struct, frozen=True, gc=False):
    """What one body, a request's or a response's, says."""

    rows: Rows
    request_id: str | None = None
    model: str | None = None
    version: str | None = None


class SkipExchangeError(Exception):
    """Ends the decoding of one body; never leaves this package."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
