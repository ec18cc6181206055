"""Read what decoding needs from the request-target and the headers: protocol, model, version, and ids.

`registry.py` calls this module first. It must not read any other header: the documentation lists the headers that
Pilotfish reads.
"""

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
    """The parts of a path that identify an inference request.

    Attributes:
        protocol: the protocol of the path, or "" if the path does not identify one.
        model: the model, or "".
        version: the version or label of the model, or None.
        inference: False for paths of metadata, health and administration.
    """

    protocol: str
    model: str
    version: str | None
    inference: bool


def parse_target(target: str) -> RequestTarget:
    """Return the parts of a request-target."""
    return _cached_target(target) if len(target) <= MAX_CACHED_TARGET else _parse_target(target)


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


def _parse_target(target: str) -> RequestTarget:
    path = target.partition("?")[0]
    for protocol, pattern in _TARGETS:
        found = pattern.search(path)
        if found:
            model, version = (None if part is None else _unquote(part) for part in found.groups())
            return RequestTarget(protocol, model or "", version, True)
    return RequestTarget("", "", None, not _ADMINISTRATIVE.search(path))


_cached_target = lru_cache(1024)(_parse_target)


def _unquote(part: str) -> str:
    return unquote_to_bytes(part.encode("latin-1")).decode("utf-8", "replace")
