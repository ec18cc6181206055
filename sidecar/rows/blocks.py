"""Encode and decode row blocks: a length, the number of rows, a CRC-32, then MessagePack of plain columns.

`log.py` writes blocks, and learning and reports read them. Never use pickle here: MessagePack contains only data,
so reading a foreign file can fail but cannot run code.
"""

from __future__ import annotations

from typing import Any

import msgspec

from ..system.framing import BinaryFrames
from .errors import RowsError

MAGIC = b"PLTFROW1"
MAX_BLOCK = 64 * 1024 * 1024
FRAMES = BinaryFrames(MAGIC, noted=True, largest=MAX_BLOCK)
_SHORT_LIST = 0x90  # MessagePack: a list of 0 to 15 entries
_LIST_SIZES = {0xDC: 2, 0xDD: 4}  # MessagePack: bytes that hold the length of a longer list
_MAX_INTEGER, _MIN_INTEGER = 2**64 - 1, -(2**63)

Columns = dict[str, list[Any]]


class RowBlock(msgspec.Struct, frozen=True, array_like=True):
    """Rows with the same columns. Every column has one entry per row; None is a missing value.

    Attributes:
        at: [rows] epoch seconds of the exchanges.
        inputs: the values of the requests, by column.
        outputs: the values of the responses, by column; empty without responses.
    """

    at: list[float]
    inputs: Columns
    outputs: Columns


_ENCODER = msgspec.msgpack.Encoder(
    enc_hook=lambda value: value.tolist()
)  # for numpy values; other types raise AttributeError
_DECODER = msgspec.msgpack.Decoder(RowBlock)


def render(block: RowBlock) -> bytes:
    """Return the bytes of `block`.

    Raises:
        RowsError: a value cannot be encoded, or the result is larger than `MAX_BLOCK`.
    """
    try:
        try:
            payload = _ENCODER.encode(block)
        except OverflowError:  # an integer beyond 64 bits: detectors convert it to a float, too
            payload = _ENCODER.encode(RowBlock(block.at, _as_floats(block.inputs), _as_floats(block.outputs)))
    except (AttributeError, OverflowError, RecursionError, TypeError, UnicodeError, ValueError) as error:
        raise RowsError(f"a block of {len(block.at)} rows cannot be written ({type(error).__name__})") from None
    if len(payload) > MAX_BLOCK:
        raise RowsError(f"a block of {len(payload)} bytes is too large; the limit is {MAX_BLOCK}")
    return FRAMES.frame(payload, len(block.at))


def count_rows(payload: bytes) -> int:
    """Return the number of rows in `payload`, 0 if `render` cannot have written it.

    The checksum of a frame covers the payload, but not the number of rows beside it.
    """
    kind = payload[1] if len(payload) > 1 else 0  # of the second MessagePack value, the list `at`
    if _SHORT_LIST <= kind < _SHORT_LIST + 16:
        return kind - _SHORT_LIST
    size = _LIST_SIZES.get(kind, 0)
    return int.from_bytes(payload[2 : 2 + size], "big")


def parse(payload: bytes) -> RowBlock:
    """Return the block in `payload`; raise RowsError if `render` cannot have written it."""
    try:
        block = _DECODER.decode(payload)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError, ValueError) as error:
        raise RowsError(f"a block of {len(payload)} bytes is damaged ({type(error).__name__}); it is skipped") from None
    rows = len(block.at)
    for name, column in (*block.inputs.items(), *block.outputs.items()):
        if len(column) != rows:
            raise RowsError(f"a block has {rows} rows and {len(column)} entries in column {name[:80]!r}; it is skipped")
    return block


def _as_floats(columns: Columns) -> Columns:
    return {name: [_fit_value(value) for value in column] for name, column in columns.items()}


def _fit_value(value: Any) -> Any:
    if isinstance(value, list):
        return [_fit_value(item) for item in value]
    if isinstance(value, dict):
        return {key: _fit_value(item) for key, item in value.items()}
    if isinstance(value, int) and not _MIN_INTEGER <= value <= _MAX_INTEGER:
        try:
            return float(value)
        except OverflowError:
            return float("inf") if value > 0 else float("-inf")
    return value
