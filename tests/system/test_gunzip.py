"""Decompression: the same answer for the same input, whichever way it is read, within the limit."""

from __future__ import annotations

import gzip
import io
import os
import zlib

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.system.gunzip import (
    RAW,
    ZLIB,
    CutOffError,
    DamagedError,
    DecompressionError,
    GunzipReader,
    TooLargeError,
    gunzip,
    inflate,
    is_gzip,
)

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
def test_members_and_padding_come_back_as_one_content(parts: list[bytes], padding: int) -> None:
    raw = b"".join(map(gzip.compress, parts)) + bytes(padding)
    assert gunzip(raw, LIMIT) == read(raw) == b"".join(parts)


def test_cut_at_every_byte_it_says_that_it_is_cut_off() -> None:
    raw = gzip.compress(os.urandom(300) + bytes(3000))
    for length in range(len(raw)):
        for way in ("whole", "blocks"):
            assert outcome(raw[:length], way) is CutOffError, (length, way)
    with pytest.raises(CutOffError, match="cut off"):
        gunzip(raw[:-1], LIMIT)


def test_any_flipped_bit_is_found_or_is_one_of_padding() -> None:
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
    with pytest.raises(TooLargeError, match="larger than 999 bytes"):
        gunzip(raw, 999)


def test_a_bomb_costs_no_more_than_the_limit() -> None:
    bomb = gzip.compress(bytes(20_000_000), 9)
    with pytest.raises(TooLargeError):
        gunzip(bomb, 1000)
    assert GunzipReader(io.BytesIO(bomb)).read(10) == bytes(10)


@pytest.mark.parametrize("way", ["whole", "blocks"])
def test_what_follows_and_is_no_member_is_damage(way: str) -> None:
    assert outcome(gzip.compress(b"x") + b"garbage", way) is DamagedError


def test_the_two_forms_of_deflate() -> None:
    assert inflate(zlib.compress(b"x" * 99), 99, ZLIB) == b"x" * 99
    raw = zlib.compressobj(wbits=RAW)
    assert inflate(raw.compress(b"x" * 99) + raw.flush(), 99, RAW) == b"x" * 99
    with pytest.raises(DamagedError):
        inflate(b"not compressed at all", 99, ZLIB)


@given(st.binary(max_size=200), st.binary(max_size=20), st.integers(0, 60))
@example(b"", b"\0\1", 30)
@settings(max_examples=300)
def test_no_bytes_break_it_and_both_ways_agree(noise: bytes, patch: bytes, at: int) -> None:
    whole = gzip.compress(b"content" * 9)
    for raw in (noise, b"\x1f\x8b\x08" + noise, whole[:at] + patch + whole[at + len(patch) :]):
        assert outcome(raw, "whole") == outcome(raw, "blocks")
        is_gzip(raw)
