"""Live rows fall into the same bins as the same rows of the reference."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pilotfish.detectors.batch import Batch
from pilotfish.detectors.profile.profile import Profile
from pilotfish.detectors.summaries.counts import TickCounts
from pilotfish.sidecar.analyzer.decode import DecodedExchange, Hints, decode
from pilotfish.sidecar.profiles.build import ColumnRoles, ProfileIdentity, RowTiming, build
from tests.analyzer.decode.exchanges import OIP_PATH, V1_PATH, record, tensor

ROWS = 300
COLUMNS = ("amount", "children", "member", "city", "zip", "account", "code", "mixed", "id")


def rows() -> list[dict[str, Any]]:
    """Return rows as a program holds them; None is missing."""
    random = np.random.default_rng(5)
    return [
        {
            "amount": round(float(random.normal(100, 30)), 2),
            "children": None if random.random() < 0.1 else int(random.integers(0, 4)),
            "member": bool(random.random() < 0.3),
            "city": random.choice(["Bern", "Zürich, Nord", 'the "old" town', "été"]).item(),
            "zip": random.choice(["00501", "10001", "94105"]).item(),
            "account": 2**60 + int(random.integers(3)),
            "code": int(random.integers(1, 6)),
            "mixed": random.choice(["1", "2", "A"]).item(),
            "id": row,
        }
        for row in range(ROWS)
    ]


def as_pandas_writes(value: Any, name: str) -> str:
    """Spell a value as `DataFrame.to_csv` does: a column of whole numbers with gaps is one of floats."""
    if value is None:
        return ""
    text = f"{float(value)}" if name == "children" else str(value)
    return '"' + text.replace('"', '""') + '"' if name == "city" else text


@pytest.fixture(scope="module")
def profile(tmp_path_factory: pytest.TempPathFactory) -> Profile:
    path = tmp_path_factory.mktemp("same") / "rows.csv"
    lines = [",".join(as_pandas_writes(row[name], name) for name in COLUMNS) for row in rows()]
    path.write_text("\n".join([",".join(COLUMNS), *lines]) + "\n")
    roles = ColumnRoles(kinds={"account": "categorical", "code": "categorical"})
    return build(path, roles, RowTiming(rows_per_tick=10), ProfileIdentity(), progress=lambda *_: None).profile


def as_named_tensors(sent: list[dict[str, Any]]) -> tuple[str, Any]:
    kinds = {"member": "BOOL", "city": "BYTES", "zip": "BYTES", "mixed": "BYTES"}
    columns = {name: [row[name] for row in sent] for name in COLUMNS}
    inputs = [tensor(name, [len(sent)], column, kinds.get(name, "FP64")) for name, column in columns.items()]
    return OIP_PATH, {"inputs": inputs}


def as_one_tensor(sent: list[dict[str, Any]]) -> tuple[str, Any]:
    data = [[row[name] for name in COLUMNS] for row in sent]
    return OIP_PATH, {"inputs": [tensor("x", [len(sent), len(COLUMNS)], data, "BYTES")]}


def as_named_rows(sent: list[dict[str, Any]]) -> tuple[str, Any]:
    return V1_PATH, {"instances": [{key: value for key, value in row.items() if value is not None} for row in sent]}


def as_lists(sent: list[dict[str, Any]]) -> tuple[str, Any]:
    return V1_PATH, {"instances": [list(row.values()) for row in sent]}


def as_columns(sent: list[dict[str, Any]]) -> tuple[str, Any]:
    return V1_PATH, {"inputs": {name: [row[name] for row in sent] for name in COLUMNS}}


@pytest.mark.parametrize("form", [as_columns, as_lists, as_named_rows, as_named_tensors, as_one_tensor])
@pytest.mark.parametrize("at_once", [1, 7, ROWS])
def test_a_live_row_falls_into_the_bins_of_the_reference_row(
    profile: Profile, form: Callable[[list[dict[str, Any]]], tuple[str, Any]], at_once: int
) -> None:
    assert [excluded.name for excluded in profile.excluded] == ["id"]
    hints = Hints(inputs=profile.columns("input"), outputs=profile.columns("prediction"))
    counts, sent = TickCounts(profile), rows()
    for start in range(0, ROWS, at_once):
        path, body = form(sent[start : start + at_once])
        found = decode(record(body, path=path), hints)
        assert isinstance(found, DecodedExchange)
        counts.add(Batch(found.inputs.columns, found.inputs.count))
    taken = counts.take()
    assert taken.mismatches.tolist() == [0] * len(profile.features)
    for feature, start, end in zip(profile.features, profile.offsets, profile.offsets[1:], strict=False):
        assert taken.bin_counts[start:end].tolist() == feature.reference_counts.tolist(), feature.name
