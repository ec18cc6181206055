"""Blocks of rows as bytes: a length, the number of rows, a CRC-32, then MessagePack of plain columns.

It is data only: reading what somebody else wrote can at worst fail.
"""

from __future__ import annotations

from typing import Any

import msgspec

from ..system.framing import BinaryFrames
from .errors import RowsError

MAGIC = b"PLTFROW1"
MAX_BLOCK = 64 * 1024 * 1024
FRAMES = BinaryFrames(MAGIC, noted=True, largest=MAX_BLOCK)
_LARGEST, _SMALLEST = 2**64 - 1, -(2**63)

Columns = dict[str, list[Any]]


class Block(msgspec.Struct, frozen=True, array_like=True):
    """Rows with the same columns: `at` [rows] epoch s of their exchanges; every column has one entry a row.

    `outputs` is empty where the responses gave none. None is a missing value.
    """

    at: list[float]
    inputs: Columns
    outputs: Columns


_ENCODER = msgspec.msgpack.Encoder(enc_hook=lambda value: value.tolist())  # numpy's; TypeError names what has none
_DECODER = msgspec.msgpack.Decoder(Block)


def render(block: Block) -> bytes:
    """Return the bytes of `block`; RowsError for values that cannot be written, or more than `MAX_BLOCK`."""
    try:
        try:
            payload = _ENCODER.encode(block)
        except OverflowError:  # an integer beyond 64 bits: a detector takes it for a number all the same
            payload = _ENCODER.encode(Block(block.at, _as_floats(block.inputs), _as_floats(block.outputs)))
    except (AttributeError, OverflowError, RecursionError, TypeError, UnicodeError, ValueError) as error:
        raise RowsError(f"a block of {len(block.at)} rows cannot be written ({type(error).__name__})") from None
    if len(payload) > MAX_BLOCK:
        raise RowsError(f"a block of {len(payload)} bytes is too large; {MAX_BLOCK} are the most")
    return FRAMES.frame(payload, len(block.at))


def parse(payload: bytes) -> Block:
    """Return the block in `payload`; RowsError for anything that `render` did not make."""
    try:
        block = _DECODER.decode(payload)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError, ValueError) as error:
        raise RowsError(f"a block of {len(payload)} bytes is damaged ({type(error).__name__}): left out") from None
    rows = len(block.at)
    for name, column in (*block.inputs.items(), *block.outputs.items()):
        if len(column) != rows:
            raise RowsError(f"a block has {rows} rows and {len(column)} entries in column {name[:80]!r}: left out")
    return block


def _as_floats(columns: Columns) -> Columns:
    return {name: [_fitting(value) for value in column] for name, column in columns.items()}


def _fitting(value: Any) -> Any:
    if isinstance(value, list):
        return [_fitting(item) for item in value]
    if isinstance(value, dict):
        return {key: _fitting(item) for key, item in value.items()}
    if isinstance(value, int) and not _SMALLEST <= value <= _LARGEST:
        try:
            return float(value)
        except OverflowError:
            return float("inf") if value > 0 else float("-inf")
    return value
