"""Numbers in another dress are named, however few different ones there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pilotfish.detectors.cells import MISSING_WORDS
from pilotfish.sidecar import cli
from pilotfish.sidecar.profiles.arguments import OPTIONS
from pilotfish.sidecar.profiles.build import ColumnRoles, read_table
from pilotfish.sidecar.profiles.cells import has_decimal_commas, text_among_numbers
from pilotfish.sidecar.profiles.csvtable import CsvOptions
from pilotfish.sidecar.profiles.dressed import are_dates, are_truths, dressed

ROWS = 1000


@pytest.mark.parametrize(
    "texts",
    [
        ["1,000", "2,500"],
        ["5%", "10 %"],
        ["$9.99", "-$4.50", "$1,000.00"],
        ["9,99 €", "4.50€"],
        ["USD 5", "usd 7.5"],
        ["(5.00)", "7"],
        ["1 000", "2\u00a0000"],
        ["1'000"],
        ["<5", ">10"],
        ["5 kg", "7.5kg"],
        ["0.5", "1,5"],
        ["−5"],
        ["30 km/h", "50 km/h"],
        ["1.234.567", "12.500"],
    ],
)
def test_numbers_in_another_dress_are_recognised(texts: list[str]) -> None:
    assert dressed(texts)


@pytest.mark.parametrize(
    "texts",
    [
        [],
        ["A1", "B2"],
        ["5A", "7B"],
        ["18-25", "26-35"],
        ["x"],
        ["2024-03-01"],
        ["5 kg", "7 lb"],
        ["v1.2"],
        ["12:30"],
        ["1.2.3"],
        ["10.0.0.1"],
        ["01.02.2024"],
    ],
)
def test_codes_and_ranges_are_not(texts: list[str]) -> None:
    assert not dressed(texts)


@pytest.mark.parametrize("texts", [["31.01.2024", "1.2.24"], ["1/31/2024 8:00"], ["2024/01/31"], ["31-01-2024"]])
def test_dates_in_another_form_are_recognised(texts: list[str]) -> None:
    assert are_dates(texts)
    assert not dressed(texts)


@pytest.mark.parametrize("texts", [[], ["2024-01-31"], ["1/2"], ["10.0.0.1"], ["31.01.2024", "x"]])
def test_other_texts_are_no_dates(texts: list[str]) -> None:
    assert not are_dates(texts)


@pytest.mark.parametrize(
    "cells",
    [
        ["500", "750", "1,000"],
        ["5%", "10%"],
        ["$9.99", "$4.50"],
        ["0,5", "1,5"],
        ["?", "1", "2", "3"],
        [".", ".", ".", "1", "2"],
        ["#DIV/0!", "1"],
        ["\\N", "1", "2"],
        ["5 kg", "6 kg"],
        ["<5", "6", "7"],
        ["31.01.2024", "01.02.2024"],
    ],
)
def test_the_reader_names_such_a_column(cells: list[str], tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("amount;x\n" + "".join(f"{cells[row % len(cells)]};{row}\n" for row in range(ROWS)))
    table = read_table(path, ColumnRoles(), CsvOptions(MISSING_WORDS), lambda *_: None)
    column = table.columns["amount"]
    assert has_decimal_commas(column) or re.search(
        "; (write|give --type)", text_among_numbers("amount", column, OPTIONS)
    )


def test_the_build_says_so_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "rows.csv"
    lines = [f"{5 * (row % 9)}%;{row % 3},5;{'Rome' if row % 2 else 'Bern'};0050{row % 5}\n" for row in range(ROWS)]
    path.write_text("amount;price;city;zip\n" + "".join(lines))
    assert cli.main(["profile", "build", str(path), "--out", str(tmp_path / "p.json")]) == 0
    notes = [line for line in capsys.readouterr().out.splitlines() if line.startswith("note")]
    assert [re.search("column ([a-z]+)", note)[1] for note in notes if "column" in note] == ["price", "amount"]  # type: ignore[index]


def test_numbers_that_are_no_time_cannot_be_timestamps(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("booked,x\n" + "".join(f"202403{1 + row % 28:02d},{row % 7}\n" for row in range(ROWS)))
    options = ["--type", "booked=timestamp", "--out", str(tmp_path / "p.json")]
    assert cli.main(["profile", "build", str(path), *options]) == 2
    assert "column 'booked' holds YYYYMMDD" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("texts", "found"), [("t f", True), ("WAHR FALSCH", True), ("Yes no", True), ("yes maybe", False)]
)
def test_words_for_true_and_false_are_recognised(texts: str, found: bool) -> None:
    assert are_truths(texts.split()) == found


def test_booleans_in_other_words_are_noted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("ok,x\n" + "".join(f"{'tf'[row % 3 > 1]},{row * 7 % 11}\n" for row in range(100)))
    cli.main(["profile", "build", str(path), "--out", str(tmp_path / "p.json")])
    assert "column ok: ['t', 'f'] are categories; if requests hold true and false" in capsys.readouterr().out
