"""The published totals survive the process, and only one analyzer may use the file."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from pilotfish.sidecar.analyzer.totals_file import SLOTS, TotalsFile
from pilotfish.sidecar.errors import UsageError


def test_a_new_file_is_empty(tmp_path: Path) -> None:
    with closing(TotalsFile(tmp_path / "fates")) as fates:
        assert fates.read() is None


def test_totals_are_read_back(tmp_path: Path) -> None:
    with closing(TotalsFile(tmp_path / "fates")) as fates:
        fates.write(5, {"measured": 1})
        fates.write(5, {"measured": 2**60, "undecodable:ragged": 3})
    with closing(TotalsFile(tmp_path / "fates")) as fates:
        assert fates.read() == (5, {"measured": 2**60, "undecodable:ragged": 3})


def test_another_ledger_starts_from_zero(tmp_path: Path) -> None:
    with closing(TotalsFile(tmp_path / "fates")) as fates:
        fates.write(5, {"measured": 9, "late_rows": 1})
        fates.write(6, {"measured": 2})
        assert fates.read() == (6, {"measured": 2})


def test_a_second_analyzer_is_refused(tmp_path: Path) -> None:
    with closing(TotalsFile(tmp_path / "fates")), pytest.raises(UsageError, match="another analyzer"):
        TotalsFile(tmp_path / "fates")


@pytest.mark.parametrize("content", [b"", b"x", b"PLTF" * 5000, bytes(100), b"\xff" * 16384])
def test_an_invalid_file_is_replaced(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "fates").write_bytes(content)
    with closing(TotalsFile(tmp_path / "fates")) as fates:
        assert fates.read() is None
        fates.write(1, {"measured": 1})
        assert fates.read() == (1, {"measured": 1})


def test_names_beyond_the_capacity_are_left_out(tmp_path: Path) -> None:
    with closing(TotalsFile(tmp_path / "fates")) as fates:
        fates.write(1, {"n" * 57: 1} | {f"rows:{index}": index for index in range(SLOTS + 10)})
        found = fates.read()
        assert found is not None
        assert len(found[1]) == SLOTS


@pytest.mark.parametrize(
    ("place", "word"), [(1, 9), (2, 0), (2, 2**64 - 1), (3, SLOTS + 1), (15, 2**63), (8, 0xFFFF_FFFF_FFFF_FFFF)]
)
def test_a_damaged_file_is_set_aside_and_said(tmp_path: Path, place: int, word: int) -> None:
    path = tmp_path / "fates"
    with closing(TotalsFile(path)) as fates:
        fates.write(5, {"measured": 3})
        assert fates.problem == ""
    raw = bytearray(path.read_bytes())
    raw[8 * place : 8 * place + 8] = word.to_bytes(8, "little")
    path.write_bytes(raw)
    with closing(TotalsFile(path)) as fates:
        assert fates.read() is None
        assert "fates.refused" in fates.problem
        fates.write(1, {"measured": 1})
    assert (tmp_path / "fates.refused").read_bytes() == raw
    with closing(TotalsFile(path)) as fates:
        assert fates.problem == ""


def test_any_name_of_a_model_is_read_back(tmp_path: Path) -> None:
    totals = {"rows:input:m\n\x1b": 1, "rows:input:\u200b": 2, "rows:input:\ufffd": 3}
    with closing(TotalsFile(tmp_path / "fates")) as fates:
        fates.write(5, totals)
    with closing(TotalsFile(tmp_path / "fates")) as fates:
        assert fates.read() == (5, totals)


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "fates").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="cannot open"):
        TotalsFile(tmp_path / "fates")
    assert not (tmp_path / "elsewhere").exists()
