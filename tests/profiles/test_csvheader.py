"""Headers of CSV files as programs write them; what is in doubt is refused or noted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pilotfish.detectors.cells import MISSING_WORDS
from pilotfish.sidecar.profiles.csvheader import read_header
from pilotfish.sidecar.profiles.csvtable import CsvOptions, read_csv
from pilotfish.sidecar.profiles.errors import ReferenceDataError
from pilotfish.sidecar.profiles.sources import RowSource
from pilotfish.sidecar.profiles.table import ReferenceTable

ROWS = "".join(f"{row / 7:.3f},{'abc'[row % 3]}\n" for row in range(60))


def read(folder: Path, text: str, **options: object) -> ReferenceTable:
    path = folder / "data.csv"
    path.write_text(text)
    return read_csv([RowSource(path, "data.csv")], CsvOptions(MISSING_WORDS, **options), lambda *_: None)  # type: ignore[arg-type]


@pytest.mark.parametrize("line", ["sep=;", '"sep=;"', "SEP=;"])
def test_the_delimiter_that_excel_writes_above_the_header_is_used(line: str, tmp_path: Path) -> None:
    assert list(read(tmp_path, f"{line}\nx;c,d\n" + ROWS.replace(",", ";")).columns) == ["x", "c,d"]


@pytest.mark.parametrize(
    "above", ["# exported on Monday\n", "# by me, today\n", "#a\n#b, c\n", "# one,two\n# three\n", "\n# x\n"]
)
def test_a_comment_above_the_header_is_refused_or_skipped(above: str, tmp_path: Path) -> None:
    with pytest.raises(ReferenceDataError, match=r"comment.*--comment '#'"):
        read(tmp_path, f"{above}x,c\n{ROWS}")
    table = read(tmp_path, f'{above}x,c\n{ROWS}# end\n"# no\n# comment",d\n', comment="#")
    assert (list(table.columns), table.rows) == (["x", "c"], 61)


def test_a_header_that_begins_with_a_number_sign_is_a_header(tmp_path: Path) -> None:
    assert list(read(tmp_path, f"#x,c\n{ROWS}").columns) == ["#x", "c"]
    table = read(tmp_path, f"# x,c\n{ROWS}")
    assert list(table.columns) == ["x", "c"]
    assert "left out" in table.notes[0]


def test_a_title_above_the_header_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReferenceDataError, match="line 1 is not a header: 'Sales of May'; it is a title"):
        read(tmp_path, f"Sales of May\n\nx,c\n{ROWS}")


@pytest.mark.parametrize(
    ("line", "rows"),
    [
        ("0.12,b,2024-03-01", "0.5,b,2024-03-02\n0.7,c,2024-03-03\n"),
        ("b,17,2024-03-02 10:00", "b,19,2024-03-02 10:05\nc,23,2024-03-02 10:09\n"),
        ("-4,c,1e5", "-3,d,1e4\n7,c,12\n"),
        ("b,red", "c,blue\nb,red2\nd,red\n"),
        ("b,3", "c,5\nb,7\n"),
        ("'a',2.50".replace("'", '"'), "'a',2.60\n'b',3.10\n".replace("'", '"')),
        ("1,2", "3,4\n5,6\n"),
    ],
)
def test_a_row_of_values_is_not_a_header(line: str, rows: str, tmp_path: Path) -> None:
    with pytest.raises(ReferenceDataError, match=r"line 1 (is a row of values|holds numbers)"):
        read(tmp_path, f"{line}\n{rows}")


@pytest.mark.parametrize("line", ["target,0,1,2", "country,2019,2020,2021", "a,b1,c2", "label,1", "q,x.5"])
def test_numbers_may_number_the_columns(line: str, tmp_path: Path) -> None:
    names = line.split(",")
    rows = "".join(",".join(["t", *[str(row)] * (len(names) - 1)]) + "\n" for row in range(30))
    table = read(tmp_path, f"{line}\n{rows}")
    assert (list(table.columns), table.notes) == (names, [])


def test_names_that_look_like_values_are_noted(tmp_path: Path) -> None:
    table = read(tmp_path, "city,2024-03-01,size\n" + "Rome,north,7\n" * 30)
    assert "['2024-03-01'] look like values" in table.notes[0]


def test_the_names_of_rows_that_r_writes_are_left_out(tmp_path: Path) -> None:
    rows = "".join(f'"{place}",{row}\n' for place, row in enumerate(ROWS.splitlines()))
    table = read(tmp_path, f'"x","c"\n{rows}')
    assert list(table.columns) == ["x", "c"]
    assert "names of rows" in table.notes[0]


def test_a_delimiter_at_the_end_of_each_row_is_no_column(tmp_path: Path) -> None:
    table = read(tmp_path, "x,c\n" + ROWS.replace("\n", ",\n"))
    assert table.columns["x"].values.dtype == np.float64


def test_a_header_among_the_rows_is_left_out(tmp_path: Path) -> None:
    table = read(tmp_path, f"x,c\n{ROWS}x,c\n{ROWS}x,c")
    assert table.rows == 120
    assert table.columns["x"].values.dtype == np.float64
    assert table.notes == ["2 rows repeat the header, as in files that were joined, and were left out"]


def test_padding_is_noted_and_other_blanks_are_part_of_a_text(tmp_path: Path) -> None:
    padded = read(tmp_path, "x, c\n" + ROWS.replace(",", ", "))
    assert padded.columns["c"].values[0] == "a"
    assert "padding" in padded.notes[0]
    table = read(tmp_path, "x,c\n" + ROWS.replace(",", ", "))
    assert table.columns["c"].values[0] == " a"
    assert "begin or end with a blank" in table.notes[0]


def test_cells_may_be_longer_than_the_limit_of_the_csv_module(tmp_path: Path) -> None:
    table = read(tmp_path, f'x,c\n1,"{"y" * 200_000}"\n2,{"z" * 200_000}\n')
    assert [len(text) for text in table.columns["c"].values] == [200_000, 200_000]


def test_columns_that_blanks_separate_need_the_delimiter(tmp_path: Path) -> None:
    text = '"x" "c"\n' + ROWS.replace(",", " ")
    with pytest.raises(ReferenceDataError, match="--delimiter ' '"):
        read(tmp_path, text)
    assert list(read(tmp_path, text, delimiter=" ").columns) == ["x", "c"]


@pytest.mark.parametrize("mark", ["^", ":", "\x01", " ", "~"])
def test_a_delimiter_that_is_not_inferred_is_named(mark: str, tmp_path: Path) -> None:
    text = f"x,c\n{ROWS}".replace(",", mark)
    with pytest.raises(ReferenceDataError, match=r"would be one column, .*; give --delimiter "):
        read(tmp_path, text)
    assert list(read(tmp_path, text, delimiter=mark).columns) == ["x", "c"]


@pytest.mark.parametrize("text", ["full name\nAda Byron\nAlan Turing\n", "home.x\n0.5\n1.5\n", "a:b\n1\n2\n", "a^b\n"])
def test_one_column_is_no_table_with_an_unknown_delimiter(text: str, tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text(text)
    lines = iter(text.splitlines(keepends=True))
    assert len(read_header(RowSource(tmp_path / "data.csv", "data.csv"), lines, None, None).names) == 1


def test_rows_without_a_value_are_noted(tmp_path: Path) -> None:
    assert read(tmp_path, f"x,c\n{ROWS},\n,NA\n").notes == [
        "2 rows hold no value, e.g. row 61; remove such rows, unless requests have them"
    ]
    assert read(tmp_path, f"x,c\n{ROWS},a\n").notes == []
