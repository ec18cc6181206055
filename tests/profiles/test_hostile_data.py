"""Hostile CSV and Parquet files end in an error that names the file and the place, within bounded time and memory."""

from __future__ import annotations

import random
from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pilotfish.detectors.cells import MISSING_WORDS as NA
from pilotfish.sidecar import cli
from pilotfish.sidecar.errors import PilotfishError
from pilotfish.sidecar.profiles import table
from pilotfish.sidecar.profiles.build import ColumnRoles, read_table
from pilotfish.sidecar.profiles.csvheader import MAX_HEADER
from pilotfish.sidecar.profiles.csvtable import CsvOptions
from tests.support.sizes import size

ROWS = 300


def read(path: Path) -> table.ReferenceTable:
    return read_table(path, ColumnRoles(), CsvOptions(NA), lambda *_: None)


def refused(path: Path) -> str:
    with pytest.raises(PilotfishError, match=path.name) as caught:
        read(path)
    return str(caught.value)


def not_utf8() -> pa.Array:
    """Return texts of which the one in row 124 is not UTF-8."""
    raw = [b"fine"] * ROWS
    raw[123] = b"\xff\xfe"
    packed = pa.array(raw, pa.binary())
    return pa.Array.from_buffers(pa.string(), ROWS, packed.buffers())


@pytest.mark.parametrize("inside", ["column", "list", "struct"])
def test_a_text_that_is_not_utf8_is_named_with_column_and_row(inside: str, tmp_path: Path) -> None:
    texts = not_utf8()
    column = {
        "column": texts,
        "list": pa.ListArray.from_arrays(pa.array(range(ROWS + 1), pa.int32()), texts),
        "struct": pa.StructArray.from_arrays([texts], ["inner"]),
    }[inside]
    pq.write_table(pa.table({"x": np.arange(ROWS), "name": column}), tmp_path / "rows.parquet")
    found = refused(tmp_path / "rows.parquet")
    assert "row 124" in found
    assert "'name" in found
    assert "UTF-8" in found


def test_a_tiny_file_with_too_many_cells_is_refused_before_they_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "MAX_CELLS", 1_999_999)
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"a": np.zeros(1_000_000, np.int8), "b": np.zeros(1_000_000, np.int8)}), path)
    assert path.stat().st_size < 20_000
    assert "give a sample of the rows" in refused(path)
    monkeypatch.setattr(table, "MAX_CELLS", 2_000_000)
    assert read(path).rows == 1_000_000


def test_a_csv_with_too_many_cells_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "MAX_CELLS", 200_000)
    path = tmp_path / "rows.csv"
    path.write_text("a\n" + "1\n" * 300_000)
    assert "give a sample of the rows" in refused(path)


@pytest.mark.parametrize("names", [[f"c{number}" for number in range(table.MAX_COLUMNS + 1)], ["c"] * 30_000])
def test_too_many_columns_are_refused_at_once(names: list[str], tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("\n".join(",".join(line) for line in (names, ["1"] * len(names))))
    assert "columns" in refused(path)


def test_a_header_without_an_end_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(b"a," * (MAX_HEADER // 2 + 1) + b"\n1\n")
    assert "line 1 is longer" in refused(path)


@pytest.mark.long
def test_a_command_that_needs_more_memory_than_there_is_ends_with_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"a": np.zeros(30_000_000, np.int8)}), path)
    monkeypatch.setattr("pilotfish.sidecar.cli.available_memory", lambda: 64 << 20)
    assert cli.main(["profile", "build", str(path), "--exchangeable", "--out", str(tmp_path / "out")]) == 2
    found = capsys.readouterr().err
    assert "not enough memory" in found or "cannot be read" in found


def damaged(raw: bytes, seed: random.Random) -> bytes:
    """Return `raw` with a few bytes changed, often in the footer of a Parquet file, and sometimes cut."""
    found = bytearray(raw)
    for _ in range(seed.randrange(1, 6)):
        place = seed.choice([seed.randrange(len(found)), len(found) - 1 - seed.randrange(min(len(found), 3000))])
        found[place] = seed.choice([seed.randrange(256), found[place] ^ (1 << seed.randrange(8)), 0, 127, 255])
    return bytes(found[: seed.randrange(len(found))] if seed.random() < 0.1 else found)


def parquet_of_all_types(folder: Path) -> bytes:
    columns = {
        "whole": np.arange(ROWS),
        "number": np.linspace(0, 1, ROWS),
        "text": [f"t{row % 7}" for row in range(ROWS)],
        "coded": pa.array(["a", "b", "c"] * (ROWS // 3)).dictionary_encode(),
        "flag": [True, False, None] * (ROWS // 3),
        "list": [[1.0, 2.0]] * ROWS,
        "texts": [["x"], None, ["y", "z"]] * (ROWS // 3),
        "struct": [{"a": 1, "b": "q"}] * ROWS,
        "time": pa.array(range(ROWS), pa.timestamp("us")),
        "decimal": pa.array(range(ROWS), pa.decimal128(20, 2)),
        "map": pa.array([[("k", 1)]] * ROWS, pa.map_(pa.string(), pa.int64())),
    }
    path = folder / "good.parquet"
    pq.write_table(pa.table(columns), path, compression="none")
    return path.read_bytes()


@pytest.mark.parametrize("form", ["parquet", "csv"])
@pytest.mark.parametrize("count", [100, pytest.param(size(1000, 5000), marks=pytest.mark.long)])
def test_damaged_files_are_read_or_refused(count: int, form: str, tmp_path: Path) -> None:
    seed = random.Random(count)
    csv = b'a,"b ""x""",c\n' + b'1,"p, q",true\n2.5,r,false\n,"[1, 2]",\n' * 50
    raw = parquet_of_all_types(tmp_path) if form == "parquet" else csv
    path = tmp_path / f"damaged.{form}"
    for _ in range(count):
        path.write_bytes(damaged(raw, seed))
        with suppress(PilotfishError):
            read(path)
