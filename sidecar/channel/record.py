"""The record: what the proxy hands the analyzer of one exchange, and its frame on the socket.

A frame is a u32 length (of what follows), a u8 kind and the payload, little-endian. `HELLO` opens every connection
and says which epoch speaks and which sequence comes next, so that a reader knows at once what it missed.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import NamedTuple

from ..errors import PilotfishError

HELLO, RECORD = 1, 2
FRAME = struct.Struct("<IB")
_HELLO = struct.Struct("<HQQ")
_FIXED = struct.Struct("<HQQQQHHQQHHHIIII")
VERSION = 1
MAX_FRAME = 64 * 1024 * 1024

REQUEST_TRUNCATED, RESPONSE_TRUNCATED, EVENT_STREAM = 1, 2, 4


class FrameError(PilotfishError):
    """Bytes on the channel that are no frame of this version."""


@dataclass(frozen=True, slots=True)
class Hello:
    """The first frame of a connection: the proxy's epoch and the sequence of the record that comes next."""

    epoch: int
    next_sequence: int


class Record(NamedTuple):
    """One sampled exchange (a tuple, since one is made for each).

    `at_ns` is the wall clock at the request's first byte, `first_byte_ns` and `duration_ns` count from there.
    `request_head` and `response_head` are the raw heads up to and with the empty line; bodies are as decoded from the
    transfer coding (not from a content coding). `request_bytes` and `response_bytes` are the sizes of the whole bodies,
    also where the captured ones are truncated. `listener` is the index of the listen/upstream pair.
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
    method: str
    route: str
    request_head: bytes
    response_head: bytes
    request_body: bytes
    response_body: bytes


Frame = Hello | Record


def encode_hello(hello: Hello) -> bytes:
    """Return the frame of `hello`."""
    return FRAME.pack(_HELLO.size, HELLO) + _HELLO.pack(VERSION, hello.epoch, hello.next_sequence)


def encode_record(record: Record) -> bytes:
    """Return the frame of `record`."""
    method, route = record.method.encode("latin-1", "replace"), record.route.encode()
    parts = (method, route, record.request_head, record.response_head, record.request_body, record.response_body)
    fixed = _FIXED.pack(
        VERSION,
        record.sequence,
        record.at_ns,
        record.first_byte_ns,
        record.duration_ns,
        record.status,
        record.flags,
        record.request_bytes,
        record.response_bytes,
        record.listener,
        *map(len, parts),
    )
    size = len(fixed) + sum(map(len, parts))
    return b"".join((FRAME.pack(size, RECORD), fixed, *parts))


def decode(kind: int, payload: bytes | memoryview) -> Frame:
    """Return the frame in `payload` (what follows the frame header); raise FrameError when it is none."""
    try:
        if kind == HELLO:
            version, epoch, upcoming = _HELLO.unpack(payload)
            _require_version(version)
            return Hello(epoch, upcoming)
        if kind == RECORD:
            return _decode_record(bytes(payload))
    except (struct.error, UnicodeDecodeError) as error:
        raise FrameError(
            f"channel: frame of kind {kind} with {len(payload)} bytes does not decode ({error})"
        ) from error
    raise FrameError(f"channel: frame of unknown kind {kind}: proxy and analyzer are of different versions")


def _require_version(version: int) -> None:
    if version != VERSION:
        raise FrameError(
            f"channel: frame of version {version}, this is {VERSION}: proxy and analyzer must be of one image"
        )


def _decode_record(payload: bytes) -> Record:
    version, sequence, *numbers = _FIXED.unpack_from(payload)
    _require_version(version)
    at_ns, first_byte_ns, duration_ns, status, flags, request_bytes, response_bytes, listener, *lengths = numbers
    parts, start = [], _FIXED.size
    if start + sum(lengths) != len(payload):
        raise FrameError(f"channel: record of {len(payload)} bytes, its parts say {start + sum(lengths)}")
    for length in lengths:
        parts.append(payload[start : start + length])
        start += length
    method, route, request_head, response_head, request_body, response_body = parts
    return Record(
        sequence=sequence,
        at_ns=at_ns,
        first_byte_ns=first_byte_ns,
        duration_ns=duration_ns,
        status=status,
        flags=flags,
        request_bytes=request_bytes,
        response_bytes=response_bytes,
        listener=listener,
        method=method.decode("latin-1"),
        route=route.decode(),
        request_head=request_head,
        response_head=response_head,
        request_body=request_body,
        response_body=response_body,
    )
