"""The checkpoint file: the state of all components, replaced atomically.

Layout: magic, version, CRC-32 and length of the payload; the payload is MessagePack compressed by zlib. It holds plain
values only, so a file from an untrusted source can be refused but cannot run code. Increase VERSION when the state
changes, and add a step like `checkpoint_v1.py` that reads the previous version.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import msgspec

from ..errors import PilotfishError, quote_value
from ..system.files import read_file, replace_file
from ..system.framing import FramingError, Sealed
from ..system.gunzip import ZLIB, DecompressionError, inflate
from . import checkpoint_v1

CHECKPOINT_FILE = "checkpoint"
VERSION = 2
MAX_BYTES = 256 * 1024 * 1024
_SEALED = Sealed(b"PLTFCKPT", VERSION, oldest=1)
_LEVEL = 1  # counts compress well at any level, and this one costs the worker the least time

State = dict[str, Any]


class CheckpointError(PilotfishError):
    """A checkpoint cannot be read or written."""


def render(state: State) -> bytes:
    """Return the file content for `state`: dicts, lists, strings, bytes, floats and 64-bit integers."""
    return _SEALED.wrap(zlib.compress(msgspec.msgpack.encode(state), _LEVEL))


def parse(raw: bytes, where: str) -> State:
    """Return the state in `raw`; raise CheckpointError, which names `where`, for anything but a whole checkpoint."""
    try:
        version, payload = _SEALED.unwrap(raw)
    except FramingError as error:
        raise CheckpointError(f"{where}: cannot use this checkpoint: {error}") from error
    try:
        state = msgspec.msgpack.decode(inflate(payload, MAX_BYTES, ZLIB), type=State)
    except DecompressionError as error:
        raise CheckpointError(f"{where}: cannot use this checkpoint: it is {error}") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{where}: cannot decode this checkpoint: {error}") from error
    try:
        return checkpoint_v1.upgrade(state) if version == 1 else state
    except KeyError as error:
        raise CheckpointError(f"{where}: this checkpoint of version 1 lacks the key {error}") from error


def save(path: Path, raw: bytes) -> None:
    """Replace the file at `path` with `raw`, durably; on CheckpointError the old file is unchanged."""
    try:
        replace_file(path, raw, durable=True, mode=0o600)
    except OSError as error:
        raise CheckpointError(
            f"cannot write {quote_value(path)}: {error}; a restart would lose everything since the last checkpoint"
        ) from error


def load(path: Path) -> State | None:
    """Return the state in the file at `path`, None without a file; raise CheckpointError for any other one."""
    try:
        return parse(read_file(path, MAX_BYTES), str(path))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CheckpointError(f"cannot read {quote_value(path)}: {error}") from error
