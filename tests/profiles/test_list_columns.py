"""Lists, structs, texts and times in files: CSV and Parquet give the same profile, and replay reads what build read."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotfish.detectors.batch import Column
from pilotfish.detectors.binning.numeric import to_floats
from pilotfish.detectors.profile.profile import Profile
from pilotfish.detectors.transforms import Block
from pilotfish.detectors.transforms.arrays import ArrayTransform
from pilotfish.detectors.transforms.linear import packed
from pilotfish.sidecar.cli import main
from pilotfish.sidecar.profiles.list_columns import lists_of, parsed

ROWS = 1200
T0 = 1_700_000_000.0
WORDS = np.array(["the", "data", "of", "every", "model", "flows", "by", "night", "unseen"])


def rows(shift: float = 0.0, seed: int = 5, start: float = T0) -> list[dict[str, Any]]:
    """Return rows as a program holds them; None is missing."""
    rng = np.random.default_rng(seed)
    return [
        {
            "at": datetime.fromtimestamp(start + row * 600.0, UTC).isoformat(),
            "booked": datetime.fromtimestamp(start + row * 600.0 - rng.lognormal(8, 1), UTC).isoformat(),
            "comment": " ".join(rng.choice(WORDS, rng.integers(4, 15))),
            "emb": (rng.normal(size=12) + shift * np.eye(12)[3]).round(4).tolist(),
            "tags": ["t"] * int(rng.poisson(2)),
            "home": home(rng) if rng.random() < 0.9 else None,
        }
        for row in range(ROWS)
    ]


def home(rng: np.random.Generator) -> dict[str, Any]:
    return {"city": rng.choice(["Bern", "Basel"]).item(), "geo": {"lat": rng.random()}}


def as_parquet(path: Path, made: list[dict[str, Any]]) -> Path:
    pq.write_table(pa.Table.from_pylist(made), path)
    return path


def as_csv(path: Path, made: list[dict[str, Any]]) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["at", "booked", "comment", "emb", "tags", "home.city", "home.geo.lat"])
        for row in made:
            home = row["home"] or {"city": "", "geo": {"lat": ""}}
            lists = [json.dumps(row[name]) for name in ("emb", "tags")]
            writer.writerow([row["at"], row["booked"], row["comment"], *lists, home["city"], home["geo"]["lat"]])
    return path


def built(data: Path, *more: str) -> Profile:
    out = data.with_suffix(".json")
    assert main(["profile", "build", str(data), "--out", str(out), "--time", "at", "--tick", "6000s", *more]) == 0
    return Profile.from_bytes(out.read_bytes())


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return as_parquet(tmp_path_factory.mktemp("lists") / "rows.parquet", rows())


@pytest.mark.long
def test_csv_and_parquet_of_the_same_rows_make_the_same_features(reference: Path, tmp_path: Path) -> None:
    one, other = built(reference), built(as_csv(tmp_path / "rows.csv", rows()))
    cells = [[(feature.name, feature.reference_counts.tolist()) for feature in made.features] for made in (one, other)]
    assert cells[0] == cells[1]
    assert one.array_columns == {"emb", "tags"}
    assert {"home.city", "home.geo.lat", "comment:length", "booked:lag", "emb:pc1", "tags:count"} <= set(one.index)
    assert one.excluded == ()


@pytest.mark.long
@pytest.mark.parametrize("form", [pytest.param(as_csv, marks=pytest.mark.long), as_parquet])
def test_drift_in_arrays_is_found_by_replay(
    reference: Path, tmp_path: Path, form: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    built(reference)
    data = form(tmp_path / "live.data", rows(shift=2.0, seed=6, start=T0 + ROWS * 600.0)[:400])
    capsys.readouterr()
    assert main(["replay", str(data), "--profile", str(reference.with_suffix(".json")), "--time", "at", "--json"]) == 0
    alarm, *_, summary = map(json.loads, capsys.readouterr().out.splitlines())
    assert {feature["name"].partition(":")[0] for feature in alarm["features"]} == {"emb"}
    assert summary["type_mismatches"] == 0


@pytest.mark.long
def test_type_options_override_the_inferred_type(tmp_path: Path) -> None:
    data = tmp_path / "rows.csv"
    lines = [f"{1_700_000_000_000 + row * 60_000 - row % 7 * 1000},code {row % 3},{row % 5}" for row in range(4000)]
    data.write_text("\n".join(["seen,note,digits", *lines]))
    out = tmp_path / "p.json"
    types = ["--type", "seen=timestamp", "--type", "note=text", "--type", "digits=text"]
    assert main(["profile", "build", str(data), "--out", str(out), "--exchangeable", *types]) == 0
    profile = Profile.from_bytes(out.read_bytes())
    assert {"seen:hour", "note:length", "digits:length"} <= set(profile.index)
    assert profile.feature("digits:length").reference_counts[-1] == 0


@pytest.mark.parametrize("usual", [[True, False, True], [1, 2, 3], [0.5, 1.5, 2.5]])
@pytest.mark.parametrize("odd", [[None, None, None], None, [], "shorter"])
def test_one_odd_list_of_parquet_leaves_the_others_arrays(usual: list[Any], odd: Any) -> None:
    rows = [usual] * 20
    column = lists_of(pa, pa.array([*rows, usual[:2] if odd == "shorter" else odd]))
    transform = ArrayTransform("emb", "input", 3, packed(np.zeros(3)), packed(np.eye(1, 3)))
    norms = to_floats(transform.apply(Block({"emb": column}, 21))["emb:norm"])[0]
    assert np.isfinite(norms).tolist() == [True] * 20 + [False]


def test_a_column_and_a_field_of_the_same_name_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = as_parquet(tmp_path / "rows.parquet", [{"a": {"b": 1}, "a.b": 2}])
    assert main(["profile", "build", str(data), "--out", str(tmp_path / "p.json")]) == 2
    assert "more than once" in capsys.readouterr().err


@pytest.mark.long
def test_fields_of_structs_take_options_by_their_full_name(reference: Path) -> None:
    profile = built(reference, "--exclude", "home.geo.lat", "--exclude", "emb", "--prediction", "home.city")
    assert profile.sent_columns == ("booked", "comment", "tags")
    assert profile.columns("prediction") == ("home.city",)


CELLS = st.one_of(
    st.none(),
    st.text(max_size=5),
    st.lists(st.floats(allow_nan=False) | st.none() | st.text(max_size=2), max_size=4).map(json.dumps),
    st.sampled_from(["[", "[1,", "[[1,2],[3]]", "[1e999]", "[" * 5000, '["\\ud800"]', "[NaN]"]),
)


@given(st.lists(CELLS, max_size=8), st.booleans())
def test_cells_become_lists_or_stay_unchanged(cells: list[str | None], wanted: bool) -> None:
    values = np.fromiter(cells, dtype=object, count=len(cells))
    missing = np.array([cell is None for cell in cells], dtype=bool)
    found = parsed(Column(values, missing), wanted=wanted)
    assert values.tolist() == cells
    assert found is not None or not wanted
    if found is not None:
        assert len(found.values) == len(cells)
