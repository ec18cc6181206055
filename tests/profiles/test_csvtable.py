"""Reading CSV files: cells, delimiters, encodings, and errors with the line and the remedy."""

from __future__ import annotations

import codecs
import contextlib
import csv
import gzip
import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotfish.detectors.cells import MISSING_WORDS as NA
from pilotfish.sidecar.profiles import csvlines, csvtable
from pilotfish.sidecar.profiles.csvtable import CsvOptions, read_csv
from pilotfish.sidecar.profiles.errors import ReferenceDataError
from pilotfish.sidecar.profiles.sources import RowSource
from pilotfish.sidecar.profiles.table import ReferenceTable


def read(folder: Path, raw: bytes | str, **options: object) -> ReferenceTable:
    path = folder / "data.csv"
    path.write_bytes(raw if isinstance(raw, bytes) else raw.encode())
    return read_csv([RowSource(path, str(path))], CsvOptions(**{"na": NA, **options}), lambda *_: None)  # type: ignore[arg-type]


def values(table: ReferenceTable, name: str) -> list[object]:
    column = table.columns[name]
    missing = column.missing if column.missing is not None else np.zeros(len(column.values), bool)
    cells = zip(column.values.tolist(), missing.tolist(), strict=True)
    return [None if gone or value != value else value for value, gone in cells]


def test_numbers_texts_and_missing_values(tmp_path: Path) -> None:
    table = read(tmp_path, "a,b,c\n1,x,\n2.5,,NA\n-1e3,x,nan\n")
    assert values(table, "a") == [1.0, 2.5, -1000.0]
    assert values(table, "b") == ["x", None, "x"]
    assert values(table, "c") == [None, None, None]
    assert (table.rows, table.notes) == (3, [])


def test_quoting_survives_delimiters_quotes_and_line_ends_inside(tmp_path: Path) -> None:
    table = read(tmp_path, 'a,"b ""c"""\r\n"x,y","line 1\r\nline 2"\r\n"z","\u2028x\x0b"\r\n')
    assert values(table, "a") == ["x,y", "z"]
    assert values(table, 'b "c"') == ["line 1\r\nline 2", "\u2028x\x0b"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_kind_of_line_end_with_or_without_the_last_one(tmp_path: Path, end: str) -> None:
    for tail in ("", end, end * 3):
        assert values(read(tmp_path, f"a,b{end}1,x{end}2,y{tail}"), "a") == [1, 2]


def test_a_byte_order_mark_is_not_part_of_the_first_name(tmp_path: Path) -> None:
    assert list(read(tmp_path, codecs.BOM_UTF8 + b"a,b\n1,2\n").columns) == ["a", "b"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_in_the_header(tmp_path: Path, delimiter: str) -> None:
    table = read(tmp_path, f'a{delimiter}"b,;x"\n1{delimiter}2\n')
    assert list(table.columns) == ["a", "b,;x"]


def test_gzip_is_recognised_by_its_first_bytes(tmp_path: Path) -> None:
    assert values(read(tmp_path, gzip.compress(b"a\n1\n") + gzip.compress(b"2\n")), "a") == [1, 2]


def test_codes_are_not_numbers(tmp_path: Path) -> None:
    table = read(tmp_path, "zip,under,hex\n00501,1_000,0x10\n10001,2_000,0x11\n")
    assert values(table, "zip") == ["00501", "10001"]
    assert values(table, "under") == ["1_000", "2_000"]
    assert values(table, "hex") == ["0x10", "0x11"]
    assert values(read(tmp_path, "x\n0.5\n-0.25\n0\n"), "x") == [0.5, -0.25, 0.0]


def test_a_column_whose_first_text_comes_late_keeps_the_spelling_of_its_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csvtable, "CELLS", 2)
    rows = "".join(f"{index}.50,{index}\n" for index in range(10))
    table = read(tmp_path, f"a,b\n{rows}n/a,10\nlate,11\n")
    assert values(table, "a") == [*(f"{index}.50" for index in range(10)), None, "late"]
    assert values(table, "b") == list(range(12))
    assert list(table.columns) == ["a", "b"]


def test_a_few_texts_leave_the_other_cells_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csvtable, "CELLS", 2)
    rows = "".join(f"{index}.50\n" for index in range(100))
    assert values(read(tmp_path, f"a\n{rows}late\nNA\n"), "a") == [*(index + 0.5 for index in range(100)), "late", None]
    kept = read(tmp_path, f"a\n{rows}late\n", names=frozenset("a"))
    assert values(kept, "a") == [*(f"{index}.50" for index in range(100)), "late"]


