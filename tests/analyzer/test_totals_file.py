"""The published totals outlive the process, and belong to one analyzer at a time."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from pilotfish.sidecar.analyzer.totals_file import SLOTS, TotalsFile
from pilotfish.sidecar.errors import UsageError


def test_a_new_file_holds_nothing(tmp_path: Path) -> None:
    with closing(TotalsFile(tmp_path / "fates")) as fates:
        assert fates.read() is None


def test_totals_come_back(tmp_path: Path) -> None:
    with closing(TotalsFile(tmp_path / "fates")) as fates:
        fates.write(5, {"measured": 1})
        fates.write(5, {"measured": 2**60, "undecodable:ragged": 3})
    with closing(TotalsFile(tmp_path / "fates")) as fates:
        assert fates.read() == (5, {"measured": 2**60, "undecodable:ragged": 3})


def test_another_ledger_begins_at_nothing(tmp_path: Path) -> None:
    with closing(TotalsFile(tmp_path / "fates")) as fates:
        fates.write(5, {"measured": 9, "late_rows": 1})
        fates.write(6, {"measured": 2})
        assert fates.read() == (6, {"measured": 2})


def test_a_second_analyzer_is_kept_out(tmp_path: Path) -> None:
    with closing(TotalsFile(tmp_path / "fates")), pytest.raises(UsageError, match="another analyzer"):
        TotalsFile(tmp_path / "fates")


@pytest.mark.parametrize("content", [b"", b"x", b"PLTF" * 5000, bytes(100), b"\xff" * 16384])
def test_a_strange_file_is_replaced(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "fates").write_bytes(content)
    with closing(TotalsFile(tmp_path / "fates")) as fates:
        assert fates.read() is None
        fates.write(1, {"measured": 1})
        assert fates.read() == (1, {"measured": 1})


def test_names_beyond_the_space_are_left_out(tmp_path: Path) -> None:
    with closing(TotalsFile(tmp_path / "fates")) as fates:
        fates.write(1, {"n" * 57: 1} | {f"rows:{index}": index for index in range(SLOTS + 10)})
        found = fates.read()
        assert found is not None
        assert len(found[1]) == SLOTS
