"""Read what decoding needs from the request-target and the headers: protocol, model, version, and ids.

`registry.py` calls this module first. It must not read any other header: the documentation lists the headers that
Pilotfish reads.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

import msgspec

from ...wire.headers import Headers

CONTENT_TYPE = "content-type"
CONTENT_ENCODING = "content-encoding"
JSON_SIZE = "inference-header-content-length"
REQUEST_IDS = ("x-request-id", "ce-id")
TRACE = "traceparent"
MAX_CACHED_TARGET = 512
MAX_ID_LENGTH = 128

_TRACE = re.compile(r"[0-9a-f]{2}-(?P<trace>[0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?\Z")
_ADMINISTRATIVE = re.compile(
    r"(?:models|health|repository|logging|trace|systemsharedmemory|cudasharedmemory)\b", re.ASCII
)
_FIELD = re.compile(r"\{[A-Za-z_][A-Za-z0-9_]*\}")


class RequestTarget(NamedTuple):
    """The parts of a path that identify an inference request.

    Attributes:
        protocol: the protocol of the path, or "" if the path does not identify one.
        model: the model, or "".
        version: the version or label of the model, or None.
        inference: False for paths of metadata, health and administration.
        segments: the segments of the path, percent-decoded, without empty ones and dot segments.
    """

    protocol: str
    model: str
    version: str | None
    inference: bool
    segments: tuple[str, ...]


class PathPattern(msgspec.Struct, frozen=True):
    """A path template of the document, in which `{name}` matches any text within one segment.

    Attributes:
        segments: one pattern for each segment.
    """

    segments: tuple[re.Pattern[str], ...]

    def matches(self, target: RequestTarget) -> bool:
        """Return whether the path of a request matches."""
        return len(self.segments) == len(target.segments) and all(
            pattern.fullmatch(segment) for pattern, segment in zip(self.segments, target.segments, strict=True)
        )


def compile_template(template: str) -> PathPattern:
    """Return the pattern of a path template such as `/models/{name}/score`."""
    return PathPattern(
        tuple(
            re.compile(".+".join(map(re.escape, _FIELD.split(segment))), re.DOTALL) for segment in _segments(template)
        )
    )


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
    segments = _segments(target)
    protocol, model, version = _model_of(segments)
    return RequestTarget(protocol, model, version, bool(protocol) or not _is_administrative(segments), segments)


def _model_of(segments: tuple[str, ...]) -> tuple[str, str, str | None]:
    """Return protocol, model and version of an inference path; two empty strings and None for any other path."""
    if segments[-1:] == ("infer",):
        if segments[-4:-2] == ("v2", "models"):
            return "oip", segments[-2], None
        if segments[-6:-4] == ("v2", "models") and segments[-3] == "versions":
            return "oip", segments[-4], segments[-2]
    name, _, verb = segments[-1].rpartition(":") if segments else ("", "", "")
    if verb == "predict" and name:
        if segments[-3:-1] == ("v1", "models"):
            return "v1", name, None
        if segments[-5:-3] == ("v1", "models") and segments[-2] in ("versions", "labels"):
            return "v1", segments[-3], name
    return "", "", None


def _is_administrative(segments: tuple[str, ...]) -> bool:
    return segments[-1:] == ("v2",) or any(
        segment in ("v1", "v2") and _ADMINISTRATIVE.match(after) for segment, after in pairwise(segments)
    )


def _segments(target: str) -> tuple[str, ...]:
    """Return the segments of the path in a request-target of any form (RFC 9112, 3.2), as a server sees them.

    The path is split before it is decoded, so that an encoded slash stays within its segment. Empty segments and dot
    segments are removed (RFC 3986, 5.2.4).
    """
    path = target.partition("?")[0].partition("#")[0]
    if not path.startswith("/"):
        path = path.partition("://")[2].partition("/")[2]
    found: list[str] = []
    for part in path.split("/"):
        segment = _unquote(part)
        if segment == "..":
            del found[-1:]
        elif segment not in ("", "."):
            found.append(segment)
    return tuple(found)


_cached_target = lru_cache(1024)(_parse_target)


def _unquote(part: str) -> str:
    return unquote_to_bytes(part.encode("latin-1")).decode("utf-8", "replace")
