"""A frame has the profile that `pilotfish profile build` makes of its CSV and its Parquet file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import pilotfish
from pilotfish.detectors.profile.profile import Profile
from pilotfish.sidecar.cli import main
from pilotfish.sidecar.profiles.files import read_profile
from tests.support.examples import examples

ROWS = 60


def bare(profile: Profile) -> bytes:
    """Return the bytes of a profile without the time of the build."""
    return replace(profile, created="").to_bytes()


def of_frame(frame: object, **arguments: object) -> bytes:
    built = pilotfish.Profile.from_frame(frame, exchangeable=True, **arguments)  # type: ignore[arg-type]
    return bare(Profile.from_bytes(built.to_bytes()))


def of_file(path: Path, *options: str) -> bytes:
    out = path.with_suffix(".json")
    assert main(["profile", "build", str(path), "--exchangeable", "--out", str(out), *options]) == 0
    return bare(read_profile(out))


def number(random: np.random.Generator, rows: int) -> object:
    return np.where(random.random(rows) < 0.1, np.nan, random.normal(size=rows).round(3))


def whole(random: np.random.Generator, rows: int) -> object:
    return random.integers(0, 9, rows)


def holes(random: np.random.Generator, values: NDArray[Any]) -> list[Any]:
    """Return the values as Python objects, about a sixth of them None."""
    return [
        None if absent else value
        for absent, value in zip(random.random(len(values)) < 1 / 6, values.tolist(), strict=True)
    ]


def nullable_whole(random: np.random.Generator, rows: int) -> object:
    return pd.array(holes(random, random.integers(0, 9, rows)), dtype="Int64")


def boolean(random: np.random.Generator, rows: int) -> object:
    return random.random(rows) < 0.3


def nullable_boolean(random: np.random.Generator, rows: int) -> object:
    return pd.array(holes(random, random.random(rows) < 0.3), dtype="boolean")


def city(random: np.random.Generator, rows: int) -> object:
    return random.choice(["Basel", "Bern", "Chur"], rows)


def city_or_none(random: np.random.Generator, rows: int) -> object:
    return pd.Series(holes(random, random.choice(["a", "b", "c"], rows)), dtype=object)


def category(random: np.random.Generator, rows: int) -> object:
    return pd.Categorical(holes(random, random.choice(["x", "y"], rows)))


def text_dtype(random: np.random.Generator, rows: int) -> object:
    return pd.array(holes(random, random.choice(["u", "v"], rows)), dtype="string")


def words(random: np.random.Generator, rows: int) -> object:
    return random.choice(["NA", "a", "b", "null"], rows)


def truths(random: np.random.Generator, rows: int) -> object:
    return random.choice(["True", "False"], rows)


COLUMNS: dict[str, Callable[[np.random.Generator, int], object]] = {
    made.__name__: made
    for made in (
        *(number, whole, nullable_whole, boolean, nullable_boolean, city, city_or_none, category),
        *(text_dtype, words, truths),
    )
}


def check(names: set[str], seed: int) -> None:
    random = np.random.default_rng(seed)
    columns = {name: COLUMNS[name](random, ROWS) for name in sorted(names)}
    frame = pd.DataFrame({"x": random.normal(size=ROWS), **columns})
    frame.index = pd.Index(random.integers(0, 5, ROWS), name="row")  # not a column
    with TemporaryDirectory() as folder:
        csv, parquet = Path(folder) / "rows.csv", Path(folder) / "rows.parquet"
        frame.to_csv(csv, index=False)
        frame.to_parquet(parquet, index=False)
        found = of_frame(frame)
        assert found == of_file(parquet)
        assert found == of_file(csv)
        assert found == of_frame(pl.from_pandas(frame))
        assert found == of_frame(pa.Table.from_pandas(frame, preserve_index=False))


def test_frame_csv_and_parquet_have_one_profile() -> None:
    check(set(COLUMNS), seed=1)


@pytest.mark.long
@settings(max_examples=examples(50))
@given(st.sets(st.sampled_from(sorted(COLUMNS)), min_size=1, max_size=5), st.integers(0, 2**32 - 1))
def test_any_frame_csv_and_parquet_have_one_profile(names: set[str], seed: int) -> None:
    check(names, seed)


TIMES = pd.date_range("2026-01-01 03:00", periods=ROWS, freq="37min")
# Values that a CSV cannot carry, or carries as text of another form.
PARQUET_ONLY = {
    "numbers as text": ["1", "2", "3.5"] * (ROWS // 3),  # a profile of typed columns accepts them as text
    "time": TIMES,
    "time with a zone": TIMES.tz_localize("Europe/Berlin"),
    "time with NaT": TIMES.where(np.arange(ROWS) % 7 > 0),
    "date": [date(2026, 1, 1 + row % 28) for row in range(ROWS)],
    "python datetime": pd.Series([datetime(2026, 1, 1, row % 24, tzinfo=UTC) for row in range(ROWS)], dtype=object),
    "array": list(np.random.default_rng(1).normal(size=(ROWS, 3))),
    "list": [[1.0, float(row % 5), 2.0] for row in range(ROWS)],
    "list or none": [None if row % 9 == 0 else [1.0, float(row % 5)] for row in range(ROWS)],
    "ragged": [[1.0] * (row % 4) for row in range(ROWS)],
    "texts": [["a", "b"][: row % 3] for row in range(ROWS)],
    "object": [{"a": row % 4, "b": {"c": "xy"[row % 2]}} for row in range(ROWS)],
    "object or none": [None if row % 8 == 0 else {"a": row % 4} for row in range(ROWS)],
    "numbers as categories": pd.Categorical([row % 3 for row in range(ROWS)]),
    "all missing": [None] * ROWS,
}


@pytest.mark.parametrize("values", PARQUET_ONLY.values(), ids=PARQUET_ONLY)
def test_a_column_of_any_type_has_the_profile_of_its_parquet_file(values: object, tmp_path: Path) -> None:
    frame = pd.DataFrame({"x": np.random.default_rng(2).normal(size=ROWS), "it": values})
    frame.to_parquet(tmp_path / "rows.parquet", index=False)
    assert of_frame(frame) == of_file(tmp_path / "rows.parquet")


def test_exact_codes_have_one_profile(tmp_path: Path) -> None:
    frame = pd.DataFrame({"x": range(ROWS), "code": [9_007_199_254_740_993 + row % 3 for row in range(ROWS)]})
    frame.to_parquet(tmp_path / "rows.parquet", index=False)
    found = of_frame(frame, types={"code": "categorical"})
    assert found == of_file(tmp_path / "rows.parquet", "--type", "code=categorical")
    assert found == of_frame(pl.from_pandas(frame), types={"code": "categorical"})
