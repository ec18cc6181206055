"""Decompression: all functions give the same result or error, within the limit."""

from __future__ import annotations

import gzip
import io
import os
import zlib

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.system.gunzip import (
    FREE_MEMBERS,
    MEMBER_BYTES,
    RAW,
    ZLIB,
    CutOffError,
    DamagedError,
    DecompressionError,
    GunzipReader,
    OutputTooLargeError,
    gunzip,
    inflate,
    is_gzip,
)
from tests.support.examples import examples

LIMIT = 1_000_000


def read(raw: bytes, size: int = 1000) -> bytes:
    reader, parts = GunzipReader(io.BytesIO(raw)), []
    while part := reader.read(size):
        assert len(part) <= size
        parts.append(part)
    assert reader.read(size) == b""
    return b"".join(parts)


def outcome(raw: bytes, way: str) -> bytes | type[Exception]:
    try:
        return gunzip(raw, LIMIT) if way == "whole" else read(raw)
    except DecompressionError as error:
        return type(error)


@given(st.lists(st.binary(max_size=5000), min_size=1, max_size=3), st.integers(0, 20))
@settings(deadline=None)
def test_members_and_padding_are_one_content(parts: list[bytes], padding: int) -> None:
    raw = b"".join(map(gzip.compress, parts)) + bytes(padding)
    assert gunzip(raw, LIMIT) == read(raw) == b"".join(parts)


def test_a_file_cut_at_any_byte_is_reported_as_cut_off() -> None:
    raw = gzip.compress(os.urandom(300) + bytes(3000))
    for length in range(len(raw)):
        for way in ("whole", "blocks"):
            assert outcome(raw[:length], way) is CutOffError, (length, way)
    with pytest.raises(CutOffError, match="cut off"):
        gunzip(raw[:-1], LIMIT)


def test_a_flipped_bit_is_found_unless_it_is_in_padding() -> None:
    plain = b"some content that compresses a little, a little"
    raw = gzip.compress(plain, mtime=0)
    for bit in range(10 * 8, len(raw) * 8):
        damaged = bytearray(raw)
        damaged[bit // 8] ^= 1 << bit % 8
        found = outcome(bytes(damaged), "whole")
        assert found == plain or isinstance(found, type), bit
        assert found == outcome(bytes(damaged), "blocks")


def test_the_limit_holds_to_the_byte_over_all_members() -> None:
    raw = gzip.compress(bytes(600)) + gzip.compress(bytes(400))
    assert gunzip(raw, 1000) == bytes(1000)
    with pytest.raises(OutputTooLargeError, match="larger than 999 bytes"):
        gunzip(raw, 999)


def test_a_decompression_bomb_uses_no_more_memory_than_the_limit() -> None:
    bomb = gzip.compress(bytes(20_000_000), 9)
    with pytest.raises(OutputTooLargeError):
        gunzip(bomb, 1000)
    assert GunzipReader(io.BytesIO(bomb)).read(10) == bytes(10)


@pytest.mark.parametrize("way", ["whole", "blocks"])
def test_other_bytes_after_the_last_member_are_damage(way: str) -> None:
    assert outcome(gzip.compress(b"x") + b"garbage", way) is DamagedError


def test_the_two_forms_of_deflate() -> None:
    assert inflate(zlib.compress(b"x" * 99), 99, ZLIB) == b"x" * 99
    raw = zlib.compressobj(wbits=RAW)
    assert inflate(raw.compress(b"x" * 99) + raw.flush(), 99, RAW) == b"x" * 99
    with pytest.raises(DamagedError):
        inflate(b"not compressed at all", 99, ZLIB)


@given(st.binary(max_size=200), st.binary(max_size=20), st.integers(0, 60))
@example(b"", b"\0\1", 30)
@settings(max_examples=examples(300))
def test_both_ways_agree_on_any_bytes(noise: bytes, patch: bytes, at: int) -> None:
    whole = gzip.compress(b"content" * 9)
    for raw in (noise, b"\x1f\x8b\x08" + noise, whole[:at] + patch + whole[at + len(patch) :]):
        assert outcome(raw, "whole") == outcome(raw, "blocks")
        is_gzip(raw)


def test_small_members_are_damage_beyond_a_number() -> None:
    """A million empty members in a body of 8 MB took a second, and their content costs nothing."""
    members = FREE_MEMBERS * gzip.compress(b"")
    assert gunzip(members + gzip.compress(b"x"), LIMIT) == b"x"
    with pytest.raises(DamagedError, match="too many members"):
        gunzip(members + 2 * gzip.compress(b"x"), LIMIT)
    blocks = 3 * FREE_MEMBERS * gzip.compress(bytes(MEMBER_BYTES))
    assert gunzip(blocks, LIMIT) == bytes(3 * FREE_MEMBERS * MEMBER_BYTES)
