"""The journal's frames: what a segment must know again after a restart, as bytes.

u8 kind, u32 length of what follows, then
  TAG      MessagePack: hash of the profile in force, the prediction columns that are kept
  KEPT     u64 key, u64 second key (0: none), f64 epoch seconds, u32 rows, MessagePack: a list for each column
  LABELS   MessagePack: a Taken
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec

TAG, KEPT, LABELS = 1, 2, 3
HEADER = struct.Struct("<BI")
FIXED = struct.Struct("<QQdI")
LONGEST_TEXT = 256
LARGEST = 2**63


class SegmentHeader(msgspec.Struct, frozen=True):
    """Whose predictions a segment keeps: the profile's hash, "" without one, and its columns."""

    profile: str = ""
    columns: tuple[str, ...] = ()


class LabelEvent(msgspec.Struct, frozen=True, kw_only=True):
    """What one request with labels changed: enough to count it again.

    `at` is when it came (epoch s). `marks` and `homes` go together; a home is -1 where no exchange is kept. `lags` are
    seconds. `columns` hold the `rows` that the profile `profile` judges.
    """

    at: float
    outcomes: dict[str, int]
    marks: list[int] = []
    homes: list[int] = []
    lags: list[float] = []
    profile: str = ""
    rows: int = 0
    columns: dict[str, list[object]] = {}


@dataclass(frozen=True, slots=True)
class StoredExchange:
    """One exchange as it is kept; `values[column][row]`, None for a column that the response did not have."""

    key: int
    second: int
    at: float
    rows: int
    raw: bytes = field(repr=False)

    def values(self) -> list[list[object] | None]:
        """Return the predictions."""
        found: list[list[object] | None] = _VALUES.decode(self.raw)
        return found


_ENCODER = msgspec.msgpack.Encoder()
_VALUES = msgspec.msgpack.Decoder(list[list[object] | None])
_TAG = msgspec.msgpack.Decoder(SegmentHeader)
_TAKEN = msgspec.msgpack.Decoder(LabelEvent)

Frame = SegmentHeader | LabelEvent | StoredExchange


def encode_header(tag: SegmentHeader) -> bytes:
    """Return the frame that opens a segment."""
    body = _ENCODER.encode(tag)
    return HEADER.pack(TAG, len(body)) + body


def encode_labels(taken: LabelEvent) -> bytes:
    """Return the frame of `taken`."""
    body = _ENCODER.encode(taken)
    return HEADER.pack(LABELS, len(body)) + body


def encode_exchange(key: int, second: int, at: float, rows: int, values: list[list[object] | None]) -> bytes:
    """Return the frame of an exchange; values that are no plain scalar are kept as missing."""
    try:
        raw = _ENCODER.encode(values)
    except (OverflowError, TypeError, UnicodeEncodeError):
        raw = _ENCODER.encode(_plain(values))
    if len(raw) > 64 + 16 * rows * len(values):
        raw = _ENCODER.encode(_plain(values))
    return HEADER.pack(KEPT, FIXED.size + len(raw)) + FIXED.pack(key, second, at, rows) + raw


def decode_exchange_at(log: bytes | bytearray, offset: int) -> StoredExchange:
    """Return the exchange whose frame begins at `offset`."""
    _, length = HEADER.unpack_from(log, offset)
    start = offset + HEADER.size
    body = start + FIXED.size
    key, second, at, rows = FIXED.unpack_from(log, start)
    return StoredExchange(key, second, at, rows, bytes(log[body : start + length]))


def read(raw: bytes) -> Iterator[tuple[Frame, bytes]]:
    """Yield each frame in `raw`, with its bytes; ends at the first that is none."""
    offset = 0
    while offset + HEADER.size <= len(raw):
        kind, length = HEADER.unpack_from(raw, offset)
        end = offset + HEADER.size + length
        if end > len(raw):
            return
        whole = raw[offset:end]
        frame = _frame(kind, whole)
        if frame is None:
            return
        yield frame, whole
        offset = end


def scalar(value: object) -> object:
    """Return `value` if it can be kept: a number of 64 bits, a boolean, a text that is not too long; else None."""
    if type(value) is int:
        return value if -LARGEST <= value < LARGEST else float(value) if abs(value) < 1e308 else None
    if type(value) is str:
        return value if len(value) <= LONGEST_TEXT and value.isprintable() else None
    return value if type(value) in (bool, float) else None


def _frame(kind: int, whole: bytes) -> Frame | None:
    try:
        if kind == KEPT:
            kept = decode_exchange_at(whole, 0)
            kept.values()
            return kept
        decoder: msgspec.msgpack.Decoder[SegmentHeader] | msgspec.msgpack.Decoder[LabelEvent] = (
            _TAG if kind == TAG else _TAKEN
        )
        return decoder.decode(whole[HEADER.size :]) if kind in (TAG, LABELS) else None
    except (struct.error, msgspec.MsgspecError, UnicodeDecodeError):
        return None


def _plain(values: list[list[object] | None]) -> list[list[object] | None]:
    return [None if column is None else [scalar(value) for value in column] for column in values]
