"""Build records from two bodies, for the tests of the decoders."""

from __future__ import annotations

import json
from typing import Any

from pilotfish.sidecar.analyzer.decode import DecodedExchange, Hints, SkippedExchange, decode
from pilotfish.sidecar.channel.record import Record
from tests.support.records import make_record

OIP_PATH = "/v2/models/m/infer"
V1_PATH = "/v1/models/m:predict"
ANSWERS = {
    OIP_PATH: b'{"outputs":[{"name":"p","shape":[1],"datatype":"FP32","data":[0.5]}]}',
    V1_PATH: b'{"predictions":[0.5]}',
}


def record(
    request: Any,
    response: Any = None,
    *,
    path: str = OIP_PATH,
    method: str = "POST",
    status: int = 200,
    flags: int = 0,
    request_headers: str = "Content-Type: application/json\r\n",
    response_headers: str = "Content-Type: application/json\r\n",
) -> Record:
    """Return the record of one exchange. Bodies that are not bytes are encoded as JSON."""
    request_body = request if isinstance(request, bytes) else json.dumps(request).encode()
    answer = ANSWERS.get(path, b"{}") if response is None else response
    response_body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    return make_record(
        1,
        request_body,
        response_body,
        status=status,
        flags=flags,
        method=method,
        target=path,
        route=path,
        request_headers=f"Host: model\r\n{request_headers}".encode("latin-1"),
        response_headers=response_headers.encode("latin-1"),
    )


def decoded(request: Any, response: Any = None, hints: Hints | None = None, **more: Any) -> DecodedExchange:
    """Assert that the exchange can be decoded, and return it."""
    found = decode(record(request, response, **more), hints or Hints())
    assert isinstance(found, DecodedExchange), found
    return found


def reason(request: Any, response: Any = None, hints: Hints | None = None, **more: Any) -> str:
    """Assert that the exchange is skipped, and return the reason."""
    found = decode(record(request, response, **more), hints or Hints())
    assert isinstance(found, SkippedExchange), found
    return found.reason


def tensor(name: str, shape: list[int], data: Any, datatype: str = "FP64", **more: Any) -> dict[str, Any]:
    """Return one tensor of the Open Inference Protocol."""
    return {"name": name, "shape": shape, "datatype": datatype, "data": data, **more}
