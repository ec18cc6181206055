"""Columns that are left out neither move nor break the names of the others in requests without names."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.detectors.batch import Batch, Column
from pilotfish.detectors.profile.profile import Profile
from pilotfish.detectors.quality.monitor import QualityMonitor
from pilotfish.detectors.reference.build import build_profile
from pilotfish.detectors.summaries.counts import TickCounts
from pilotfish.sidecar.analyzer.decode import Hints
from pilotfish.sidecar.profiles.build import BuildResult, ColumnRoles, ProfileIdentity, RowTiming, build
from pilotfish.sidecar.profiles.positions import index_columns, positions_of
from pilotfish.sidecar.profiles.table import ReferenceTable
from tests.analyzer.decode.exchanges import OIP_PATH, V1_PATH, decoded, tensor
from tests.support.examples import examples

ROWS = 400
NAMES = ("amount", "kind", "age")
SHUFFLED = np.random.default_rng(1).permutation(ROWS)
LEFT_OUT: dict[str, tuple[bool, Any]] = {  # by name: whether the model is sent it, and its values
    "Unnamed: 0": (False, SHUFFLED),
    "__index_level_0__": (False, SHUFFLED * 3),
    "counter": (False, np.arange(ROWS)),
    "counter with gaps": (False, np.delete(np.arange(ROWS + 40), np.arange(40) * 5)),
    "at": (False, 1_700_000_000 + 60 * np.arange(ROWS)),
    "comment": (False, None),  # excluded by a person: not in the table
    "nothing": (True, np.full(ROWS, np.nan)),
    "duration": (True, None),  # a type that cannot be read
}
ROLES = ColumnRoles(time="at", excluded=("comment",))


@cache
def watched() -> Profile:
    rng = np.random.default_rng(2)
    rows = {"amount": rng.normal(size=ROWS), "kind": rng.choice(["a", "b"], ROWS), "age": rng.integers(18, 80, ROWS)}
    return build_profile(rows, exchangeable=True)


def with_left_out(header: list[str]) -> Profile:
    """Return the profile with the positions of a file with this header, which is in the order of the model's input."""
    values = {name: LEFT_OUT[name][1] for name in header if name in LEFT_OUT}
    columns = {name: Column(np.asarray(one, dtype=float)) for name, one in values.items() if one is not None}
    columns |= {name: Column(np.arange(ROWS) % 7.0) for name in NAMES}
    table = ReferenceTable(columns, ROWS, {"duration": "holds values of type duration"}, header=tuple(header))
    indexes = index_columns(table, {"at"})
    away = {*indexes, "at", "comment"}
    return positions_of(table, away, (), ()).apply(watched(), indexes)


def hints_of(profile: Profile) -> Hints:
    orders = profile.input_orders
    return Hints(inputs=orders[0], other_inputs=orders[1:], arrays=profile.array_columns)


@given(st.lists(st.sampled_from(sorted(LEFT_OUT)), unique=True, max_size=5), st.randoms(use_true_random=False))
@settings(max_examples=examples(100), deadline=None)
def test_a_left_out_column_never_changes_the_names_of_the_others(left_out: list[str], shuffle: Any) -> None:
    header = [*NAMES, *left_out]
    shuffle.shuffle(header)
    profile = with_left_out(header)
    assert Profile.from_bytes(profile.to_bytes()).hash == profile.hash
    sent = [name for name in header if name in NAMES or LEFT_OUT[name][0]]
    for names in (sent, header, [name for name in header if name in NAMES]):
        row = [f"value of {name}" for name in names]
        for body, path in (
            ({"instances": [row, row]}, V1_PATH),
            ({"inputs": [tensor("x", [1, len(row)], row, "BYTES")]}, OIP_PATH),
            ({"dataframe_split": {"data": [row]}}, "/invocations"),
        ):
            found = decoded(body, path=path, hints=hints_of(profile)).inputs.columns
            assert {name: found[name][0] for name in NAMES} == {name: f"value of {name}" for name in NAMES}


def built(path: Path, **roles: Any) -> BuildResult:
    return build(path, ColumnRoles(**roles), RowTiming(10.0), ProfileIdentity(), progress=lambda *_: None)


def write_csv(path: Path, columns: dict[str, Any]) -> Path:
    rows = zip(*columns.values(), strict=True)
    path.write_text("\n".join([",".join(columns), *(",".join(map(str, row)) for row in rows)]) + "\n")
    return path


