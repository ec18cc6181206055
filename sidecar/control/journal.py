r"""The outbox's lines: checksum, length, JSON. Bytes in, operations out; no file is touched here.

1c291ca3 57 {"type":"change","id":"retrain-...","at":...}\n
CRC-32 of the JSON in hex, its length in bytes, the JSON itself, which holds no line break
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from .ledger import Operation

_ID = re.compile(rb'"id":"([\w-]{1,64})"')
_ENCODER = msgspec.json.Encoder()
_DECODER: msgspec.json.Decoder[Operation] = msgspec.json.Decoder(Operation)


@dataclass(frozen=True, slots=True)
class Journal:
    """What a file held: operations in order, the bytes up to the end of its last line, the places that are damaged.

    A place is the line's number with the entry's id, where that can still be read.

    What follows `end` is a line that a crash cut short: it was never acknowledged, so it counts as never written.
    """

    operations: tuple[Operation, ...]
    end: int
    damaged: tuple[str, ...]


def encode(operations: Iterable[Operation]) -> bytes:
    """Return the lines of `operations`."""
    return b"".join(map(_line, operations))


def decode(raw: bytes) -> Journal:
    """Return what the file's content `raw` says; never raises. A damaged line inside is left out and named."""
    end = raw.rfind(b"\n") + 1
    found, damaged = [], []
    for number, line in enumerate(raw[:end].split(b"\n")[:-1], 1):
        operation = _operation(line)
        if operation is None:
            damaged.append(_place(number, line))
        else:
            found.append(operation)
    return Journal(tuple(found), end, tuple(damaged))


def _place(number: int, line: bytes) -> str:
    entry = _ID.search(line)
    return f"line {number} ({entry[1].decode()})" if entry else f"line {number}"


def _line(operation: Operation) -> bytes:
    body = _ENCODER.encode(operation)
    return b"%08x %d %s\n" % (zlib.crc32(body), len(body), body)


def _operation(line: bytes) -> Operation | None:
    checksum, _, rest = line.partition(b" ")
    length, _, body = rest.partition(b" ")
    if (checksum, length) != (b"%08x" % zlib.crc32(body), b"%d" % len(body)):
        return None
    try:
        return _DECODER.decode(body)
    except msgspec.DecodeError:  # whole, but of another version of this program
        return None
