"""Rows on disk: appended rows are read back after a kill, a full disk or damage by other programs."""

from __future__ import annotations

import errno
import os
import struct
import zlib
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotfish.sidecar.rows.blocks import FRAMES, MAGIC, RowBlock, count_rows, parse, render
from pilotfish.sidecar.rows.buffer import FULL_BYTES, FULL_ROWS, RowBuffer
from pilotfish.sidecar.rows.errors import RowsError
from pilotfish.sidecar.rows.log import RowLog, list_segments, newest_blocks, read_blocks
from pilotfish.sidecar.system.framing import FramedRecord

MIB = 1 << 20


def opened(folder: Path, *, rows: int = 1000, size: int = MIB, newest: bool = False) -> RowLog:
    return RowLog(folder, "recent", most_rows=rows, most_bytes=size, newest=newest)


def block(first: int, rows: int = 10) -> RowBlock:
    numbers: list[Any] = list(range(first, first + rows))
    return RowBlock([float(number) for number in numbers], {"a": numbers, "b": ["x"] * rows}, {"y": [None] * rows})


def numbers(folder: Path) -> list[int]:
    return [number for item in read_blocks(folder, "recent") for number in item.inputs["a"]]


def scanned(file: BytesIO) -> list[FramedRecord]:
    return [found for found in FRAMES.scan(file, 0) if isinstance(found, FramedRecord)]


def test_appended_rows_are_read_after_a_restart(tmp_path: Path) -> None:
    assert opened(tmp_path).append([block(0), block(10)]) == 0
    again = opened(tmp_path)
    again.append([block(20)])
    assert (again.rows, numbers(tmp_path)) == (30, list(range(30)))
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}


def test_damaged_blocks_and_unreadable_segments_are_named(tmp_path: Path) -> None:
    log = opened(tmp_path)
    log.append([block(0), block(10), block(20)])
    (path,) = list_segments(tmp_path, "recent")
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 0xFF
    path.write_bytes(raw)
    (tmp_path / "recent.000000000002.rows").symlink_to(path)  # is not followed
    notes: list[str] = []
    assert [found.inputs["a"][0] for found in read_blocks(tmp_path, "recent", notes.append)] == [0, 20]
    assert len(notes) == 2
    assert "1 blocks of rows" in notes[0]
    assert "are damaged" in notes[0]
    assert "are left out: Too many levels of symbolic links" in notes[1]


def test_a_torn_end_is_removed_and_counted(tmp_path: Path) -> None:
    log = opened(tmp_path)
    log.append([block(0), block(10)])
    (path,) = list_segments(tmp_path, "recent")
    os.truncate(path, log.size - 3)
    again = opened(tmp_path)
    assert (again.rows, again.cut > 0, numbers(tmp_path)) == (10, True, list(range(10)))
    again.append([block(50)])
    assert numbers(tmp_path) == [*range(10), *range(50, 60)]


def test_only_the_first_rows_are_kept(tmp_path: Path) -> None:
    log = opened(tmp_path, rows=30)
    assert log.append([block(10 * index) for index in range(5)]) == 20
    assert (numbers(tmp_path), log.full) == (list(range(30)), True)


def test_the_newest_rows_and_at_most_an_eighth_more_are_kept(tmp_path: Path) -> None:
    log = opened(tmp_path, rows=80, newest=True)
    assert log.append([block(10 * index) for index in range(100)]) == 0
    assert 80 <= log.rows <= 90
    found = [number for item in newest_blocks(tmp_path, "recent", 75) for number in item.inputs["a"]]
    assert found == list(range(925, 1000))


def test_bytes_are_bounded_and_oversized_blocks_are_counted(tmp_path: Path) -> None:
    log = opened(tmp_path, rows=10**6, size=64 * 1024, newest=True)
    assert log.append([RowBlock([0.0], {"text": ["x" * 60_000]}, {})]) == 1
    for index in range(200):
        log.append([RowBlock([0.0], {"text": ["x" * 1000], "a": [index]}, {})])
        assert log.size <= 64 * 1024
    assert numbers(tmp_path)[-1] == 199