def columns() -> dict[str, Any]:
    rng = np.random.default_rng(3)
    return {"amount": rng.normal(size=ROWS), "kind": rng.choice(["a", "b"], ROWS), "age": rng.integers(18, 80, ROWS)}


def test_time_index_and_excluded_columns_of_a_csv_are_not_sent_and_that_is_said(tmp_path: Path) -> None:
    rows = {
        "": SHUFFLED,
        "Unnamed: 0": SHUFFLED,
        "at": 1_700_000_000 + 10 * np.arange(ROWS),
        **columns(),
        "note": ["x"] * ROWS,
    }
    result = built(write_csv(tmp_path / "rows.csv", rows), time="at", excluded=["note"])
    assert result.profile.sent_columns == NAMES
    assert result.left_out["Unnamed: 0"].startswith("the index of a data frame")
    (note,) = [note for note in result.notes if "without names" in note]
    assert note.startswith("a request without names has 3 values a row")
    assert note.endswith("one with 6 values has these, too")


def test_an_index_that_is_kept_is_watched_and_sent(tmp_path: Path) -> None:
    rows = {"Unnamed: 0": np.random.default_rng(4).integers(0, 9, ROWS), **columns()}
    result = built(write_csv(tmp_path / "rows.csv", rows), kept=["Unnamed: 0"])
    assert result.profile.sent_columns == ("Unnamed: 0", *NAMES)
    assert "Unnamed: 0" in result.profile.index


def test_an_index_with_a_name_and_unread_columns_of_parquet_do_not_shift_the_others(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    data = columns()
    arrays = {
        "customer": pa.array([f"c{row}" for row in SHUFFLED]),
        "amount": pa.array(data["amount"]),
        "gone": pa.nulls(ROWS),
        "kind": pa.array(data["kind"]),
        "took": pa.array(range(ROWS), pa.duration("s")),
        "clock": pa.array(range(ROWS), pa.time32("s")),
        "age": pa.array(data["age"]),
    }
    pandas = json.dumps({"index_columns": ["customer"], "columns": []}).encode()
    pq.write_table(pa.table(arrays).replace_schema_metadata({b"pandas": pandas}), tmp_path / "rows.parquet")
    result = built(tmp_path / "rows.parquet")
    assert result.profile.sent_columns == ("amount", "gone", "kind", "took", "clock", "age")
    assert result.left_out["customer"].startswith("the index of a data frame")
    assert any("keep their places: ['took', 'clock']" in note for note in result.notes)
    body = {"instances": [[1.5, None, "a", 3, 4, 41]]}
    found = decoded(body, path=V1_PATH, hints=hints_of(result.profile)).inputs.columns
    assert (found["amount"], found["kind"], found["age"]) == ([1.5], ["a"], [41])


def test_an_array_beside_an_index_takes_its_name_from_the_profile(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    cells = [f'"{json.dumps(row)}"' for row in rng.normal(size=(ROWS, 4)).tolist()]
    result = built(write_csv(tmp_path / "rows.csv", {"id": [f"c{row}x" for row in SHUFFLED], "emb": cells}))
    found = decoded({"instances": [[1.0, 2.0, 3.0, 4.0]]}, path=V1_PATH, hints=hints_of(result.profile)).inputs
    assert list(found.columns) == ["emb"]


@pytest.mark.parametrize(("width", "wanted"), [(2, "2 values"), (7, "7 values"), (80, "80 values"), (1, "1 value")])
def test_a_width_that_fits_no_order_is_one_finding_with_both_numbers(width: int, wanted: str) -> None:
    profile = with_left_out(["Unnamed: 0", *NAMES])
    monitor, counting = QualityMonitor(profile), TickCounts(profile)
    for _ in range(200):
        found = decoded({"instances": [[1.0] * width]}, path=V1_PATH, hints=hints_of(profile)).inputs
        batch = Batch(found.columns, found.count)
        monitor.observe(batch)
        counting.add(batch)
    findings = monitor.close_tick(0, counting.take())
    (unnamed,) = [finding for finding in findings if finding.kind not in {"duplicate_rows", "missing_column"}]
    assert (unnamed.kind, unnamed.rows) == ("width_mismatch", 200)
    assert unnamed.detail == f"{wanted} a row without names; the profile has 3 or 4 input columns"
    other = QualityMonitor(profile)
    other.restore(monitor.state())
    assert other.findings == monitor.findings
