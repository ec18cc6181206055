"""Rows from several files and from the standard input are those of one file."""

from __future__ import annotations

import gzip
import os
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.detectors.batch import missing_mask
from pilotfish.detectors.cells import MISSING_WORDS
from pilotfish.sidecar import cli
from pilotfish.sidecar.profiles.build import ColumnRoles, read_table
from pilotfish.sidecar.profiles.csvtable import CsvOptions
from pilotfish.sidecar.profiles.errors import ReferenceDataError
from pilotfish.sidecar.profiles.files import read_profile
from pilotfish.sidecar.profiles.table import ReferenceTable
from tests.support.examples import examples

CELLS = st.sampled_from(["1", "2.5", "x", "", "NA", "007", '"a,b"', "true"])
ROWS = "".join(f"{row / 7:.3f},{'abc'[row % 3]}\n" for row in range(600))


def read(*paths: Path) -> ReferenceTable:
    return read_table(list(paths), ColumnRoles(), CsvOptions(MISSING_WORDS), lambda *_: None)


def cells(table: ReferenceTable) -> dict[str, list[str]]:
    """Return the values by column, "None" where one is missing."""
    found = {}
    for name, column in table.columns.items():
        missing = missing_mask(column).tolist()
        found[name] = [
            repr(None if gone else value) for gone, value in zip(missing, column.values.tolist(), strict=True)
        ]
    return found


@settings(max_examples=examples(30))
@given(st.lists(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=8), min_size=1, max_size=4))
def test_several_files_are_read_as_one(
    tmp_path_factory: pytest.TempPathFactory, parts: list[list[tuple[str, str]]]
) -> None:
    folder, paths = tmp_path_factory.getbasetemp(), []
    for number, rows in enumerate(parts):
        paths.append(folder / f"part{number}.csv")
        paths[-1].write_text("a,b\n" + "".join(",".join(row) + "\n" for row in rows))
    whole = folder / "whole.csv"
    whole.write_text("a,b\n" + "".join(",".join(row) + "\n" for rows in parts for row in rows))
    assert cells(read(*paths)) == cells(read(whole))


def test_columns_may_be_in_another_order_and_files_in_another_form(tmp_path: Path) -> None:
    one, two = tmp_path / "one.csv", tmp_path / "two.csv.gz"
    one.write_text("a,b\n1,x\n")
    two.write_bytes(gzip.compress(b"b;a\ny;2\n"))
    assert cells(read(one, two)) == {"a": ["1.0", "2.0"], "b": ["'x'", "'y'"]}


@pytest.mark.parametrize(
    ("header", "what"),
    [("a", "lacks the column 'b'"), ("a,b,c", "also has the column 'c'"), ("A,b", "lacks the column 'a'")],
)
def test_a_file_with_other_columns_is_named_with_the_column(header: str, what: str, tmp_path: Path) -> None:
    one, two = tmp_path / "one.csv", tmp_path / "two.csv"
    one.write_text("a,b\n1,2\n")
    two.write_text(f"{header}\n" + ",".join("5" * len(header.split(","))) + "\n")
    with pytest.raises(ReferenceDataError, match=f"two.csv: {what}, unlike .*one.csv"):
        read(one, two)


def test_parquet_files_are_joined_and_types_without_a_common_one_are_named(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.parquet" for number in range(3)]
    pq.write_table(pa.table({"a": [1, 2], "b": ["x", None]}), paths[0])
    pq.write_table(pa.table({"b": pa.array(["y"]).dictionary_encode(), "a": [2.5]}), paths[1])
    pq.write_table(pa.table({"a": ["no"], "b": ["z"]}), paths[2])
    table = read(*paths[:2])
    assert cells(table) == {"a": ["1.0", "2.0", "2.5"], "b": ["'x'", "None", "'y'"]}
    with pytest.raises(ReferenceDataError, match=r"2.parquet: column 'a' holds string, but double in .*0.parquet"):
        read(*paths)
    csv = tmp_path / "rows.csv"
    csv.write_text("a,b\n1,x\n")
    with pytest.raises(ReferenceDataError, match=r"rows.csv: has another format"):
        read(paths[0], csv)


def test_a_parquet_file_without_a_readable_column_names_the_types(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"took": pa.array([1, 2], pa.duration("us"))}), path)
    with pytest.raises(ReferenceDataError, match=r"no column can be read: 'took' holds values of type duration\[us\]"):
        read(path)


@pytest.mark.parametrize("kind", ["pipe", pytest.param("file", marks=pytest.mark.long)])
def test_the_standard_input_is_a_file(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("x,c\n" + ROWS)
    if kind == "pipe":
        read_end, write_end = os.pipe()
        os.write(write_end, path.read_bytes())
        os.close(write_end)
        given_input = open(read_end, encoding="utf-8")  # noqa: SIM115
    else:
        given_input = path.open(encoding="utf-8")
    with given_input:
        monkeypatch.setattr(sys, "stdin", given_input)
        assert cli.main(["profile", "build", "-", "--out", str(tmp_path / "piped.json")]) == 0
    assert cli.main(["profile", "build", str(path), "--out", str(tmp_path / "read.json")]) == 0
    piped, read_ = (read_profile(tmp_path / f"{name}.json") for name in ("piped", "read"))
    assert [feature.reference_counts.tolist() for feature in piped.features] == [
        feature.reference_counts.tolist() for feature in read_.features
    ]
    assert (read_.reference.rows, piped.reference.rows) == (600, 600)


def test_the_standard_input_is_read_once(tmp_path: Path) -> None:
    with pytest.raises(ReferenceDataError, match="only once"):
        read(Path("-"), Path("-"))


@pytest.mark.long
def test_replay_reads_several_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, profile = tmp_path / "rows.csv", tmp_path / "profile.json"
    path.write_text("x,c\n" + ROWS)
    assert cli.main(["profile", "build", str(path), str(path), "--out", str(profile)]) == 0
    capsys.readouterr()
    assert cli.main(["replay", str(path), str(path), "--profile", str(profile)]) == 0
    assert "1,200 rows" in capsys.readouterr().out


def test_one_row_is_no_reference(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("x,c\n1,a\n")
    assert cli.main(["profile", "build", str(path), "--out", str(tmp_path / "p.json")]) == 2
    assert "has only 1 row, which is too few for a reference; give some hundred rows" in capsys.readouterr().err


@pytest.mark.long
def test_rows_out_of_order_give_the_profile_of_the_rows_in_order(tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    lines = [f"{1_700_000_000 + 60 * row},{random.normal():.4f}" for row in range(900)]
    for name, order in (("sorted", range(900)), ("mixed", random.permutation(900))):
        path = tmp_path / f"{name}.csv"
        path.write_text("at,x\n" + "\n".join(lines[row] for row in order) + "\n")
        assert cli.main(["profile", "build", str(path), "--time", "at", "--out", str(tmp_path / f"{name}.json")]) == 0
    one, two = (read_profile(tmp_path / f"{name}.json") for name in ("sorted", "mixed"))
    assert one.hash == two.hash
