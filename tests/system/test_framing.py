"""Record formats: after a cut at any byte or a flipped bit, only written records are read. The formats stay fixed."""

from __future__ import annotations

import io
import struct
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.system.framing import (
    BinaryFrames,
    Damage,
    FramedRecord,
    Framing,
    FramingError,
    JsonLines,
    LineFrames,
    Sealed,
)
from tests.support.examples import examples

BARE, NOTED, LINES = BinaryFrames(largest=10_000), BinaryFrames(b"MAGIC123", noted=True), LineFrames()
CHECKED = [BARE, NOTED, LINES]
SEALED = Sealed(b"PLTFTEST", 3)
PAYLOADS = st.lists(st.binary(min_size=1, max_size=40).map(lambda raw: raw.replace(b"\n", b" ")), max_size=6)


def scanned(framing: Framing, raw: bytes, start: int = 0) -> list[FramedRecord | Damage]:
    return list(framing.scan(io.BytesIO(raw), start))


def payloads(framing: Framing, raw: bytes) -> list[bytes]:
    return [found.payload for found in scanned(framing, raw) if isinstance(found, FramedRecord)]


def fitting(framing: Framing, items: list[bytes]) -> list[bytes]:
    """The payloads, as JSON objects if the framing needs them."""
    return [b'{"x":"%s"}' % item.hex().encode() for item in items] if isinstance(framing, JsonLines) else items


def framed(framing: Framing, items: list[bytes]) -> list[bytes]:
    return [framing.frame(item) for item in items]


def test_the_formats_equal_those_on_users_disks() -> None:
    crc = zlib.crc32(b"payload")
    assert BARE.frame(b"payload") == struct.pack("<II", 7, crc) + b"payload"
    assert NOTED.frame(b"payload", 42) == struct.pack("<III", 7, 42, crc) + b"payload"
    assert LINES.frame(b"payload") == b"%08x 7 payload\n" % crc
    assert JsonLines().frame(b'{"a":1}') == b'{"a":1,"crc32":"%08x"}\n' % zlib.crc32(b'{"a":1}')
    assert SEALED.wrap(b"payload") == b"PLTFTEST" + struct.pack("<HIQ", 3, crc, 7) + b"payload"
    assert (BARE.overhead, NOTED.overhead) == (8, 12)


@pytest.mark.parametrize("framing", [*CHECKED, JsonLines()])
@given(items=PAYLOADS, start=st.integers(0, 1000))
def test_framed_payloads_are_read_with_their_ends(framing: Framing, items: list[bytes], start: int) -> None:
    items = fitting(framing, items)
    frames = framed(framing, items)
    found = scanned(framing, b"".join(frames), start)
    ends = [start + sum(map(len, frames[: index + 1])) for index in range(len(frames))]
    assert found == [FramedRecord(item, end) for item, end in zip(items, ends, strict=True)]


def test_a_note_is_read() -> None:
    (found,) = scanned(NOTED, NOTED.frame(b"x", 7))
    assert found == FramedRecord(b"x", 13, 7)


@pytest.mark.parametrize("framing", [*CHECKED, JsonLines()])
def test_cut_at_every_byte_the_whole_records_before_it_are_found(framing: Framing) -> None:
    items = fitting(framing, [b"first", b"2", b"third record"])
    frames = framed(framing, items)
    raw = b"".join(frames)
    for length in range(len(raw)):
        whole = sum(length >= sum(map(len, frames[: index + 1])) for index in range(3))
        found = scanned(framing, raw[:length])
        assert [item.payload for item in found if isinstance(item, FramedRecord)] == items[:whole]
        assert not any(isinstance(item, Damage) for item in found)
        assert (found[-1].end if found else 0) == sum(map(len, frames[:whole]))


