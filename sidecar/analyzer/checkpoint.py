"""The checkpoint: everything that the analyzer must know again after a restart, in one file, replaced atomically.

magic, version, CRC-32 and length of the payload; the payload is zlib over MessagePack of plain values. It is data
only: reading a file that somebody else wrote can at worst fail.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import msgspec

from ..errors import PilotfishError, quote_value
from ..system.files import replace_file
from ..system.framing import FramingError, Sealed
from . import checkpoint_v1

CHECKPOINT_FILE = "checkpoint"
VERSION = 2
MAX_BYTES = 256 * 1024 * 1024
_SEALED = Sealed(b"PLTFCKPT", VERSION, oldest=1)
_LEVEL = 1  # most of it is counts that compress at any level; the time of the worker is what costs

State = dict[str, Any]


class CheckpointError(PilotfishError):
    """A checkpoint cannot be written, or is not one."""


def render(state: State) -> bytes:
    """Return the bytes of `state`: dicts, lists, strings, bytes, floats, integers of 64 bits."""
    return _SEALED.wrap(zlib.compress(msgspec.msgpack.encode(state), _LEVEL))


def parse(raw: bytes, where: str) -> State:
    """Return the state in `raw`; raise CheckpointError for anything that `render` did not write whole."""
    try:
        version, payload = _SEALED.unwrap(raw)
    except FramingError as error:
        raise CheckpointError(f"{where}: not a checkpoint that can be used: {error}; it will be replaced") from error
    try:
        unpacker = zlib.decompressobj()
        state = msgspec.msgpack.decode(unpacker.decompress(payload, MAX_BYTES), type=State)
    except (zlib.error, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{where}: does not decode ({error}); it will be replaced") from error
    try:
        return checkpoint_v1.upgrade(state) if version == 1 else state
    except KeyError as error:
        raise CheckpointError(f"{where}: version 1 without {error}; it will be replaced") from error


def save(path: Path, raw: bytes) -> None:
    """Replace the file at `path` by `raw`, durably; when that fails raise CheckpointError, the old file untouched."""
    try:
        replace_file(path, raw, durable=True)
    except OSError as error:
        raise CheckpointError(
            f"cannot write {quote_value(path)}: {error}; a restart now would lose what came since"
        ) from error


def load(path: Path) -> State | None:
    """Return the state in the file at `path`, None when there is none; raise CheckpointError when it is damaged."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise CheckpointError(f"{quote_value(path)}: larger than {MAX_BYTES} bytes; it will be replaced")
        return parse(path.read_bytes(), str(path))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CheckpointError(f"cannot read {quote_value(path)}: {error}") from error