def test_columns_may_be_skipped(tmp_path: Path) -> None:
    table = read(tmp_path, "a,b\n1,2\n", skipped=frozenset("b"))
    assert list(table.columns) == ["a"]


def test_numbers_that_are_names_are_not_rounded(tmp_path: Path) -> None:
    table = read(tmp_path, "a,b\n9007199254740993,1.0\n,2.0\n", names=frozenset({"a", "b"}))
    assert values(table, "a") == ["9007199254740993", None]
    assert values(table, "b") == [1.0, 2.0]


@pytest.mark.parametrize("spelling", ["true,false", "True,False", "TRUE,FALSE"])
def test_every_spelling_of_a_boolean_is_recognised(tmp_path: Path, spelling: str) -> None:
    yes, no = spelling.split(",")
    assert values(read(tmp_path, f"a,b\n{yes},1\n,2\n{no},3\n"), "a") == [True, None, False]
    assert values(read(tmp_path, f"a,b\n{yes},1\nmaybe,2\n"), "a") == [yes, "maybe"]


def test_spellings_of_missing_can_be_added(tmp_path: Path) -> None:
    assert values(read(tmp_path, "a\n1\n-999\n", na=NA | {"-999"}), "a") == [1, -999]
    assert values(read(tmp_path, "a\n1\n?\n", na=NA | {"?"}), "a") == [1, None]


def test_rows_of_another_length_are_left_out_and_counted(tmp_path: Path) -> None:
    table = read(tmp_path, "a,b\n" + "1,2\n" * 20 + "1\n\n" + "3,4\n" + "1,2,3\n")
    assert table.rows == 21
    (note,) = table.notes
    assert "2 of 23 rows" in note
    assert "the first is row 21, with 1 instead of 2" in note


def test_a_space_after_each_delimiter_of_the_header_is_removed(tmp_path: Path) -> None:
    table = read(tmp_path, 'a, b, c\n1, x, "u, v"\n2, y, w\n')
    assert values(table, "b") == ["x", "y"]
    assert values(table, "c") == ["u, v", "w"]
    assert values(read(tmp_path, "a,b\n1, x\n"), "b") == [" x"]


def test_decimal_commas_are_reported(tmp_path: Path) -> None:
    table = read(tmp_path, "a;b;c\n1,5;x,1;00501\n2;y;10001\n")
    assert values(table, "a") == ["1,5", "2"]
    assert table.notes == ["column a: numbers with a decimal comma are read as text; write them with a decimal point"]


@pytest.mark.parametrize(
    ("cells", "reported"),
    [(["51,234", "7,120"], False), (["51,234", "7,12"], True), (["0,125", "0,250"], True), (["5", "6"], False)],
)
def test_thousands_are_not_decimal_commas(tmp_path: Path, cells: list[str], reported: bool) -> None:
    notes = read(tmp_path, "a;b\n" + "".join(f"{cell};x\n" for cell in cells)).notes
    assert ["decimal comma" in note for note in notes] == [True] * reported


def test_only_ragged_rows_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(ReferenceDataError, match=r"2 of 2 rows do not have the header's number of cells.*--delimiter"):
        read(tmp_path, "a,b\n1;2\n3;4\n")


