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
_TOKEN = b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_REQUEST_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([^\s\x00-\x1f\x7f]+) HTTP/(\d)\.(\d)\Z")
_STATUS_LINE = re.compile(rb"HTTP/(\d)\.(\d) ([1-9]\d\d)(?: [^\x00\r\n]*)?\Z")
_FRAMING = frozenset((b"content-length", b"transfer-encoding"))
_FOLD = (b" ", b"\t")
_STREAMS = (b"text/event-stream", b"application/x-ndjson", b"application/stream+json")
_LONGEST_LENGTH = 18  # digits: below 2**63


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
    line, fields = _split(raw)
    match = _REQUEST_LINE.match(line)
    if match is None:
        raise ProtocolError("malformed")
    method, target, major, _ = match.groups()
    if major != b"1":
        raise ProtocolError("http2" if line == b"PRI * HTTP/2.0" else "malformed")
    found = _framing_fields(fields)
    length = _length(found)
    if length == UNTIL_CLOSE and b"transfer-encoding" in found:
        raise ProtocolError("malformed")
    if length == UNTIL_CLOSE or method == b"CONNECT":
        length = 0
    return RequestHead(
        method=method.decode("ascii"),
        target=target.decode("latin-1"),
        user_agent=found.get(b"user-agent", (b"",))[0].decode("latin-1"),
        headers=_header_block(raw),
        length=length,
        may_switch_protocol=b"upgrade" in found or method == b"CONNECT",
    )


def _parse_response(raw: bytes) -> ResponseHead:
    line, fields = _split(raw)
    match = _STATUS_LINE.match(line)
    if match is None or match[1] != b"1":
        raise ProtocolError("malformed")
    found = _framing_fields(fields)
    media_type = found.get(b"content-type", (b"",))[0].lower()
    status, is_stream = int(match[3]), media_type.startswith(_STREAMS)
    is_plain = status >= 200 and status not in BODILESS and not is_stream
    return ResponseHead(status, _header_block(raw), _length(found), is_stream=is_stream, is_plain=is_plain)


_memoised_request = lru_cache(_MEMO_ENTRIES)(_parse_request)
_memoised_response = lru_cache(_MEMO_ENTRIES)(_parse_response)

_WANTED = _FRAMING | {b"upgrade", b"user-agent", b"content-type"}


def _split(raw: bytes) -> tuple[bytes, list[bytes]]:
    lines = raw.replace(b"\r\n", b"\n").split(b"\n")
    return lines[0], lines[1:-2]


def _header_block(raw: bytes) -> bytes:
    """Return the header block of a head (see `wire.headers`): its lines without the start line and the empty line."""
    return raw[raw.find(b"\n") + 1 : -2 if raw.endswith(b"\r\n") else -1]


def _framing_fields(lines: list[bytes]) -> dict[bytes, list[bytes]]:
    """Return the wanted fields by lower-case name, each with its values in order."""
    found: dict[bytes, list[bytes]] = {}
    name = b""
    for line in lines:
        if line.startswith(_FOLD):
            if not name or name in _FRAMING:
                raise ProtocolError("malformed")
            continue
        name, colon, value = line.partition(b":")
        if not colon or not name or name.translate(None, _TOKEN) or b"\0" in value or b"\r" in value:
            raise ProtocolError("malformed")
        name = name.lower()
        if name in _WANTED:
            found.setdefault(name, []).append(value.strip(b" \t"))
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
    values = {value.strip(b" \t") for value in b",".join(lengths).split(b",")}
    text = values.pop()
    if values or not text.isdigit() or len(text) > _LONGEST_LENGTH:
        raise ProtocolError("malformed")
    return int(text)
