"""A batch refuses inconsistent columns and accepts any value."""

from __future__ import annotations

import numpy as np
import pytest

from pilotfish.detectors.batch import Batch, Column, ColumnData, as_column, missing_mask
from pilotfish.detectors.columns.joining import aligned, concatenated_by_type
from pilotfish.detectors.errors import BatchError


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ([1, 2], "'x' has 2 entries in a batch of 3 rows"),
        (np.zeros((2, 3)), "'x' has 2 entries in a batch of 3 rows"),
        (np.array(1.0), "one entry a row"),
        (Column(np.zeros(3), np.zeros(2, dtype=bool)), "one entry a row"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(column: ColumnData, message: str) -> None:
    with pytest.raises(BatchError, match=message):
        Batch({"x": column}, 3)


@pytest.mark.parametrize(
    "values",
    [[1, 2.5, None], ["a", None, float("nan")], [True, None, 3], [10**400, None, float("nan")], [[1], {}, None]],
)
def test_lists_keep_every_type(values: list[object]) -> None:
    column = as_column(values)
    assert len(column.values) == 3
    assert missing_mask(column).tolist() == [value is None or value != value for value in values]


def test_masks_add_to_what_is_missing_by_itself() -> None:
    column = Column(np.array([1.0, np.nan, 3.0]), np.array([True, False, False]))
    assert missing_mask(column).tolist() == [True, True, False]
    dates = Column(np.array(["2024-01-01", "NaT"], dtype="M8[s]"))
    assert missing_mask(dates).tolist() == [False, True]


@pytest.mark.parametrize("longest", [10, 900_000])
def test_one_long_text_does_not_make_all_others_as_long(longest: int) -> None:
    values = ["x" * longest] + ["y"] * 10_000
    column = as_column(values)
    assert column.values.tolist() == values
    assert column.values.nbytes < 2**20


def test_joined_arrays_of_texts_are_not_padded_to_the_longest_one() -> None:
    parts = [np.array(["x" * 900_000]), np.array(["y"] * 10_000)]
    batches = [Batch({"a": part}, len(part)) for part in parts]
    for joined in (concatenated_by_type(batches, "a")[0][0], aligned(batches, "a")):
        assert joined.values.tolist() == [value for part in parts for value in part.tolist()]
        assert joined.values.nbytes < 2**20
