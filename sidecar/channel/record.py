"""Records, handshakes, and their frames on the socket. A record is one exchange, as the proxy sends it to the analyzer.

Proxy and analyzer may run different images during an upgrade, so increment `VERSION` when you change RECORD, and never
change HELLO. Numbers are little-endian. A frame is

    u32     length of the payload
    u8      kind: HELLO (1) or RECORD (2)
    bytes   payload

HELLO opens every connection. Its layout never changes, so that each version can read and reject all others:

    u16     VERSION
    u64     epoch of the proxy
    u64     sequence number of the next record: a reader counts earlier records that it did not receive as lost

RECORD is one exchange; `Record` documents the fields:

    u16     VERSION
    u64     sequence
    u64     at_ns, first_byte_ns, duration_ns
    u16     status, flags (REQUEST_TRUNCATED 1, RESPONSE_TRUNCATED 2, EVENT_STREAM 4)
    u64     request_bytes, response_bytes
    u16     listener
    u16     lengths of protocol, method, target, route
    u32     lengths of request_headers, request_body, request_trailers, response_headers, response_body,
            response_trailers
    bytes   the ten parts in this order; protocol, method and target in Latin-1, route in UTF-8

A reader rejects a frame of another version with `VersionError`.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from ..errors import PilotfishError

HELLO, RECORD = 1, 2
FRAME = struct.Struct("<IB")
_HELLO = struct.Struct("<HQQ")
HELLO_BYTES = _HELLO.size
_FIXED = struct.Struct("<HQQQQHHQQHHHHHIIIIII")
_FRAMED = struct.Struct("<IB" + _FIXED.format.removeprefix("<"))
VERSION = 2
MAX_FRAME = 8 * 1024 * 1024  # twice the queue of the sender

REQUEST_TRUNCATED, RESPONSE_TRUNCATED, EVENT_STREAM = 1, 2, 4


class FrameError(PilotfishError):
    """Bytes on the channel are not a valid frame of this version. `reason` is the key that counts the error."""

    reason = "frame"


@dataclass(frozen=True, slots=True)
class Hello:
    """The handshake, the first frame of a connection: the proxy's epoch and the sequence number of its next record."""

    epoch: int
    next_sequence: int
    version: int = VERSION


class HandshakeError(FrameError):
    """The handshake is not the one of the proxy that writes the counter page."""

    reason = "handshake"

    def __init__(self, why: str) -> None:
        super().__init__(f"channel: a handshake was refused: {why}; give each proxy its own --shared folder")


class VersionError(FrameError):
    """A frame has another version. `hello` is the frame if it is a handshake."""

    reason = "version"

    def __init__(self, version: int, hello: Hello | None = None) -> None:
        super().__init__(
            f"channel: frame has version {version}, this is {VERSION}; run proxy and analyzer from one image"
        )
        self.hello = hello


class Record(NamedTuple):
    """One sampled exchange. A named tuple, because it is the cheapest to create.

    sequence        sequence number; the records of a counter page are numbered from 1
    at_ns           wall-clock time of the request's first byte, in ns since the epoch of Unix
    first_byte_ns   ns from the request's first byte to the first byte of the response
    duration_ns     ns from the request's first byte to the last byte of the response
    listener        index of the listen/upstream pair
    protocol        ALPN identifier of the wire protocol: `http/1.1`
    target          the request-target of HTTP/1.1 (RFC 9112, 3.2), `:path` of HTTP/2
    route           method and path template; the name of its counters
    *_headers       header blocks, see `wire/headers.py`
    *_trailers      header blocks: the trailer sections of chunked messages, up to 4 KiB
    *_body          captured body; transfer codings are removed, content codings are not
    *_bytes         sizes of the whole bodies, even if the captured bodies are truncated
    """

    sequence: int
    at_ns: int
    first_byte_ns: int
    duration_ns: int
    status: int
    flags: int
    request_bytes: int
    response_bytes: int
    listener: int
    protocol: str
    method: str
    target: str
    route: str
    request_headers: bytes
    request_body: bytes
    request_trailers: bytes
    response_headers: bytes
    response_body: bytes
    response_trailers: bytes


Frame = Hello | Record
Piece: TypeAlias = bytes | bytearray
JOINED_BYTES = 32 * 1024  # a frame up to this size is sent as one buffer
_REQUEST_BODY, _RESPONSE_BODY = 5, 8  # indices of the parts of a frame
_NUMBERS = Record._fields.index("protocol")  # the number of numeric fields, which come first


def encode_hello(hello: Hello) -> bytes:
    """Return the frame of `hello`."""
    return FRAME.pack(_HELLO.size, HELLO) + _HELLO.pack(hello.version, hello.epoch, hello.next_sequence)


def encode_record(
    record: Record, request_body: Sequence[Piece] = (), response_body: Sequence[Piece] = ()
) -> list[Piece]:
    """Return the frame of `record` as buffers to send one after the other.

    The arguments are pieces that follow the record's own bodies. Pieces of a large frame are not copied.
    """
    parts = (
        record.protocol.encode("latin-1"),
        record.method.encode("latin-1"),
        record.target.encode("latin-1"),
        record.route.encode(),
        record.request_headers,
        record.request_body,
        record.request_trailers,
        record.response_headers,
        record.response_body,
        record.response_trailers,
    )
    lengths = list(map(len, parts))
    if request_body:
        lengths[_REQUEST_BODY] += sum(map(len, request_body))
    if response_body:
        lengths[_RESPONSE_BODY] += sum(map(len, response_body))
    size = _FIXED.size + sum(lengths)
    fixed = _FRAMED.pack(size, RECORD, VERSION, *record[:_NUMBERS], *lengths)
    before, between, after = (
        (fixed, *parts[: _REQUEST_BODY + 1]),
        parts[_REQUEST_BODY + 1 : _RESPONSE_BODY + 1],
        parts[_RESPONSE_BODY + 1 :],
    )
    if size <= JOINED_BYTES:
        return [b"".join((*before, *request_body, *between, *response_body, *after))]
    return [b"".join(before), *request_body, b"".join(between), *response_body, *after]


def decode(kind: int, payload: bytes | memoryview) -> Frame:
    """Return the frame of this kind with this payload. Raise FrameError if it is invalid."""
    try:
        if kind == HELLO:
            version, epoch, next_sequence = _HELLO.unpack(payload)
            hello = Hello(epoch, next_sequence, version)
            if version != VERSION:
                raise VersionError(version, hello)
            return hello
        if kind == RECORD:
            return _decode_record(bytes(payload))
    except (struct.error, UnicodeDecodeError) as error:
        raise FrameError(
            f"channel: frame of kind {kind} with {len(payload)} bytes cannot be decoded: {error}"
        ) from error
    raise FrameError(f"channel: frame has the unknown kind {kind}; run proxy and analyzer from one image")


def _decode_record(payload: bytes) -> Record:
    version, *values = _FIXED.unpack_from(payload)
    if version != VERSION:
        raise VersionError(version)
    lengths = values[_NUMBERS:]
    parts, start = [], _FIXED.size
    if start + sum(lengths) != len(payload):
        raise FrameError(
            f"channel: record has {len(payload)} bytes; its length fields add up to {start + sum(lengths)}"
        )
    for length in lengths:
        parts.append(payload[start : start + length])
        start += length
    protocol, method, target, route, *blocks = parts
    texts = protocol.decode("latin-1"), method.decode("latin-1"), target.decode("latin-1"), route.decode()
    return Record._make((*values[:_NUMBERS], *texts, *blocks))
