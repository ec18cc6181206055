"""The journal: appended bytes are read back after a crash, and a full disk is reported and recovered from."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.analyzer.feedback.journal import JournalError, LabelJournal
from tests.support.examples import examples


def loaded(folder: Path) -> list[tuple[int, list[bytes]]]:
    return [(number, [raw for _, raw in chunks]) for number, chunks in LabelJournal(folder).load()]


def test_appended_bytes_are_read_back_in_order(tmp_path: Path) -> None:
    made = LabelJournal(tmp_path)
    made.append([(1, b"a"), (2, b"b")], 1, sync=True)
    made.append([(2, b"c")], 1, sync=False)
    assert loaded(tmp_path) == [(1, [b"a"]), (2, [b"b", b"c"])]
    again = LabelJournal(tmp_path)
    ((_, _), (number, chunks)) = again.load()
    assert again.position == made.position == (number, chunks[-1][0])
    again.append([(2, b"d")], 2, sync=True)
    assert loaded(tmp_path) == [(2, [b"b", b"c", b"d"])]


def test_a_torn_chunk_is_removed(tmp_path: Path) -> None:
    LabelJournal(tmp_path).append([(1, b"whole"), (1, b"torn")], 1, sync=True)
    path = tmp_path / "feedback-00000001.log"
    path.write_bytes(path.read_bytes()[:-2])
    assert loaded(tmp_path) == [(1, [b"whole"])]
    again = LabelJournal(tmp_path)
    again.load()
    again.append([(1, b"more")], 1, sync=True)
    assert loaded(tmp_path) == [(1, [b"whole", b"more"])]


@given(at=st.integers(0, 60), flip=st.integers(1, 255))
@settings(max_examples=examples(40), deadline=None)
def test_whole_chunks_are_read_and_lost_bytes_are_reported_once(
    at: int, flip: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("journal")
    pieces = [b"first piece", b"second piece", b"third piece"]
    LabelJournal(folder).append([(1, raw) for raw in pieces], 1, sync=False)
    path = folder / "feedback-00000001.log"
    raw = bytearray(path.read_bytes())
    at %= len(raw)
    raw[at] ^= flip
    path.write_bytes(raw)
    journal = LabelJournal(folder)
    ((_, chunks),) = journal.load()
    found = [payload for _, payload in chunks]
    assert found == [piece for piece in pieces if piece in found]
    lost = len(raw) - sum(8 + len(piece) for piece in found)
    assert f"{lost} bytes" in journal.damage
    if at >= 23 or 4 <= at < 19:  # only the length of the first chunk hides all others
        assert found
    again = LabelJournal(folder)
    ((_, chunks),) = again.load()
    assert ([payload for _, payload in chunks], again.damage) == (found, "")


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_what_is_no_file_is_set_aside_and_reported_once(tmp_path: Path, make: Callable[[Path], None]) -> None:
    path = tmp_path / "feedback-00000001.log"
    make(path)
    journal = LabelJournal(tmp_path)
    assert journal.load() == []
    assert "feedback-00000001.log.refused" in journal.damage
    journal.append([(1, b"a")], 1, sync=True)
    assert loaded(tmp_path) == [(1, [b"a"])]


def test_a_full_disk_is_reported_and_the_bytes_are_written_later(tmp_path: Path) -> None:
    made = LabelJournal(tmp_path)
    made.append([(1, b"a")], 1, sync=True)
    path = tmp_path / "feedback-00000002.log"
    path.mkdir()  # like a full disk, this makes writing fail, also for root
    with pytest.raises(JournalError, match="send them again later"):
        made.append([(2, b"b")], 1, sync=True)
    assert "cannot be written" in made.problem
    assert made.position == (1, 9)
    path.rmdir()
    made.append([(2, b"c")], 1, sync=True)
    assert made.problem == ""
    assert loaded(tmp_path) == [(1, [b"a"]), (2, [b"b", b"c"])]


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "feedback-1.log").write_bytes(b"mine")
    (tmp_path / "checkpoint").write_bytes(b"x")
    made = LabelJournal(tmp_path)
    assert made.load() == []
    made.append([(9, b"a")], 9, sync=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint", "feedback-00000009.log", "feedback-1.log"]
