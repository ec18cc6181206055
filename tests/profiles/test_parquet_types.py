"""A Parquet type of texts, numbers or lists does not change the column that is read."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pilotfish.detectors.batch import missing_mask
from pilotfish.detectors.cells import MISSING_WORDS
from pilotfish.sidecar.profiles.build import ColumnRoles, read_table
from pilotfish.sidecar.profiles.csvtable import CsvOptions

TEXTS = pa.array(["a", None, "b", "a"])
WHOLE = pa.array([1, None, 3, 4], pa.int64())
LISTS = pa.array([[1.0, 2.0], None, [3.0, 4.0], [5.0, 6.0]])


def read(folder: Path, array: pa.Array) -> tuple[list[bool], list[object]]:
    """Return which rows are missing, and the values of the others."""
    path = folder / "one.parquet"
    pq.write_table(pa.table({"x": array}), path)
    table = read_table(path, ColumnRoles(), CsvOptions(MISSING_WORDS), lambda *_: None)
    column = table.columns["x"]
    missing = missing_mask(column)
    return missing.tolist(), [
        value.tolist() if pa.types.is_nested(array.type) else value for value in column.values[~missing]
    ]


@pytest.mark.parametrize(
    ("array", "plain"),
    [
        (TEXTS.cast(pa.large_string()), TEXTS),
        (TEXTS.cast(pa.string_view()), TEXTS),
        (TEXTS.dictionary_encode(), TEXTS),
        (WHOLE.cast(pa.uint8()), WHOLE),
        (WHOLE.cast(pa.uint64()), WHOLE),
        (WHOLE.cast(pa.float32()), WHOLE),
        (WHOLE.cast(pa.decimal128(30, 2)), WHOLE),
        (WHOLE.dictionary_encode(), WHOLE),
        (LISTS.cast(pa.large_list(pa.float64())), LISTS),
        (LISTS.cast(pa.list_(pa.float32(), 2)), LISTS),
        (pa.array(LISTS.to_pylist(), pa.list_view(pa.float64())), LISTS),
        (pa.array(LISTS.to_pylist(), pa.large_list_view(pa.float64())), LISTS),
    ],
    ids=lambda array: str(array.type).partition("<")[0],
)
def test_the_type_does_not_change_the_column(array: pa.Array, plain: pa.Array, tmp_path: Path) -> None:
    assert read(tmp_path, array) == read(tmp_path, plain)
