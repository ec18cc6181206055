r"""The format of the outbox: operations to lines and back, without file access.

1c291ca3 57 {"type":"change","id":"retrain-...","at":...}\n

Each line holds the CRC-32 of the JSON in hex, its length in bytes, and the JSON itself, which contains no line break.
Files of earlier versions are on disk, so names and tags of the operations must not change.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from ..system.framing import Damage, FramedRecord, LineFrames
from .ledger import Operation

FRAMES = LineFrames()
_ID = re.compile(rb'"id":"([\w-]{1,64})"')
_ENCODER = msgspec.json.Encoder()
_DECODER: msgspec.json.Decoder[Operation] = msgspec.json.Decoder(Operation)


@dataclass(frozen=True, slots=True)
class DecodedLog:
    """The content of a file: its operations in order, the offset `end` after its last whole line, and damaged lines.

    `damaged` names each damaged line by its number, with the entry's id if the id is readable. Bytes after `end` belong
    to a line that a crash cut off. It was never acknowledged, so it is ignored.
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
    """Return the operations in the file content `raw`; never raises. Damaged lines are skipped and named."""
    return interpret(list(FRAMES.scan(io.BytesIO(raw), 0)))


def interpret(found: Iterable[FramedRecord | Damage]) -> DecodedLog:
    """Return the operations in the scanned lines `found`, in their order."""
    operations, damaged, end = [], [], 0
    for number, item in enumerate(found, 1):
        operation = _operation(item.payload) if isinstance(item, FramedRecord) else None
        if operation is None:
            damaged.append(_place(number, item.payload if isinstance(item, FramedRecord) else item.raw))
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
    except msgspec.DecodeError:  # undamaged, but written by another version of Pilotfish
        return None
