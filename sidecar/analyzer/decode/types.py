"""Input and output types of the decoders. `report/problems.py` has the table of reasons for a skip."""

from __future__ import annotations

import sys
from typing import Any, Literal, TypeAlias

import msgspec
from numpy.typing import NDArray

from ...settings.jsonpath import JsonPath
from ...wire.headers import Headers
from .targets import PathPattern

MIB = 1024 * 1024
MAX_ADDED = 1024 * 1024  # cells that stand for values which the body does not hold, or holds once for all rows

Protocol = Literal["auto", "json", "mlflow", "oip", "v1"]

Columns: TypeAlias = tuple[tuple[str, JsonPath], ...]  # the path of each column, by name


class OwnJson(msgspec.Struct, frozen=True, kw_only=True):
    """What `spec.traffic.decode` specifies: where the values are in a JSON body. The default is the whole body.

    Attributes:
        rows: the path of the rows in the request, or one path for each input column.
        one_row: whether the value at `rows` is always one row.
        names: the path of the column names in the request, for rows that are lists.
        predictions: the same for the response; None if predictions are not read.
        id: the path of the id of the exchange, in the request or the response.
        paths: the requests to decode; empty for all.
    """

    rows: JsonPath | Columns = JsonPath()
    one_row: bool = False
    names: JsonPath | None = None
    predictions: JsonPath | Columns | None = JsonPath()
    id: JsonPath | None = None
    paths: tuple[PathPattern, ...] = ()


class Hints(msgspec.Struct, frozen=True, kw_only=True):
    """What the document and the profile in force specify before decoding.

    Attributes:
        protocol: the protocol of all exchanges; "auto" detects it from path and body.
        model: the model name of the document. An exchange with a different model in its path is skipped. "" accepts
            every model.
        inputs: the input columns of the reference that the model is sent, in order, for requests without names.
        other_inputs: other orders of them, for requests of another width; see `Profile.input_orders`.
        outputs: the prediction columns of the reference, in order.
        arrays: the columns of both that hold an array or a list per row, and stay one column.
        body_limit: the maximum size of one body in bytes, after decompression.
        own: the paths of the protocol "json".
        most_added: the number of cells that may be added to the values of a body; the allowance sets it.
        most_binary: the number of values of binary tensors that may become single columns; the allowance sets it.
    """

    protocol: Protocol = "auto"
    model: str = ""
    inputs: tuple[str, ...] = ()
    other_inputs: tuple[tuple[str, ...], ...] = ()
    outputs: tuple[str, ...] = ()
    arrays: frozenset[str] = frozenset()
    body_limit: int = 2 * MIB
    own: OwnJson = OwnJson()
    most_added: int = MAX_ADDED
    most_binary: int = sys.maxsize

    def named_by(self, known: tuple[str, ...], width: int) -> tuple[str, ...]:
        """Return the columns that name `width` values of a row by position.

        They are the first order of the inputs that fits, or else an order of a single array; `known` if none does. The
        columns of responses have one order.
        """
        if known is not self.inputs or len(known) == width or self._is_array(known):
            return known
        fitting = (other for other in self.other_inputs if len(other) == width)
        return next(fitting, None) or next(filter(self._is_array, self.other_inputs), known)

    def _is_array(self, order: tuple[str, ...]) -> bool:
        return len(order) == 1 and order[0] in self.arrays


Cells: TypeAlias = list[object] | NDArray[Any]
ARRAY_KINDS = "fiub"  # numpy's kinds of numbers: float, integer, unsigned, boolean


class Rows(msgspec.Struct, frozen=True, gc=False):
    """Decoded rows as named columns.

    Attributes:
        columns: `columns[name][row]`; each column has `count` entries, and None is a missing value. A column of arrays
            is a numpy array [count, numbers per row], or a list of arrays and lists if rows differ in shape. Other
            values keep the type of the JSON: number, text, boolean, rarely an object.
        count: the number of rows.
    """

    columns: dict[str, Cells]
    count: int


class DecodedExchange(msgspec.Struct, frozen=True, gc=False):
    """One exchange as rows.

    Attributes:
        model: the name in path, body or document; "" without one.
        version: the version in path or body; None without one.
        protocol: a key of `PROTOCOLS`.
        inputs: the rows of the request.
        outputs: the rows of the response; None if it has no rows that match the inputs.
        outputs_reason: a key of `REASONS` if `outputs` is None.
        request_id: the id of the request, otherwise of the response, otherwise of the trace.
        response_id: the id of the response, if it differs from `request_id`.
        size: the bytes of both bodies after decompression.
    """

    model: str
    version: str | None
    protocol: str
    inputs: Rows
    outputs: Rows | None
    outputs_reason: str | None
    request_id: str | None
    response_id: str | None = None
    size: int = 0


class SkippedExchange(msgspec.Struct, frozen=True):
    """An exchange that is counted but not measured; `reason` is a key of `REASONS`."""

    reason: str


class Body(msgspec.Struct, frozen=True, gc=False):
    """A decompressed body, with the headers of its message.

    Attributes:
        raw: the bytes of the body.
        headers: the headers of the message.
        json_size: the length of the JSON part in bytes if a binary part follows, otherwise None.
        event_id: the id of the CloudEvent that contained the body.
        rows: the number of rows of the request if this is the body of a response, otherwise None.
    """

    raw: bytes
    headers: Headers
    json_size: int | None = None
    event_id: str | None = None
    rows: int | None = None


class DecodedBody(msgspec.Struct, frozen=True, gc=False):
    """The contents of one request or response body."""

    rows: Rows
    request_id: str | None = None
    model: str | None = None
    version: str | None = None


class SkipExchangeError(Exception):
    """Ends the decoding of one body. `decode` catches it; callers of this package never see it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
