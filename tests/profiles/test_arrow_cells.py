"""pyarrow splits lines into the same columns as the csv module."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pilotfish.detectors.cells import MISSING_WORDS
from pilotfish.sidecar.profiles import arrow_cells, csvtable
from pilotfish.sidecar.profiles.csvtable import CsvOptions, read_csv
from pilotfish.sidecar.profiles.errors import ReferenceDataError
from pilotfish.sidecar.profiles.sources import RowSource

NUMBERS = ["0", "-0", "1", "-1.5", "+2", "1e5", "1E-7", ".5", "5.", "007", "-01", "1_0", " 3", "4 ", "\t5", "1e999"]
NUMBERS += ["9007199254740993", "0.1", "1e-400", "nan", "NaN", "inf", "-Infinity", "nan(1)", "0x10", "1d3", "٣", "1,5"]
TEXTS = [
    "",
    "NA",
    " ",
    "x",
    "true",
    "False",
    "null",
    "ä",
    "\x00",
    "\ufeffx",
    "\u2028",
    '"',
    '"q,r"',
    '"a\nb"',
    "'",
    "#",
]
TEXTS += ['""', '"x"', '"007"', '"1"', '"NA"', '" y"', '"y" ', '"a""b"', 'a"b', '""c', "\u2029", "\x0b"]
CELLS = st.one_of(st.sampled_from(NUMBERS), st.sampled_from(NUMBERS + TEXTS), st.floats(width=64).map(str))
ENDS = st.sampled_from(["\n", "\r\n", "\r", "\n\n", ",\n"])


def outcome(path: Path, options: CsvOptions) -> object:
    """Return all that reading a file gives, in a form that can be compared."""
    try:
        table = read_csv([RowSource(path, "data.csv")], options, lambda *_: None)
    except ReferenceDataError as error:
        return str(error)
    columns = {
        name: (
            column.values.dtype,
            [repr(value) for value in column.values.tolist()],
            np.asarray(column.missing).tolist(),
        )
        for name, column in table.columns.items()
    }
    return table.rows, table.notes, columns


def both(folder: Path, raw: bytes, **options: object) -> tuple[object, object]:
    """Return the outcomes with pyarrow and without it."""
    path = folder / "data.csv"
    path.write_bytes(raw)
    given_options = CsvOptions(MISSING_WORDS, **options)  # type: ignore[arg-type]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csvtable, "CELLS", 32)
        fast = outcome(path, given_options)
        patch.setattr(arrow_cells, "can_split", lambda *_: False)
        return fast, outcome(path, given_options)


@given(st.lists(st.tuples(st.lists(CELLS, min_size=2, max_size=2), ENDS), max_size=60), st.booleans())
def test_both_readers_give_equal_tables(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[list[str], str]], names: bool
) -> None:
    raw = "a,b\n" + "".join(",".join(cells) + end for cells, end in rows)
    options = {"names": frozenset("a"), "texts": frozenset("b")} if names else {}
    fast, plain = both(tmp_path_factory.getbasetemp(), raw.encode("utf-8", "surrogatepass"), **options)
    assert fast == plain


@given(st.text(alphabet=st.sampled_from(list('a1.,; \n\r"\t-0e')), max_size=300))
@example("a,b\n" + "1,2\n" * 40 + "a,b\n" + "1\n" * 3)
@example("a\n" + "  \n1\n\n" * 30)
@example(";\n;;")
@example("a\ra\n")
@example('a\n"a"\n1\n')
def test_both_readers_agree_on_any_text(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    fast, plain = both(tmp_path_factory.getbasetemp(), text.encode())
    assert fast == plain


@pytest.mark.parametrize("number", [text for text in NUMBERS if text != "1,5"])
def test_every_spelling_of_a_number_is_the_same_in_a_column_of_numbers(number: str, tmp_path: Path) -> None:
    fast, plain = both(tmp_path, ("a,b\n" + f"{number},1\n" * 40).encode())
    assert fast == plain


def test_a_plain_file_is_split_by_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "data.csv"
    path.write_text("a,b\n" + "1,x\n" * 100)
    monkeypatch.setattr(csvtable, "_split", lambda *_: pytest.fail("the csv module was used"))
    assert read_csv([RowSource(path, "data.csv")], CsvOptions(MISSING_WORDS), lambda *_: None).rows == 100