@pytest.mark.parametrize("framing", CHECKED)
def test_a_flipped_bit_loses_no_earlier_record_and_adds_none(framing: Framing) -> None:
    items = fitting(framing, [b"first", b"second", b"third"])
    frames = framed(framing, items)
    raw = b"".join(frames)
    for bit in range(len(raw) * 8):
        damaged = bytearray(raw)
        damaged[bit // 8] ^= 1 << bit % 8
        hit = next(index for index in range(3) if bit // 8 < sum(map(len, frames[: index + 1])))
        found = scanned(framing, bytes(damaged))
        kept = [item for item in found if isinstance(item, FramedRecord)]
        if framing is NOTED:  # the checksum does not cover the note, so its number may be wrong
            kept = [item for item in kept if item.note == 0]
        assert [item.payload for item in kept][:hit] == items[:hit]
        assert all(item.payload in items for item in kept)


def test_a_json_line_without_a_checksum_is_read_and_one_with_a_wrong_one_is_named() -> None:
    framing = JsonLines()
    raw = b'{"by":"hand"}\n' + framing.frame(b'{"a":1}').replace(b"1", b"2", 1) + framing.frame(b'{"b":1}')
    assert [item.payload if isinstance(item, FramedRecord) else item.place for item in scanned(framing, raw)] == [
        b'{"by":"hand"}',
        "line 2",
        b'{"b":1}',
    ]


def test_a_damaged_line_is_named_and_the_next_one_is_read() -> None:
    raw = LINES.frame(b"one") + LINES.frame(b"two").replace(b"two", b"tow") + b"\n" + LINES.frame(b"four")
    found = scanned(LINES, raw)
    assert [item.place for item in found if isinstance(item, Damage)] == ["line 2", "line 3"]
    assert [item.raw[-3:] for item in found if isinstance(item, Damage)] == [b"tow", b""]
    assert payloads(LINES, raw) == [b"one", b"four"]


def test_after_damaged_binary_records_the_next_whole_one_is_read() -> None:
    frames = [BARE.frame(b"%d" % index * 5) for index in range(5)]
    raw = bytearray(b"".join(frames))
    for damaged in (1, 2, 4):
        raw[13 * damaged + 9] ^= 1
    assert scanned(BARE, bytes(raw), 100) == [
        FramedRecord(b"00000", 113),
        Damage("byte 113", 139),
        FramedRecord(b"33333", 152),
        Damage("byte 152", 165),
    ]


def test_reading_ends_at_a_damaged_length_and_names_all_that_is_lost() -> None:
    raw = bytearray(BARE.frame(b"one") + BARE.frame(b"two") + BARE.frame(b"three"))
    raw[11 + 3] ^= 255
    assert scanned(BARE, bytes(raw), 100) == [FramedRecord(b"one", 111), Damage("byte 111", 135)]


def test_a_record_hidden_in_a_damaged_one_is_not_read() -> None:
    raw = bytearray(BARE.frame(b"text: " + BARE.frame(b"forged")) + BARE.frame(b"true"))
    for bit in range(8 * 14):
        damaged = bytearray(raw)
        damaged[bit // 8] ^= 1 << bit % 8
        assert b"forged" not in payloads(BARE, bytes(damaged))


def test_a_file_that_is_filled_with_zeros_is_damaged_and_read_at_once() -> None:
    raw = NOTED.frame(b"one") + bytes(10_000_000)
    assert scanned(NOTED, raw) == [FramedRecord(b"one", 15), Damage("byte 15", len(raw))]
    with pytest.raises(FramingError, match="0 bytes"):
        NOTED.frame(b"")


def test_a_damaged_length_reserves_no_memory() -> None:
    for length in (2**32 - 1, 2**31, 10_001):
        raw = struct.pack("<II", length, 0) + b"some bytes"
        assert scanned(BARE, raw) == [Damage("byte 0", len(raw))]
        assert scanned(BinaryFrames(), raw) == []


def test_a_large_record_is_read_in_portions() -> None:
    payload = bytes(range(256)) * 20_000
    assert payloads(NOTED, NOTED.frame(payload)) == [payload]


def test_a_record_that_is_too_large_is_refused() -> None:
    with pytest.raises(FramingError, match="10001 bytes is too large; at most 10000 are allowed"):
        BARE.frame(bytes(10_001))


@pytest.mark.parametrize("framing", [*CHECKED, JsonLines()])
@given(raw=st.binary(max_size=300))
@settings(max_examples=examples(200))
def test_any_bytes_can_be_scanned(framing: Framing, raw: bytes) -> None:
    last = 0
    for found in scanned(framing, raw):
        assert last <= found.end <= len(raw)
        last = found.end


@given(st.binary(max_size=200))
def test_a_sealed_payload_is_read(payload: bytes) -> None:
    assert SEALED.unwrap(SEALED.wrap(payload)) == (SEALED.version, payload)


def test_a_sealed_file_that_is_cut_at_any_byte_or_has_a_flipped_bit_is_refused() -> None:
    raw = SEALED.wrap(b"the payload")
    for length in range(len(raw)):
        with pytest.raises(FramingError, match="cut off"):
            SEALED.unwrap(raw[:length])
    for bit in range(len(raw) * 8):
        damaged = bytearray(raw)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(FramingError):
            SEALED.unwrap(bytes(damaged))


def test_the_error_for_another_kind_or_version_names_it() -> None:
    with pytest.raises(FramingError, match=r"not of version 3 \(magic b'PLTFTEST', version 4\)"):
        SEALED.unwrap(Sealed(b"PLTFTEST", 4).wrap(b"x"))
    with pytest.raises(FramingError, match="magic b'OTHERONE'"):
        SEALED.unwrap(Sealed(b"OTHERONE", 3).wrap(b"x"))


@given(st.binary(max_size=80))
def test_any_bytes_are_unwrapped_or_refused(raw: bytes) -> None:
    with pytest.raises(FramingError):
        SEALED.unwrap(raw)