def test_columns_without_a_name_are_left_out(tmp_path: Path) -> None:
    table = read(tmp_path, ",a\n0,x\n1,y\n")
    assert list(table.columns) == ["a"]
    assert "1 column without a name" in table.notes[0]


@pytest.mark.parametrize(
    ("raw", "what"),
    [
        (b"", "the file is empty"),
        (b"\n\n", "the file is empty"),
        (b"a,b\n", "no row below it"),
        (b"1,2\n3,4\n", "line 1 holds numbers"),
        (b"1,2,\n3,4,\n", "line 1 holds numbers"),
        (b"PK\x03\x04\x14\0", "zip archive"),
        (b"a,b,a\n1,2,3\n", "'a'"),
        (b"a,b\n1,2\n1,\xe9\n", r"line 3: byte 10 \(0xe9\) is not UTF-8"),
        ("a,b\n1,2\n".encode("utf-16"), "UTF-16"),
        (b'a,b\n1,"2\n3,4\n', "a quote that is not closed"),
        (b'a,b\n1,"2"x\n', "line 2"),
        (b"a,b\n1\n2\n3\n", "3 of 3 rows|no row below"),
        (b"a,b\n1,2\n" + b"1\n" * 9, "9 of 10 rows do not have"),
        (gzip.compress(b"a\n1\n" * 100, mtime=0)[:-20], "file is complete"),
        (b"\x1f\x8bgarbage", "file is complete"),
    ],
)
def test_an_unreadable_file_is_refused_with_the_reason(tmp_path: Path, raw: bytes, what: str) -> None:
    with pytest.raises(ReferenceDataError, match=what):
        read(tmp_path, raw)


def test_the_position_of_a_wrong_byte_is_exact_across_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csvlines, "BLOCK", 7)
    with pytest.raises(ReferenceDataError, match=r"line 1,001: byte 4,001 "):
        read(tmp_path, b"a,b\n" + b"1,2\n" * 999 + b"1\xff,2\n")


def test_a_line_that_is_too_long_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csvlines, "BLOCK", 7)
    monkeypatch.setattr(csvlines, "MAX_LINE", 100)
    with pytest.raises(ReferenceDataError, match="give a CSV file"):
        read(tmp_path, b"a\n" + b"x" * 1000)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ReferenceDataError, match="No such file"):
        read_csv([RowSource(tmp_path / "none.csv", "none.csv")], CsvOptions(NA), lambda *_: None)


def test_progress_ends_at_one(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text("a\n" + "1\n" * 1000)
    seen: list[float] = []
    read_csv([RowSource(path, "data.csv")], CsvOptions(NA), lambda _, share: seen.append(share))
    assert seen == sorted(seen)
    assert seen[-1] == 1.0


@pytest.mark.long
def test_thousands_of_columns(tmp_path: Path) -> None:
    names = [f"c{index}" for index in range(5000)]
    table = read(tmp_path, ",".join(names) + "\n" + (",".join(["1"] * 5000) + "\n") * 30)
    assert (len(table.columns), table.rows) == (5000, 30)


CELLS = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0"), max_size=6)


@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=12), st.integers(1, 40))
def test_reading_returns_what_a_csv_writer_wrote(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]], block: int
) -> None:
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL)
    writer.writerows([("first", "second"), *rows, ("text", "text")])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csvlines, "BLOCK", block)
        patch.setattr(csvtable, "CELLS", 4)
        table = read(tmp_path_factory.getbasetemp(), text.getvalue())
    for place, name in enumerate(("first", "second")):
        assert values(table, name) == [
            None if row[place].strip() in NA else row[place] for row in [*rows, ("text", "text")]
        ]


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_raise_reference_data_error(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    with contextlib.suppress(ReferenceDataError):
        table = read(tmp_path_factory.getbasetemp(), raw)
        assert {len(column.values) for column in table.columns.values()} <= {table.rows}
