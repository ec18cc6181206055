"""The published totals survive the process, and only one analyzer may use the file."""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from pilotfish.sidecar.analyzer.totals_file import BANK, SIZE, SLOTS, TotalsFile
from pilotfish.sidecar.errors import UsageError
from tests.support.limits import largest_file


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


def damaged(path: Path, raw: bytes) -> tuple[tuple[int, dict[str, int]] | None, str]:
    """What a file with the content `raw` is read as, and the problem."""
    path.write_bytes(raw)
    with closing(TotalsFile(path)) as fates:
        return fates.read(), fates.problem


def test_each_flipped_bit_is_reported_and_the_other_copy_is_used(tmp_path: Path) -> None:
    path, totals = tmp_path / "fates", {"measured": 3, "undecodable:ragged": 2**40}
    with closing(TotalsFile(path)) as fates:
        fates.write(5, totals)
        assert fates.problem == ""
    raw = path.read_bytes()
    for bank in (0, BANK):
        for bit in [*range(40 * 8), *range(64 * 8, (64 + 2 * 64) * 8, 7)]:
            changed = bytearray(raw)
            changed[bank + bit // 8] ^= 1 << bit % 8
            found, problem = damaged(path, bytes(changed))
            assert found == (5, totals)
            assert "fates.refused" in problem
    assert (tmp_path / "fates.refused").read_bytes() == changed
    with closing(TotalsFile(path)) as fates:
        assert fates.problem == "", "it is set aside once"


@pytest.mark.parametrize("length", [*range(1, 200, 7), BANK - 1, BANK, BANK + 1, BANK + 100, SIZE - 1])
def test_a_cut_file_is_read_exactly_or_reported(tmp_path: Path, length: int) -> None:
    path = tmp_path / "fates"
    with closing(TotalsFile(path)) as fates:
        fates.write(5, {"measured": 3})
    found, problem = damaged(path, path.read_bytes()[:length])
    assert found == (5, {"measured": 3}) or "fates.refused" in problem


def test_a_kill_between_any_two_writes_leaves_the_old_or_the_new_totals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pwrite, path, left = os.pwrite, tmp_path / "fates", 0

    def write(*given: Any) -> int:
        nonlocal left
        left -= 1
        if left < 0:
            raise OSError(errno.EIO, "killed")
        return pwrite(*given)

    for writes in range(7):
        path.unlink(missing_ok=True)
        with closing(TotalsFile(path)) as fates:
            fates.write(5, {"measured": 1})
            left = writes
            with monkeypatch.context() as patched:
                patched.setattr(os, "pwrite", write)
                fates.write(5, {"measured": 2})
        with closing(TotalsFile(path)) as fates:
            assert (fates.read(), fates.problem) == ((5, {"measured": 2 if writes >= 3 else 1}), "")


def test_a_file_of_version_1_is_read(tmp_path: Path) -> None:
    slot = b"measured".ljust(56, b"\0") + struct.pack("<Q", 7)
    raw = struct.pack("<QQQQ32x", 0x4641_5445_5346_4C50, 1, 5, 1) + slot
    assert damaged(tmp_path / "fates", raw.ljust(16384, b"\0")) == ((5, {"measured": 7}), "")


def test_a_full_disk_is_reported_until_there_is_room(tmp_path: Path) -> None:
    with largest_file(100), closing(TotalsFile(tmp_path / "fates")) as fates:
        fates.write(5, {"measured": 1})
        assert "cannot write" in fates.problem
    with closing(TotalsFile(tmp_path / "fates")) as fates:
        fates.write(5, {"measured": 1})
        assert (fates.read(), fates.problem) == ((5, {"measured": 1}), "")


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_what_is_no_file_is_set_aside(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "fates")
    with closing(TotalsFile(tmp_path / "fates")) as fates:
        fates.write(5, {"measured": 1})
    assert (tmp_path / "fates.refused").exists()


def test_a_sparse_file_of_any_size_is_read_at_once(tmp_path: Path) -> None:
    path = tmp_path / "fates"
    with closing(TotalsFile(path)) as fates:
        fates.write(5, {"measured": 3})
    os.truncate(path, 1 << 40)
    with closing(TotalsFile(path)) as fates:
        assert fates.read() == (5, {"measured": 3})


def test_any_name_of_a_model_is_read_back(tmp_path: Path) -> None:
    totals = {"rows:input:m\n\x1b": 1, "rows:input:\u200b": 2, "rows:input:\ufffd": 3}
    with closing(TotalsFile(tmp_path / "fates")) as fates:
        fates.write(5, totals)
    with closing(TotalsFile(tmp_path / "fates")) as fates:
        assert fates.read() == (5, totals)


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "fates").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="symbolic links"):
        TotalsFile(tmp_path / "fates")
    assert not (tmp_path / "elsewhere").exists()
