"""The parts of a request line and of headers that decoding needs: the path, and the ids of the exchange."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from ...wire.headers import Headers

CONTENT_TYPE = "content-type"
CONTENT_ENCODING = "content-encoding"
JSON_SIZE = "inference-header-content-length"
REQUEST_IDS = ("x-request-id", "ce-id")
TRACE = "traceparent"
MAX_CACHED_TARGET = 512
MAX_ID_LENGTH = 128

_TARGETS = (
    ("oip", re.compile(r"/v2/models/([^/]+)(?:/versions/([^/]+))?/infer/?\Z")),
    ("v1", re.compile(r"/v1/models/([^/:]+)(?:/(?:versions|labels)/([^/:]+))?:predict\Z")),
)
_TRACE = re.compile(r"[0-9a-f]{2}-(?P<trace>[0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?\Z")
_ADMINISTRATIVE = re.compile(
    r"/v[12]/(?:models|health|repository|logging|trace|systemsharedmemory|cudasharedmemory)\b|/v2/?\Z",
    re.ASCII,
)


class RequestTarget(NamedTuple):
    """The parts of a path: protocol ("" when it names none), model, version, and whether it may be an inference."""

    protocol: str
    model: str
    version: str | None
    inference: bool


def parse_target(target: str) -> RequestTarget:
    """Return the parts of a request-target."""
    return _known_target(target) if len(target) <= MAX_CACHED_TARGET else _parse_target(target)


def request_id(headers: Headers) -> str | None:
    """Return the id that a header gives the exchange: X-Request-Id, else the CloudEvents id."""
    for name in REQUEST_IDS:
        value = headers.get(name)
        if value:
            return value[:MAX_ID_LENGTH]
    return None


def trace_id(headers: Headers) -> str | None:
    """Return the trace id of a W3C traceparent; the last resort, since a trace may have several exchanges."""
    value = headers.get(TRACE)
    found = _TRACE.match(value) if value else None
    return found["trace"] if found else None


def _parse_target(target: str) -> RequestTarget:
    path = target.partition("?")[0]
    for protocol, pattern in _TARGETS:
        found = pattern.search(path)
        if found:
            model, version = (None if part is None else _text(part) for part in found.groups())
            return RequestTarget(protocol, model or "", version, True)
    return RequestTarget("", "", None, not _ADMINISTRATIVE.search(path))


_known_target = lru_cache(1024)(_parse_target)


def _text(part: str) -> str:
    return unquote_to_bytes(part.encode("latin-1")).decode("utf-8", "replace")
