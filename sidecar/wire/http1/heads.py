"""Heads of HTTP/1.1 messages: the start line and the few fields that decide where the message ends (RFC 9112, 6.3).

Clients repeat their heads, so the results of parsing are cached for heads of ordinary size. The tracker shares these
results between exchanges and must not change them. They are not frozen dataclasses, which take three times as long to
create.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from ..errors import ProtocolError

CHUNKED, UNTIL_CLOSE = -1, -2  # values of `length` besides a number of bytes
SWITCHING = 101
BODILESS = frozenset((204, 304))

_MEMO_ENTRIES, _MEMO_BYTES = 512, 2048
_REQUEST_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([!-~\x80-\xff]++) HTTP/(\d)\.(\d)\r?\n")
_STATUS_LINE = re.compile(rb"HTTP/(\d)\.(\d) ([1-9]\d\d)(?: [^\x00\r\n]*)?\r?\n")
# Both expressions below run in C over all lines and never backtrack (possessive quantifiers), so that a head of many
# tiny lines costs 60 ns a line; a loop in Python took 1.5 us. `.` is six times as fast as a class that excludes CR and
# NUL, so `_framing_fields` looks for these separately.
_FIELD_LINES = re.compile(rb"(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]++:.*+\n(?:[ \t].*+\n)*+)*+\r?\n\Z")
_WANTED_FIELD = re.compile(
    rb"\n(?i:(content-length|content-type|transfer-encoding|upgrade|user-agent)):(.*)(?=\n([ \t])?)"
)
_FRAMING = frozenset((b"content-length", b"transfer-encoding"))
_STREAMS = (b"text/event-stream", b"application/x-ndjson", b"application/stream+json")
_LONGEST_LENGTH = 18  # digits: below 2**63
_LONGEST_LIST = 256  # bytes of all Content-Length values together; equal values may be repeated


@dataclass(slots=True)
class RequestHead:
    """The parts of a request's head that the tracker needs. `length` is a number of bytes or CHUNKED.

    `may_switch_protocol` is true for an upgrade and for CONNECT: the response decides whether the next bytes are HTTP.
    """

    method: str
    target: str
    user_agent: str
    headers: bytes
    length: int
    may_switch_protocol: bool


@dataclass(slots=True)
class ResponseHead:
    """The parts of a response's head that the tracker needs. `length` is a number of bytes, CHUNKED or UNTIL_CLOSE.

    `is_plain` is true for a final response that may have a body and is not an event stream.
    """

    status: int
    headers: bytes
    length: int
    is_stream: bool
    is_plain: bool

    @property
    def is_interim(self) -> bool:
        """Return whether another response to the same request follows (1xx other than 101)."""
        return 100 <= self.status < 200 and self.status != SWITCHING


def parse_request(raw: bytes) -> RequestHead:
    """Parse `raw`, a request head with its empty line. Raise ProtocolError if it is malformed or ambiguous."""
    return _memoised_request(raw) if len(raw) <= _MEMO_BYTES else _parse_request(raw)


def parse_response(raw: bytes) -> ResponseHead:
    """Parse `raw`, a response head with its empty line. Raise ProtocolError if it is malformed or ambiguous."""
    return _memoised_response(raw) if len(raw) <= _MEMO_BYTES else _parse_response(raw)


def _parse_request(raw: bytes) -> RequestHead:
    match = _REQUEST_LINE.match(raw)
    if match is None:
        raise ProtocolError("malformed")
    method, target, major, _ = match.groups()
    if major != b"1":
        raise ProtocolError("http2" if raw.startswith(b"PRI * HTTP/2.0") else "malformed")
    found = _framing_fields(raw, match.end())
    length = _length(found)
    if length == UNTIL_CLOSE and b"transfer-encoding" in found:
        raise ProtocolError("malformed")
    if length == UNTIL_CLOSE or method == b"CONNECT":
        length = 0
    return RequestHead(
        method=method.decode("ascii"),
        target=target.decode("latin-1"),
        user_agent=found.get(b"user-agent", (b"",))[0].decode("latin-1"),
        headers=_header_block(raw, match.end()),
        length=length,
        may_switch_protocol=b"upgrade" in found or method == b"CONNECT",
    )


def _parse_response(raw: bytes) -> ResponseHead:
    match = _STATUS_LINE.match(raw)
    if match is None or match[1] != b"1":
        raise ProtocolError("malformed")
    found = _framing_fields(raw, match.end())
    media_type = found.get(b"content-type", (b"",))[0].lower()
    status, is_stream = int(match[3]), media_type.startswith(_STREAMS)
    is_plain = status >= 200 and status not in BODILESS and not is_stream
    headers = _header_block(raw, match.end())
    return ResponseHead(status, headers, _length(found), is_stream=is_stream, is_plain=is_plain)


_memoised_request = lru_cache(_MEMO_ENTRIES)(_parse_request)
_memoised_response = lru_cache(_MEMO_ENTRIES)(_parse_response)


def _header_block(raw: bytes, start: int) -> bytes:
    """Return the header block of a head (see `wire.headers`): its lines without the start line and the empty line."""
    return raw[start : -2 if raw.endswith(b"\r\n") else -1]


def _framing_fields(raw: bytes, start: int) -> dict[bytes, list[bytes]]:
    """Return the wanted fields by lower-case name, each with its values in order. The field lines begin at `start`."""
    if _FIELD_LINES.match(raw, start) is None or b"\0" in raw or raw.count(b"\r") != raw.count(b"\r\n"):
        raise ProtocolError("malformed")
    found: dict[bytes, list[bytes]] = {}
    for field, value, fold in _WANTED_FIELD.findall(raw, start - 1):
        name = field.lower()
        if fold and name in _FRAMING:
            raise ProtocolError("malformed")
        found.setdefault(name, []).append(value.strip(b" \t\r"))
    return found


def _length(found: dict[bytes, list[bytes]]) -> int:
    """Return the body length. A Transfer-Encoding overrides a Content-Length (RFC 9112, 6.3)."""
    codings = found.get(b"transfer-encoding")
    if codings is not None:
        last = b",".join(codings).lower().rpartition(b",")[2].strip()
        return CHUNKED if last == b"chunked" else UNTIL_CLOSE
    lengths = found.get(b"content-length")
    if lengths is None:
        return UNTIL_CLOSE
    listed = b",".join(lengths)
    values = {value.strip(b" \t") for value in listed[: _LONGEST_LIST + 1].split(b",")}
    text = values.pop()
    if values or len(listed) > _LONGEST_LIST or not text.isdigit() or len(text) > _LONGEST_LENGTH:
        raise ProtocolError("malformed")
    return int(text)
