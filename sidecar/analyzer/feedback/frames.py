"""Encode and decode the frames of the journal, from which the store is restored after a restart.

A frame is a u8 kind, the u32 length of the rest, and the rest. Integers are little-endian. Kinds and field names are on
disk: do not change them. In the journal, `dedup_keys` is named `marks`, and `segments` is named `homes`.

  SEGMENT_HEADER      MessagePack of a SegmentHeader
  EXCHANGE     u64 key, u64 second key (0: none), f64 epoch seconds, u32 rows, MessagePack of a list per column
  LABELS   MessagePack of a LabelEvent
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec

SEGMENT_HEADER, EXCHANGE, LABELS = 1, 2, 3
HEADER = struct.Struct("<BI")
FIXED = struct.Struct("<QQdI")
MAX_TEXT_LENGTH = 256
INT64_LIMIT = 2**63


class SegmentHeader(msgspec.Struct, frozen=True):
    """The start of a segment.

    Attributes:
        profile: the hash of the profile in force, or "".
        columns: the names of the prediction columns that are stored.
    """

    profile: str = ""
    columns: tuple[str, ...] = ()


class LabelEvent(msgspec.Struct, frozen=True, kw_only=True):
    """The changes of one request with labels: enough to count its labels again.

    Attributes:
        at: arrival of the request, epoch seconds.
        outcomes: number of labels per outcome.
        dedup_keys: one per row that now has its label.
        segments: for each dedup key, the number of the segment with the exchange; -1 without a stored exchange.
        lags: seconds from prediction to label.
        profile: hash of the profile that scores the rows, or "" without rows.
        rows: number of rows to score.
        columns: the rows to score, `columns[name][row]`.
    """

    at: float
    outcomes: dict[str, int]
    dedup_keys: list[int] = msgspec.field(default_factory=list, name="marks")
    segments: list[int] = msgspec.field(default_factory=list, name="homes")
    lags: list[float] = []
    profile: str = ""
    rows: int = 0
    columns: dict[str, list[object]] = {}


@dataclass(frozen=True, slots=True)
class StoredExchange:
    """One exchange in the store.

    Attributes:
        key: key of the first request id.
        second_key: key of the second id; 0 without one.
        at: epoch seconds of the exchange.
        rows: number of predictions.
        raw: the values as MessagePack.
    """

    key: int
    second_key: int
    at: float
    rows: int
    raw: bytes = field(repr=False)

    def values(self) -> list[list[object] | None]:
        """Return the predictions, `[column][row]`. None replaces a column that the response did not have."""
        found: list[list[object] | None] = _VALUES.decode(self.raw)
        return found


_ENCODER = msgspec.msgpack.Encoder()
_VALUES = msgspec.msgpack.Decoder(list[list[object] | None])
_SEGMENT_HEADER = msgspec.msgpack.Decoder(SegmentHeader)
_LABEL_EVENT = msgspec.msgpack.Decoder(LabelEvent)

Frame = SegmentHeader | LabelEvent | StoredExchange


def encode_header(header: SegmentHeader) -> bytes:
    """Return the first frame of a segment."""
    body = _ENCODER.encode(header)
    return HEADER.pack(SEGMENT_HEADER, len(body)) + body


def encode_labels(event: LabelEvent) -> bytes:
    """Return the frame of a label event."""
    body = _ENCODER.encode(event)
    return HEADER.pack(LABELS, len(body)) + body


def encode_exchange(key: int, second_key: int, at: float, rows: int, values: list[list[object] | None]) -> bytes:
    """Return the frame of an exchange. Values that are not plain scalars are stored as missing."""
    try:
        raw = _ENCODER.encode(values)
    except (OverflowError, TypeError, UnicodeEncodeError):
        raw = _ENCODER.encode(_plain(values))
    if len(raw) > 64 + 16 * rows * len(values):
        raw = _ENCODER.encode(_plain(values))
    return HEADER.pack(EXCHANGE, FIXED.size + len(raw)) + FIXED.pack(key, second_key, at, rows) + raw


def decode_exchange_at(log: bytes | bytearray, offset: int) -> StoredExchange:
    """Return the exchange with the frame that starts at `offset`."""
    _, length = HEADER.unpack_from(log, offset)
    start = offset + HEADER.size
    body = start + FIXED.size
    key, second_key, at, rows = FIXED.unpack_from(log, start)
    return StoredExchange(key, second_key, at, rows, bytes(log[body : start + length]))


def read(raw: bytes) -> Iterator[tuple[Frame, bytes]]:
    """Yield each frame in `raw` with its bytes. Stop at the first damaged or incomplete frame."""
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
    """Return `value` if it can be stored: a number, a boolean, or a short printable text. Otherwise return None."""
    if type(value) is int:
        return value if -INT64_LIMIT <= value < INT64_LIMIT else float(value) if abs(value) < 1e308 else None
    if type(value) is str:
        return value if len(value) <= MAX_TEXT_LENGTH and value.isprintable() else None
    return value if type(value) in (bool, float) else None


def _frame(kind: int, whole: bytes) -> Frame | None:
    try:
        if kind == EXCHANGE:
            exchange = decode_exchange_at(whole, 0)
            exchange.values()
            return exchange
        decoder: msgspec.msgpack.Decoder[SegmentHeader] | msgspec.msgpack.Decoder[LabelEvent] = (
            _SEGMENT_HEADER if kind == SEGMENT_HEADER else _LABEL_EVENT
        )
        return decoder.decode(whole[HEADER.size :]) if kind in (SEGMENT_HEADER, LABELS) else None
    except (struct.error, msgspec.MsgspecError, UnicodeDecodeError):
        return None


def _plain(values: list[list[object] | None]) -> list[list[object] | None]:
    return [None if column is None else [scalar(value) for value in column] for column in values]
