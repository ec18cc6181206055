"""The checkpoint of one detector as bytes: MessagePack, compressed by zlib, with a checksum.

It holds plain values only. A later release may add fields with defaults; increase VERSION for any other change.
"""

from __future__ import annotations

import zlib
from typing import Any

import msgspec

from ....detectors.errors import StateError
from ...system.framing import FramingError, Sealed
from ...system.gunzip import ZLIB, DecompressionError, inflate

VERSION = 1
MAX_BYTES = 256 * 1024 * 1024  # of the state, before compression
_SEALED = Sealed(b"PLTFFLET", VERSION)
_LEVEL = 1  # a tenth of the time of level 6, for a tenth more bytes


class StoredPod(msgspec.Struct, frozen=True, array_like=True):
    """One pod, as in `watermark.PodRecord`."""

    uid: str
    since: float | None
    left: float | None
    heard_at: float | None
    complete_through: int
    finished: bool


class StoredCounts(msgspec.Struct, frozen=True, array_like=True):
    """The counts of one pod and epoch in an open tick; `key` is a position in `FleetState.keys`."""

    key: int
    sequence: int
    small: bytes
    large: bytes


class FleetState(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that later results depend on.

    Attributes:
        monitor: the state of the DriftMonitor.
        keys: pod and epoch of all counts below.
        open: the counts of the open ticks.
        closed: for each recently closed tick, the positions of the keys whose counts arrived in time: uint32.
    """

    version: str
    tick_seconds: float
    closed_through: int | None
    monitor: dict[str, Any]
    pods: tuple[StoredPod, ...]
    keys: tuple[tuple[str, str], ...]
    open: dict[int, tuple[StoredCounts, ...]]
    closed: dict[int, bytes]
    refused: dict[str, int]
    other_profiles: dict[str, int]
    dropped_ticks: int
    dropped_rows: int


def render(state: FleetState) -> bytes:
    """Return the bytes of `state`; the same state has the same bytes."""
    return _SEALED.wrap(zlib.compress(msgspec.msgpack.encode(state), _LEVEL))


def parse(raw: bytes) -> FleetState:
    """Return the state in `raw`; raise StateError for anything but a whole state of this version."""
    try:
        _, payload = _SEALED.unwrap(raw)
        return msgspec.msgpack.decode(inflate(payload, MAX_BYTES, ZLIB), type=FleetState)
    except (FramingError, DecompressionError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise StateError(f"cannot use the stored state of a fleet: {error}; detection starts without it") from error