def test_a_full_disk_is_reported_and_leaves_intact_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = opened(tmp_path)
    log.append([block(0)])
    write, room = os.write, [20]

    def full(descriptor: int, raw: Any) -> int:
        if not room[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        taken, room[0] = raw[: room[0]], 0
        return write(descriptor, taken)

    with monkeypatch.context() as patched:
        patched.setattr("pilotfish.sidecar.system.files.os.write", full)
        assert log.append([block(10)]) == 10
    assert ("No space left" in log.problem, log.full) == (True, False)
    assert log.append([block(20)]) == 0
    assert (log.problem, numbers(tmp_path)) == ("", [*range(10), *range(20, 30)])


def test_large_numbers_and_numpy_values_are_written_and_others_refused() -> None:
    (found,) = scanned(BytesIO(render(RowBlock([1.0], {"a": [10**30], "b": [np.float32(2)], "c": [np.arange(2)]}, {}))))
    assert parse(found.payload).inputs == {"a": [1e30], "b": [2.0], "c": [[0, 1]]}
    with pytest.raises(RowsError, match="cannot be written"):
        render(RowBlock([1.0], {"a": [object()]}, {}))


def test_the_buffer_omits_masked_columns_and_joins_equal_columns() -> None:
    buffer = RowBuffer(frozenset({"name"}))
    buffer.add(1.0, 2, {"a": [1, 2], "name": ["x", "y"]}, {"p": [0.1, 0.2]})
    buffer.add(2.0, 1, {"a": [3], "name": ["z"]}, {"p": [0.3]})
    buffer.add(3.0, 1, {"b": [4]}, {})
    assert buffer.rows == 4
    assert buffer.take() == [
        RowBlock([1.0, 1.0, 2.0], {"a": [1, 2, 3]}, {"p": [0.1, 0.2, 0.3]}),
        RowBlock([3.0], {"b": [4]}, {}),
    ]
    assert (buffer.rows, buffer.take()) == (0, [])


@given(st.binary(max_size=300), st.integers(0, 400))
def test_no_bytes_crash_the_reader(damage: bytes, place: int) -> None:
    whole = render(block(0)) + render(block(10))
    raw = whole[:place] + damage + whole[place + len(damage) :]
    for record in scanned(BytesIO(raw)):
        assert record.note < 2**32
        with suppress(RowsError):  # refusing is correct
            parse(record.payload)


@given(
    st.one_of(
        st.binary(min_size=1, max_size=200),
        st.recursive(st.none() | st.integers(-9, 9) | st.text(max_size=3), st.lists),
    )
)
def test_no_payload_crashes_the_parser(payload: Any) -> None:
    raw = payload if isinstance(payload, bytes) else msgspec.msgpack.encode(payload)
    framed = MAGIC + struct.pack("<III", len(raw), 1, zlib.crc32(raw)) + raw
    file = BytesIO(framed)
    file.read(len(MAGIC))
    (found,) = scanned(file)
    with suppress(RowsError):  # refusing is correct
        parse(found.payload)


@pytest.mark.parametrize("rows", [1, 15, 16, 300, 70_000])
def test_the_number_of_rows_is_read_from_the_checked_part_of_a_block(tmp_path: Path, rows: int) -> None:
    raw = bytearray(render(RowBlock([1.0] * rows, {"a": [0] * rows}, {})))
    raw[4] ^= 0xFF  # the number of rows beside the checksum
    (tmp_path / "recent.000000000001.rows").write_bytes(MAGIC + raw)
    log = RowLog(tmp_path, "recent", most_rows=100_000, most_bytes=1 << 30, newest=True)
    assert log.rows == rows


@given(st.binary(max_size=40))
def test_counting_rows_of_any_bytes_never_raises(payload: bytes) -> None:
    assert count_rows(payload) >= 0


@given(st.lists(st.integers(1, 30), min_size=1, max_size=20), st.integers(1, 20))
def test_the_buffer_keeps_the_last_rows_of_each_exchange(counts: list[int], most: int) -> None:
    buffer = RowBuffer(frozenset())
    expected: list[int] = []
    for count in counts:
        buffer.add(0.0, count, {"a": list(range(count)), "b": np.arange(count)}, {}, most_rows=most, size=1)
        expected += range(count)[-most:]
    assert (buffer.rows, buffer.size) == (len(expected), len(counts))
    blocks = buffer.take()
    assert [value for block in blocks for value in block.inputs["a"]] == expected
    assert [value for block in blocks for value in block.inputs["b"]] == expected
    assert (buffer.rows, buffer.size) == (0, 0)


@pytest.mark.parametrize(("rows", "size", "full"), [(1, FULL_BYTES, True), (FULL_ROWS, 1, True), (1, 1, False)])
def test_a_buffer_is_full_by_rows_or_by_bytes(rows: int, size: int, full: bool) -> None:
    buffer = RowBuffer(frozenset())
    buffer.add(0.0, rows, {"a": ["x"] * rows}, {}, size=size)
    assert buffer.full == full
