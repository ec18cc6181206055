"""The little of a head that decoding needs: the path, and a header at a time, by name. Everything else stays unread."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

CONTENT_TYPE = b"\ncontent-type:"
CONTENT_ENCODING = b"\ncontent-encoding:"
JSON_SIZE = b"\ninference-header-content-length:"
REQUEST_IDS = (b"\nx-request-id:", b"\nce-id:")
TRACE = b"\ntraceparent:"
LONGEST_LINE = 512
LONGEST_ID = 128

_TARGETS = (
    ("oip", re.compile(rb"/v2/models/([^/]+)(?:/versions/([^/]+))?/infer/?\Z")),
    ("v1", re.compile(rb"/v1/models/([^/:]+)(?:/(?:versions|labels)/([^/:]+))?:predict\Z")),
)
_TRACE = re.compile(r"[0-9a-f]{2}-(?P<trace>[0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?\Z")
_ADMINISTRATIVE = re.compile(
    rb"/v[12]/(?:models|health|repository|logging|trace|systemsharedmemory|cudasharedmemory)\b|/v2/?\Z"
)


class Target(NamedTuple):
    """What a path says: protocol ("" when it tells none), model, version, and whether it may be an inference."""

    protocol: str
    model: str
    version: str | None
    inference: bool


def target(head: bytes) -> Target:
    """Return what the request line of `head` points at."""
    line = head[: head.find(b"\n")]
    return _known_target(line) if len(line) <= LONGEST_LINE else _target(line)


def header(head: bytes, lowered: bytes, name: bytes) -> str | None:
    """Return the value of the first header `name`, one of the constants above; `lowered` is `head.lower()`."""
    at = lowered.find(name)
    if at < 0:
        return None
    at += len(name)
    return head[at : head.find(b"\n", at)].strip().decode("latin-1")


def request_id(head: bytes, lowered: bytes) -> str | None:
    """Return the id that a header gives the exchange: X-Request-Id, else the CloudEvents id."""
    for name in REQUEST_IDS:
        value = header(head, lowered, name)
        if value:
            return value[:LONGEST_ID]
    return None


def trace_id(head: bytes, lowered: bytes) -> str | None:
    """Return the trace id of a W3C traceparent: one exchange a trace is taken for granted, so it is the last resort."""
    value = header(head, lowered, TRACE)
    found = _TRACE.match(value) if value else None
    return found["trace"] if found else None


def _target(line: bytes) -> Target:
    path = line.split(b" ", 2)[1].partition(b"?")[0] if b" " in line else b""
    for protocol, pattern in _TARGETS:
        found = pattern.search(path)
        if found:
            model, version = (None if part is None else _text(part) for part in found.groups())
            return Target(protocol, model or "", version, True)
    return Target("", "", None, not _ADMINISTRATIVE.search(path))


_known_target = lru_cache(1024)(_target)


def _text(part: bytes) -> str:
    return unquote_to_bytes(part).decode("utf-8", "replace")
