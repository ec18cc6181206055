"""Frames of pandas, polars and Arrow: each column works, or an error says what to do."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import pilotfish
from pilotfish.detectors.batch import Column, missing_mask
from pilotfish.sidecar.notebook.choices import column_roles
from pilotfish.sidecar.notebook.frames import frame_table
from tests.notebook import made

ROLES = column_roles(time=None)


def column(values: Any) -> Column:
    """Return the column that the values of a pandas frame become."""
    return frame_table(pd.DataFrame({"it": values}), ROLES).columns["it"]


def cells(values: Any) -> list[object]:
    """Return the cells of that column, with None for missing ones."""
    found = column(values)
    return [None if absent else value for absent, value in zip(missing_mask(found), found.values.tolist(), strict=True)]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (pd.array([1, None, 3], dtype="Int64"), [1.0, None, 3.0]),
        (pd.array([True, None, False], dtype="boolean"), [True, None, False]),
        (pd.array(["a", None, "b"], dtype="string"), ["a", None, "b"]),
        (pd.array([1.5, None], dtype="Float32"), [1.5, None]),
        (pd.Series(["a", None, float("nan"), pd.NA, "b"], dtype=object), ["a", None, None, None, "b"]),
        (pd.Series([1, Decimal("2.5"), None, np.int8(3)], dtype=object), [1.0, 2.5, None, 3.0]),
        (pd.Series([10**400, -(10**400), 1], dtype=object), [float("inf"), float("-inf"), 1.0]),
        (pd.Series([1, "a", None, True, 2.5], dtype=object), [1, "a", None, True, 2.5]),
        (pd.Series([1.0, "a", pd.Timestamp("2026-01-01")], dtype=object), [1.0, "a", "2026-01-01 00:00:00"]),
        (pd.Categorical(["x", None, "y"]), ["x", None, "y"]),
        (pd.Categorical([2, None, 1]), [2.0, None, 1.0]),
        (pd.cut([1, 5], [0, 2, 9]), ["(0, 2]", "(2, 9]"]),
        (pd.arrays.SparseArray([0.0, 0.0, 1.0]), [0.0, 0.0, 1.0]),
        (pd.array(["a", None], dtype=pd.ArrowDtype(pa.string())), ["a", None]),
        (pd.array([1, None], dtype=pd.ArrowDtype(pa.int64())), [1.0, None]),
        ([None, None], [None, None]),
    ],
)
def test_values_of_any_type_become_a_column(values: Any, expected: list[object]) -> None:
    assert cells(values) == expected


@pytest.mark.parametrize(
    "values",
    [
        pd.to_datetime(["2026-01-01 10:00", None]).tz_localize("Europe/Berlin"),
        pd.Series([pd.Timestamp("2026-01-01 10:00", tz="Europe/Berlin"), None], dtype=object),
        pd.array(pd.to_datetime(["2026-01-01 09:00", None])),
    ],
)
def test_times_become_times_in_utc(values: Any) -> None:
    found = column(values).values
    assert found.dtype == np.dtype("datetime64[us]")
    assert str(found[0]) == "2026-01-01T09:00:00.000000"
    assert np.isnat(found[1])


def test_lists_arrays_and_tuples_become_arrays() -> None:
    assert column([[1, 2], (3, 4), np.array([5, 6])]).values.tolist() == [[1, 2], [3, 4], [5, 6]]
    assert cells([["a"], ["b", "c"], None]) == [["a"], ["b", "c"], None]


def test_the_keys_of_dictionaries_become_columns() -> None:
    frame = pd.DataFrame({"home": [{"city": "Bern", "at": {"x": 1}}, None, {"city": "Chur"}]})
    table = frame_table(frame, ROLES)
    assert list(table.columns) == ["home.city", "home.at.x"]
    assert missing_mask(table.columns["home.at.x"]).tolist() == [False, True, True]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (pd.to_timedelta([1, 2], unit="s"), "timedelta64[ns]"),
        (pd.period_range("2026-01", periods=2, freq="M"), "period[M]"),
        ([1j, 2j], "complex128"),
        ([b"a", b"b"], "bytes"),
        ([{1}, {2}], "set"),
    ],
)
def test_a_type_that_cannot_be_monitored_is_left_out_with_its_name(values: Any, kind: str) -> None:
    table = frame_table(pd.DataFrame({"it": values}), ROLES)
    assert table.left_out["it"].startswith("holds values of type ")
    assert kind.partition("[")[0] in table.left_out["it"]


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (pd.DataFrame(np.ones((3, 2))), r"names of columns that are not text, such as 0; name them: frame.columns = "),
        (
            pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("a", "b"), ("a", "c")])),
            r"columns of several levels, such as \('a', 'b'\); give each column one name",
        ),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), r"has \['a'\] more than once; rename these columns"),
        (pd.DataFrame({"a.b": [1], "a": [{"b": 2}]}), r"has \['a.b'\] more than once"),
        (pd.DataFrame({"a": []}), "has no rows"),
        (pl.DataFrame({"a": []}), "has no rows"),
        ({"a": [1]}, r"a builtins.dict is not a data frame; give pandas.DataFrame\(rows\)"),
        (np.ones((2, 2)), "a numpy.ndarray is not a data frame"),
        (None, "a builtins.NoneType is not a data frame; give a pandas, polars or Arrow frame"),
        (pd.Series([1]), r"a pandas.Series is not a data frame; give frame.to_frame\(\)"),
        (pl.LazyFrame({"a": [1]}), r"a polars.LazyFrame is not a data frame; give frame.collect\(\)"),
        (
            pl.DataFrame({"a": pl.Series([1], dtype=pl.Int128)}),
            r"a polars.DataFrame cannot be read as Arrow .*; drop or",
        ),
    ],
)
def test_a_frame_that_cannot_be_used_is_refused_with_the_remedy(frame: Any, message: str) -> None:
    with pytest.raises(pilotfish.PilotfishError, match=message):
        pilotfish.Profile.from_frame(frame)


def test_polars_and_arrow_give_the_same_columns() -> None:
    polars = pl.DataFrame(
        {
            "s": ["x", None, "y"],
            "c": pl.Series(["u", "v", None], dtype=pl.Categorical),
            "e": pl.Series(["u", "v", None], dtype=pl.Enum(["u", "v"])),
            "n": [1, None, 3],
            "l": [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]],
            "st": [{"k": "a"}, {"k": None}, None],
            "d": pl.Series(["1.5", "2", None]).cast(pl.Decimal(10, 2)),
        }
    )
    arrow = polars.to_arrow()
    for frame in (polars, pl.concat([polars, polars], rechunk=False)[:3], arrow, *arrow.to_batches()):
        table = frame_table(frame, ROLES)
        assert not table.left_out
        assert list(table.columns) == ["s", "c", "e", "n", "l", "st.k", "d"]
        for name, expected in {"s": ["x", None, "y"], "c": ["u", "v", None], "st.k": ["a", None, None]}.items():
            assert table.columns[name].values.tolist() == expected


def test_the_index_is_a_column_only_where_a_role_names_it() -> None:
    frame = pd.DataFrame({"x": range(30)}, index=pd.date_range("2026-01-01", periods=30, name="ts"))
    table = frame_table(frame, ROLES)
    assert list(table.columns) == ["x"]
    assert "time='ts'" in table.notes[0]
    assert sorted(frame_table(frame, column_roles(time="ts")).columns) == ["ts", "x"]
    levels = frame.assign(y=1).set_index("y", append=True)
    assert sorted(frame_table(levels, column_roles(time=None, labels=["y"])).columns) == ["x", "y"]
    assert list(frame.columns) == ["x"]


@pytest.mark.long
def test_an_index_of_times_builds_and_replays_as_its_column_does() -> None:
    rows = made.frame()
    by_index = pilotfish.Profile.from_pandas(rows.set_index("ts"), time="ts")
    assert by_index == pilotfish.Profile.from_pandas(rows, time="ts")
    assert by_index.replay(rows.set_index("ts")).ticks == by_index.replay(rows).ticks


def test_categories_that_are_numbers_are_named() -> None:
    frame = pd.DataFrame({"code": pd.Categorical([1, 2, 1] * 10)})
    assert frame_table(frame, ROLES).notes == [
        "column code: its categories are numbers, so it is read as numbers; else give types={'code': 'categorical'}"
    ]
