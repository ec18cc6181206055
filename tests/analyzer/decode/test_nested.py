"""Nested objects, lists and arrays: which become several columns, and which stay one column."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotfish.sidecar.analyzer.decode import Cells, DecodedExchange, Hints, decode
from tests.analyzer.decode.exchanges import OIP_PATH, V1_PATH, decoded, reason, record, tensor
from tests.analyzer.decode.test_fuzz import require_sound

WIDE = [index / 8 for index in range(65)]


def columns(instances: list[Any], hints: Hints | None = None) -> dict[str, Cells]:
    return decoded({"instances": instances}, hints=hints, path=V1_PATH).inputs.columns


def plain(cells: Cells) -> list[Any]:
    """Return the cells as nested lists."""
    if isinstance(cells, np.ndarray):
        return cells.tolist()  # type: ignore[no-any-return]
    return [cell.tolist() if isinstance(cell, np.ndarray) else cell for cell in cells]


def test_values_of_nested_objects_become_columns_with_dots() -> None:
    rows = [
        {"age": 41, "address": {"city": "Bern", "geo": {"lat": 46.9}}},
        {"age": 33, "address": {"city": "Basel", "zip": None}},
        {"age": 20, "address": None},
        {"age": 21},
    ]
    assert columns(rows) == {
        "age": [41, 33, 20, 21],
        "address.city": ["Bern", "Basel", None, None],
        "address.geo.lat": [46.9, None, None, None],
        "address.zip": [None, None, None, None],
        "address": [None, None, None, None],
    }


def test_reference_columns_absent_from_all_rows_are_missing() -> None:
    hints = Hints(inputs=("age", "address.city", "address.zip"))
    assert columns([{"age": 1, "address": None}], hints) == {"age": [1], "address.city": [None], "address.zip": [None]}


@pytest.mark.parametrize("sent", [[1, 2], WIDE, "x", [[1], [2, 3]]])
def test_another_type_in_place_of_an_object_is_a_new_column(sent: Any) -> None:
    found = columns([{"address": sent, "age": 1}], Hints(inputs=("age", "address.city")))
    assert found["address.city"] == [None]
    assert any(name.startswith("address") and name != "address.city" for name in found)


def test_objects_in_the_column_form_are_decoded() -> None:
    body = {"inputs": {"age": [1, 2], "user": [{"id": 7}, {"id": 8, "vip": True}]}}
    found = decoded(body, path=V1_PATH).inputs
    assert (found.columns, found.count) == ({"age": [1, 2], "user.id": [7, 8], "user.vip": [None, True]}, 2)
    assert reason({"inputs": {"age": [1], "user": [{"id": 7}, {"id": 8}]}}, path=V1_PATH) == "row_mismatch"


def test_base64_is_decoded_to_text() -> None:
    assert columns([{"a": {"b64": "aGk="}, "b": {"c": {"b64": "aGk="}}}]) == {"a": ["hi"], "b.c": ["hi"]}


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"a": {"b": 1}, "a.b": 2}, "duplicate_name"),
        ({"a": {"b": {"c": {"d": {"e": {"f": {"g": {"h": {"i": 1}}}}}}}}}, "too_deep"),
        ({"a": {f"k{index}": 1 for index in range(20_000)}}, "too_many_values"),
        ({f"k{index}": {"a": 1} for index in range(20_000)}, "too_many_values"),
        ({f"k{index}": index for index in range(20_000)}, "too_many_values"),
    ],
)
def test_depth_and_number_of_columns_are_bounded(row: dict[str, Any], why: str) -> None:
    assert reason({"instances": [row]}, path=V1_PATH) == why


@pytest.mark.parametrize(
    "body",
    [
        b'{"instances":[{"a":{"b":1,"b":2}}]}',
        b'{"instances":[{"a":1,"a" :2}]}',
        b'{"instances":[{"a":1,"a"\n:2}]}',
        b'{"instances":[{"a":":","a":2}]}',
        b'{"instances":[{"a":"\\":","a" :2}]}',
        b'{"instances":[{"a":[{"b":1,"b":2}]}]}',
        b'{"inputs":{"a":{"b":1,"b":2}}}',
        b'{"inputs":{"a":[{"b":1,"b":":"}]}}',
    ],
)
def test_duplicate_keys_are_found_in_every_notation(body: bytes) -> None:
    assert reason(body, path=V1_PATH) == "duplicate_name"


@given(st.text(alphabet='a":\\ ,{}', max_size=12), st.sampled_from([":", " :", ": "]))
def test_colons_and_quotes_in_texts_are_not_keys(text: str, colon: str) -> None:
    body = json.dumps({"instances": [{"a": {"b": text}, "c": 1}]}, separators=(",", colon)).encode()
    assert decoded(body, path=V1_PATH).inputs.columns == {"a.b": [text], "c": [1]}


def test_lists_that_differ_in_length_or_hold_objects_stay_one_column() -> None:
    rows = [{"tags": ["a", "b"], "items": [{"sku": 1}], "pair": [1, 2]}, {"tags": [], "items": [], "pair": [3, 4]}]
    assert {name: plain(cells) for name, cells in columns(rows).items()} == {
        "tags": [["a", "b"], []],
        "items": [[{"sku": 1}], []],
        "pair[0]": [1, 3],
        "pair[1]": [2, 4],
    }


@pytest.mark.parametrize("rows", [1, 3])
def test_arrays_of_the_profile_stay_one_column(rows: int) -> None:
    hints = Hints(inputs=("emb", "x"), arrays=frozenset(["emb"]))
    values = [[0.5 + row, 1.5, 2.5] for row in range(rows)]
    flat = [value for row in values for value in row]
    sent: list[tuple[str, Any]] = [
        (V1_PATH, {"instances": [{"emb": row, "x": 1} for row in values]}),
        (V1_PATH, {"inputs": {"emb": values, "x": [1] * rows}}),
        (OIP_PATH, {"inputs": [tensor("emb", [rows, 3], values), tensor("x", [rows], [1] * rows)]}),
        (OIP_PATH, {"inputs": [tensor("emb", [rows, 3], flat), tensor("x", [rows], [1] * rows)]}),
    ]
    for path, body in sent:
        found = decoded(body, hints=hints, path=path).inputs
        assert (plain(found.columns["emb"]), plain(found.columns["x"])) == (values, [1] * rows)


def test_a_single_column_of_arrays_needs_no_name() -> None:
    hints = Hints(inputs=("emb",), outputs=("out",), arrays=frozenset(["emb", "out"]))
    answer = {"predictions": [[1.0, 2.0]]}
    for body, path in (
        ({"instances": [[1, 2, 3]]}, V1_PATH),
        ({"inputs": [[1, 2, 3]]}, V1_PATH),
        ({"inputs": [tensor("x", [1, 3], [1, 2, 3])]}, OIP_PATH),
    ):
        assert plain(decoded(body, hints=hints, path=path).inputs.columns["emb"]) == [[1, 2, 3]]
    outputs = decoded({"instances": [[1, 2, 3]]}, answer, hints, path=V1_PATH).outputs
    assert outputs is not None
    assert plain(outputs.columns["out"]) == [[1.0, 2.0]]


def test_more_than_64_numbers_are_an_array_unless_the_profile_has_single_columns() -> None:
    names = tuple(f"emb[{index}]" for index in range(65))
    body = {"inputs": [tensor("emb", [1, 65], WIDE), tensor("x", [1], [1])]}
    assert plain(decoded(body).inputs.columns["emb"]) == [WIDE]
    assert len(decoded(body, hints=Hints(inputs=(*names, "x"))).inputs.columns) == 66
    alone = {"instances": [WIDE]}
    assert plain(columns(alone["instances"])["inputs"]) == [WIDE]
    assert columns(alone["instances"], Hints(inputs=tuple(f"c{index}" for index in range(65))))["c7"] == [7 / 8]
    assert columns([WIDE[:64]])["inputs[7]"] == [7 / 8]
    named = {"inputs": [tensor("emb", [1, 65], WIDE, parameters={"names": ",".join(names)})]}
    assert len(decoded(named).inputs.columns) == 65


def test_a_binary_tensor_of_arrays_stays_a_numpy_array() -> None:
    data = np.arange(2 * 768, dtype="<f4").reshape(2, 768)
    head = {"name": "emb", "shape": [2, 768], "datatype": "FP32", "parameters": {"binary_data_size": data.nbytes}}
    text = json.dumps({"inputs": [head]}).encode()
    headers = f"Inference-Header-Content-Length: {len(text)}\r\n"
    answer = {"outputs": [tensor("p", [2], [0, 1])]}
    found = decoded(text + data.tobytes(), answer, request_headers=headers).inputs.columns["emb"]
    assert isinstance(found, np.ndarray)
    assert found.dtype == np.float32
    assert (found == data).all()


@pytest.mark.parametrize("bad", ["x", None, 10**400, {"a": 1}])
def test_an_array_with_other_values_is_unchanged(bad: Any) -> None:
    hints = Hints(inputs=("emb", "x"), arrays=frozenset(["emb"]))
    assert plain(columns([{"emb": [1.0, bad], "x": 1}], hints)["emb"]) == [[1.0, bad]]
    if not isinstance(bad, dict):
        body = {"inputs": [tensor("emb", [1, 2], [1.0, bad]), tensor("x", [1], [1])]}
        assert plain(decoded(body, hints=hints).inputs.columns["emb"]) == [[1.0, bad]]


TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["", "a", 10**400]),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["a", "b", "a.b", "b64", ""]), inner, max_size=3)
    ),
    max_leaves=20,
)
ROWS = st.dictionaries(st.sampled_from(["a", "b", "emb", "a.b"]), TREES, min_size=1, max_size=4)
HINTS = st.builds(
    Hints,
    inputs=st.sampled_from([(), ("emb",), ("a", "emb"), ("a.b", "b[0]")]),
    arrays=st.sampled_from([frozenset[str](), frozenset(["emb"]), frozenset(["a", "emb", "inputs"])]),
)


@given(st.lists(ROWS, min_size=1, max_size=3), st.dictionaries(st.sampled_from(["a", "emb"]), TREES), HINTS)
def test_nested_rows_are_rows_or_a_counted_skip(rows: list[Any], by_name: dict[str, Any], hints: Hints) -> None:
    for body in ({"instances": rows}, {"inputs": by_name}, {"inputs": [tensor("emb", [len(rows), 2], rows)]}):
        found = decode(record(body, path="/predict"), hints)
        require_sound(found)
        if isinstance(found, DecodedExchange):
            assert {2} >= {cells.ndim for cells in found.inputs.columns.values() if isinstance(cells, np.ndarray)}
