"""Read protocol, model and version from the request-target.

`registry.py` calls this module first. Compare paths only after percent-decoding: clients may encode any character.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

import msgspec

MAX_CACHED_TARGET = 512

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
        segments: for each segment, the texts before, between and after its fields.
    """

    segments: tuple[tuple[str, ...], ...]

    def matches(self, target: RequestTarget) -> bool:
        """Return whether the path of a request matches. The cost is linear in its length."""
        return len(self.segments) == len(target.segments) and all(map(_fits, self.segments, target.segments))


def _fits(texts: tuple[str, ...], segment: str) -> bool:
    """Return whether `segment` has the texts in order, with at least one character for each field between them."""
    first, last = texts[0], texts[-1]
    if len(texts) == 1:
        return segment == first
    at = len(first)
    for text in texts[1:-1]:
        found = segment.find(text, at + 1)
        if found < 0:
            return False
        at = found + len(text)
    return segment.startswith(first) and segment.endswith(last) and len(segment) - len(last) > at


def compile_template(template: str) -> PathPattern:
    """Return the pattern of a path template such as `/models/{name}/score`."""
    return PathPattern(tuple(tuple(_FIELD.split(segment)) for segment in _segments(template)))


def parse_target(target: str) -> RequestTarget:
    """Return the parts of a request-target."""
    return _cached_target(target) if len(target) <= MAX_CACHED_TARGET else _parse_target(target)


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
