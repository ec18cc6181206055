"""The checkpoint: everything that the analyzer must know again after a restart, in one file, replaced atomically.

magic, version, CRC-32 and length of the payload; the payload is zlib over MessagePack of plain values. It is data
only: reading a file that somebody else wrote can at worst fail.
"""

from __future__ import annotations

import os
import struct
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from ..errors import PilotfishError, shown
from . import checkpoint_v1

CHECKPOINT_FILE = "checkpoint"
VERSION = 2
READABLE = (1, VERSION)
MAX_BYTES = 256 * 1024 * 1024
_HEADER = struct.Struct("<8sHIQ")
_MAGIC = b"PLTFCKPT"
_LEVEL = 1  # most of it is counts that compress at any level; the time of the worker is what costs

State = dict[str, Any]


class CheckpointError(PilotfishError):
    """A checkpoint cannot be written, or is not one."""


def render(state: State) -> bytes:
    """Return the bytes of `state`: dicts, lists, strings, bytes, floats, integers of 64 bits."""
    payload = zlib.compress(msgspec.msgpack.encode(state), _LEVEL)
    return _HEADER.pack(_MAGIC, VERSION, zlib.crc32(payload), len(payload)) + payload


def parse(raw: bytes, where: str) -> State:
    """Return the state in `raw`; raise CheckpointError for anything that `render` did not write whole."""
    if len(raw) < _HEADER.size:
        raise CheckpointError(f"{where}: {len(raw)} bytes are no checkpoint; it will be replaced")
    magic, version, crc, length = _HEADER.unpack_from(raw)
    payload = raw[_HEADER.size :]
    if magic != _MAGIC or version not in READABLE:
        raise CheckpointError(f"{where}: no checkpoint of version {VERSION} (magic {shown(magic)}, version {version})")
    if len(payload) != length or zlib.crc32(payload) != crc:
        raise CheckpointError(f"{where}: torn or damaged ({len(payload)} of {length} bytes); it will be replaced")
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
    fresh = path.with_name(path.name + ".new")
    try:
        with fresh.open("wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        with suppress(OSError):  # what cannot be written may be impossible to remove, too
            fresh.unlink(missing_ok=True)
        raise CheckpointError(
            f"cannot write {shown(str(path))}: {error}; a restart now would lose what came since"
        ) from error


def load(path: Path) -> State | None:
    """Return the state in the file at `path`, None when there is none; raise CheckpointError when it is damaged."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise CheckpointError(f"{shown(str(path))}: larger than {MAX_BYTES} bytes; it will be replaced")
        return parse(path.read_bytes(), str(path))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CheckpointError(f"cannot read {shown(str(path))}: {error}") from error


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
