r"""The outbox's lines: checksum, length, JSON. Bytes in, operations out; no file is touched here.

1c291ca3 57 {"type":"change","id":"retrain-...","at":...}\n
CRC-32 of the JSON in hex, its length in bytes, the JSON itself, which holds no line break
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from ..system.framing import Damage, LineFrames, Record
from .ledger import Operation

FRAMES = LineFrames()
_ID = re.compile(rb'"id":"([\w-]{1,64})"')
_ENCODER = msgspec.json.Encoder()
_DECODER: msgspec.json.Decoder[Operation] = msgspec.json.Decoder(Operation)


@dataclass(frozen=True, slots=True)
class DecodedLog:
    """What a file held: operations in order, the bytes up to the end of its last line, the places that are damaged.

    A place is the line's number with the entry's id, where that can still be read.

    What follows `end` is a line that a crash cut short: it was never acknowledged, so it counts as never written.
    """

    operations: tuple[Operation, ...]
    end: int
    damaged: tuple[str, ...]


def encode(operations: Iterable[Operation]) -> bytes:
    """Return the lines of `operations`."""
    return b"".join(map(FRAMES.frame, payloads(operations)))


def payloads(operations: Iterable[Operation]) -> list[bytes]:
    """Return the JSON of each of `operations`."""
    return [_ENCODER.encode(operation) for operation in operations]


def decode(raw: bytes) -> DecodedLog:
    """Return what the file's content `raw` says; never raises. A damaged line inside is left out and named."""
    return interpret(list(FRAMES.scan(io.BytesIO(raw), 0)))


def interpret(found: Iterable[Record | Damage]) -> DecodedLog:
    """Return what the lines `found` say, in their order."""
    operations, damaged, end = [], [], 0
    for number, item in enumerate(found, 1):
        operation = _operation(item.payload) if isinstance(item, Record) else None
        if operation is None:
            damaged.append(_place(number, item.payload if isinstance(item, Record) else item.raw))
        else:
            operations.append(operation)
        end = item.end
    return DecodedLog(tuple(operations), end, tuple(damaged))


def _place(number: int, line: bytes) -> str:
    entry = _ID.search(line)
    return f"line {number} ({entry[1].decode()})" if entry else f"line {number}"


def _operation(payload: bytes) -> Operation | None:
    try:
        return _DECODER.decode(payload)
    except msgspec.DecodeError:  # whole, but of another version of this program
        return None
