"""The journal: what was appended comes back, whatever a crash cut short; a full disk is said and made up for."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.analyzer.feedback.journal import JournalError, LabelJournal
from tests.support.examples import examples


def loaded(folder: Path) -> list[tuple[int, list[bytes]]]:
    return [(number, [raw for _, raw in chunks]) for number, chunks in LabelJournal(folder).load()]


def test_what_was_appended_comes_back_in_order(tmp_path: Path) -> None:
    made = LabelJournal(tmp_path)
    made.append([(1, b"a"), (2, b"b")], 1, sync=True)
    made.append([(2, b"c")], 1, sync=False)
    assert loaded(tmp_path) == [(1, [b"a"]), (2, [b"b", b"c"])]
    again = LabelJournal(tmp_path)
    ((_, _), (number, chunks)) = again.load()
    assert again.position == made.position == (number, chunks[-1][0])
    again.append([(2, b"d")], 2, sync=True)
    assert loaded(tmp_path) == [(2, [b"b", b"c", b"d"])]


def test_a_piece_that_a_crash_cut_short_is_cut_off(tmp_path: Path) -> None:
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
def test_a_damaged_byte_costs_at_most_what_follows_it(
    at: int, flip: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("journal")
    pieces = [b"first piece", b"second piece", b"third piece"]
    LabelJournal(folder).append([(1, raw) for raw in pieces], 1, sync=False)
    path = folder / "feedback-00000001.log"
    raw = bytearray(path.read_bytes())
    raw[at % len(raw)] ^= flip
    path.write_bytes(raw)
    ((_, found),) = loaded(folder)
    assert found == pieces[: len(found)]


def test_a_full_disk_is_said_and_made_up_for(tmp_path: Path) -> None:
    made = LabelJournal(tmp_path)
    made.append([(1, b"a")], 1, sync=True)
    path = tmp_path / "feedback-00000002.log"
    path.mkdir()  # as good as a full disk, for root, too
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
