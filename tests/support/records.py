"""Records as a proxy would hand them over, for the tests of everything that reads them."""

from __future__ import annotations

from typing import Any

from pilotfish.sidecar.channel.record import Record

HEADERS = b"Host: model\r\nContent-Type: application/json\r\n"


def make_record(sequence: int = 1, request: bytes = b"", response: bytes = b"", **fields: Any) -> Record:
    """Return the record of a POST with these bodies; `fields` replace any of its fields."""
    made = Record(
        sequence=sequence,
        at_ns=1,
        first_byte_ns=1000,
        duration_ns=2000,
        status=200,
        flags=0,
        request_bytes=len(request),
        response_bytes=len(response),
        listener=0,
        protocol="http/1.1",
        method="POST",
        target="/v2/models/m/infer",
        route="POST /v2/models/m/infer",
        request_headers=HEADERS,
        request_body=request,
        request_trailers=b"",
        response_headers=HEADERS,
        response_body=response,
        response_trailers=b"",
    )
    return made._replace(**fields)
