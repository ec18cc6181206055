"""Read the ids of an exchange from the headers, and name the headers that decoding reads.

Do not read any other header: the documentation lists the headers that Pilotfish reads.
"""

from __future__ import annotations

import re

from ...wire.headers import Headers

CONTENT_TYPE = "content-type"
CONTENT_ENCODING = "content-encoding"
JSON_SIZE = "inference-header-content-length"
REQUEST_IDS = ("x-request-id", "ce-id")
TRACE = "traceparent"
MAX_ID_LENGTH = 128

_TRACE = re.compile(r"[0-9a-f]{2}-(?P<trace>[0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?\Z")


def request_id(headers: Headers) -> str | None:
    """Return the id of the exchange from a header: X-Request-Id, otherwise the CloudEvents id; None without either."""
    for name in REQUEST_IDS:
        value = headers.get(name)
        if value:
            return value[:MAX_ID_LENGTH]
    return None


def trace_id(headers: Headers) -> str | None:
    """Return the trace id of a W3C traceparent. It is the last choice, because a trace may have several exchanges."""
    value = headers.get(TRACE)
    found = _TRACE.match(value) if value else None
    return found["trace"] if found else None
