"""The types of Arrow are read as the JSON of the same values."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotfish.detectors.batch import Column, as_column, missing_mask
from pilotfish.detectors.binning.categories import category_text
from pilotfish.sidecar.profiles.parquet import arrow_column

TENSORS = np.arange(12.0).reshape(3, 2, 2)


def read(array: Any, *, exact: bool = False) -> Column:
    column = arrow_column(pa, array, exact=exact)
    assert column is not None
    return column


@given(st.lists(st.none() | st.decimals(-(10**9), 10**9, places=9), min_size=1, max_size=20))
def test_a_decimal_is_the_number_that_json_writes(values: list[Decimal | None]) -> None:
    expected = [None if value is None else float(str(value)) for value in values]
    column = read(pa.array(values, pa.decimal128(38, 9)))
    assert [
        None if gone else value for gone, value in zip(missing_mask(column), column.values.tolist(), strict=True)
    ] == expected
    lists = read(pa.array([values], pa.list_(pa.decimal128(38, 9)))).values[0]
    assert np.array_equal(lists, np.array(expected, dtype=np.float64), equal_nan=True)


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (pa.ExtensionArray.from_storage(pa.bool8(), pa.array([1, 0, None], pa.int8())), [True, False, None]),
        (pa.ExtensionArray.from_storage(pa.json_(), pa.array(['{"a":1}', None])), ['{"a":1}', None]),
        (pa.array(["a", None], pa.string_view()).dictionary_encode(), ["a", None]),
        (pa.FixedShapeTensorArray.from_numpy_ndarray(TENSORS), TENSORS.reshape(3, 4).tolist()),
    ],
    ids=str,
)
def test_types_that_only_store_plain_values_are_read(array: Any, expected: list[Any]) -> None:
    assert read(array).values.tolist() == expected


@pytest.mark.parametrize("kind", [pa.decimal128(38, 0), pa.uint64()], ids=str)
def test_numbers_that_are_names_are_not_rounded(kind: Any) -> None:
    names = [2**64 - 1, 2**53 + 1, 9]
    written = read(pa.array(list(map(Decimal, names)) if pa.types.is_decimal(kind) else names, kind), exact=True)
    sent = as_column([*names])
    assert [category_text(value) for value in written.values] == list(map(str, names))
    assert [category_text(value) for value in sent.values] == list(map(str, names))
