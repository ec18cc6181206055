"""KServe v1 and TensorFlow Serving: row form, column form and responses."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pytest

from pilotfish.sidecar.analyzer.decode import Cells, DecodedExchange, Hints
from tests.analyzer.decode import exchanges
from tests.analyzer.decode.exchanges import V1_PATH


def decoded(request: Any, response: Any = None, hints: Hints | None = None) -> DecodedExchange:
    return exchanges.decoded(request, response, hints, path=V1_PATH)


def reason(request: Any, hints: Hints | None = None) -> str:
    return exchanges.reason(request, hints=hints, path=V1_PATH)


def outputs(response: Any, rows: int, hints: Hints | None = None) -> dict[str, Cells] | str | None:
    found = decoded({"instances": list(range(rows))}, response, hints)
    return found.outputs.columns if found.outputs else found.outputs_reason


def test_rows_of_named_values() -> None:
    body = {"signature_name": "serving_default", "instances": [{"a": 1, "b": "x"}, {"a": 2.5, "c": [3]}]}
    found = decoded(body, {"predictions": [[0.1], [0.9]]})
    assert found.inputs.columns == {"a": [1, 2.5], "b": ["x", None], "c": [None, 3]}
    assert found.outputs is not None
    assert found.outputs.columns == {"predictions": [0.1, 0.9]}
    assert (found.model, found.protocol, found.request_id) == ("m", "v1", None)


def test_rows_of_lists_use_names_by_position() -> None:
    body = {"instances": [[1, 2], [3, 4]]}
    assert decoded(body, {"predictions": [0, 1]}).inputs.columns == {"inputs[0]": [1, 3], "inputs[1]": [2, 4]}
    found = decoded(body, {"predictions": [0, 1]}, Hints(inputs=("a", "b"), outputs=("score",)))
    assert found.inputs.columns == {"a": [1, 3], "b": [2, 4]}
    assert found.outputs is not None
    assert found.outputs.columns == {"score": [0, 1]}


def test_rows_of_scalars_are_one_column() -> None:
    assert decoded({"instances": ["a", "b"]}).inputs.columns == {"inputs": ["a", "b"]}
    assert decoded({"instances": [1, None]}, hints=Hints(inputs=("age",))).inputs.columns == {"age": [1, None]}


def test_lists_become_columns_and_absent_lists_are_missing() -> None:
    found = decoded({"instances": [{"v": [1, 2]}, {"v": [[3], [4]]}, {"w": 1}]})
    assert found.inputs.columns == {"v[0]": [1, 3, None], "v[1]": [2, 4, None], "w": [None, None, 1]}


def test_a_known_key_absent_from_all_rows_is_missing() -> None:
    hints = Hints(inputs=("a", "b", "c"))
    assert decoded({"instances": [{"a": 1}]}, hints=hints).inputs.columns == {"a": [1], "b": [None], "c": [None]}
    assert decoded({"instances": [{"x": 1}]}, hints=hints).inputs.columns == {"x": [1]}


def test_the_column_form() -> None:
    found = decoded({"inputs": {"a": [1, 2], "b": [[1, 2], [3, 4]], "c": [["x"], ["y"]]}})
    assert found.inputs.columns == {"a": [1, 2], "b[0]": [1, 3], "b[1]": [2, 4], "c": ["x", "y"]}
    assert decoded({"inputs": [[1, 2]]}, hints=Hints(inputs=("a", "b"))).inputs.columns == {"a": [1], "b": [2]}
    assert decoded({"inputs": {"a": 1, "b": "x"}}).inputs.columns == {"a": [1], "b": ["x"]}


@pytest.mark.parametrize("scalar", [1.0, False, "x", None])
def test_a_scalar_beside_columns_holds_for_every_row(scalar: object) -> None:
    found = decoded({"inputs": {"x": [[1, 2], [3, 4]], "keep_prob": scalar}}, {"outputs": [[0.5], [0.5]]})
    assert found.inputs.columns == {"x[0]": [1, 3], "x[1]": [2, 4], "keep_prob": [scalar, scalar]}
    assert found.outputs is not None


@pytest.mark.parametrize("scalar", [5.0, 0, "", False])
def test_a_scalar_in_place_of_a_list_is_one_row(scalar: object) -> None:
    found = decoded({"inputs": scalar}, {"outputs": scalar})
    assert found.inputs.columns == {"inputs": [scalar]}
    assert found.outputs is not None
    assert found.outputs.columns == {"predictions": [scalar]}
    assert reason({"inputs": None}) == "wrong_structure"


def test_base64_is_decoded_to_its_text() -> None:
    wrapped = {"b64": base64.b64encode(b"hello").decode()}
    assert decoded({"instances": [wrapped]}).inputs.columns == {"inputs": ["hello"]}
    assert decoded({"instances": [{"t": wrapped}]}).inputs.columns == {"t": ["hello"]}
    assert decoded({"instances": [{"t": {"b64": "!"}}]}).inputs.columns == {"t": ["!"]}


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ({"predictions": [0.5]}, {"predictions": [0.5]}),
        ({"predictions": [[0.1, 0.9]]}, {"predictions[0]": [0.1], "predictions[1]": [0.9]}),
        ({"predictions": [{"label": "x", "scores": [1, 2]}]}, {"label": ["x"], "scores[0]": [1], "scores[1]": [2]}),
        ({"outputs": [[0.5]]}, {"predictions": [0.5]}),
        ({"outputs": {"label": ["x"]}}, {"label": ["x"]}),
        ({"predictions": [1, 2]}, "row_mismatch"),
        ({"predictions": []}, "no_rows"),
        ({"error": "no"}, "wrong_structure"),
        (b"", "empty_body"),
        (b"ok", "invalid_json"),
    ],
)
def test_responses(response: Any, expected: object) -> None:
    assert outputs(response, 1) == expected


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({}, "wrong_structure"),
        ({"instances": 1}, "wrong_structure"),
        ({"instances": [1], "inputs": [1]}, "wrong_structure"),
        ({"instances": []}, "no_rows"),
        ({"inputs": {}}, "no_rows"),
        ({"instances": [[]]}, "no_rows"),
        ({"inputs": {"a": []}}, "no_rows"),
        ({"instances": [[1, 2], [3]]}, "ragged"),
        ({"instances": [[1, 2], 3]}, "ragged"),
        ({"instances": [1, {"a": 2}]}, "ragged"),
        ({"inputs": {"a": [1, 2], "b": [1]}}, "row_mismatch"),
        ({"inputs": {"a": [1, 2], "b": {"c": 1}}}, "row_mismatch"),
        ({"instances": [{f"k{i}": 1} for i in range(5000)]}, "too_many_values"),
        ({"instances": [[[[[[[[[[[1]]]]]]]]]]]}, "too_deep"),
        (b'{"instances":[{"a":1,"a":2}]}', "duplicate_name"),
        (b'{"instances":[1],"instances":[2]}', "duplicate_name"),
    ],
)
def test_invalid_requests_have_their_own_reasons(body: Any, why: str) -> None:
    assert reason(body) == why


@pytest.mark.parametrize("odd", [[3], [], None, "x", [[1, 2]], [None, 2]])
def test_one_odd_array_does_not_hide_the_others(odd: Any) -> None:
    known = Hints(inputs=("emb",), arrays=frozenset(["emb"]))
    body = {"instances": [[1, 2], odd, [3.5, 4]]}
    cells = list(decoded(body, {"predictions": [1, 2, 3]}, known).inputs.columns["emb"])
    assert [np.array(cells[0]).tolist(), np.array(cells[2]).tolist()] == [[1, 2], [3.5, 4]]


def test_rows_of_lists_may_hold_an_array_among_values() -> None:
    known = Hints(inputs=("emb", "age"), arrays=frozenset(["emb"]))
    for body, ages in (([[[1, 2], 41], [[3], 33]], [41, 33]), ([[[1, 2], 41]], [41])):
        columns = decoded({"instances": body}, {"predictions": [1] * len(body)}, known).inputs.columns
        assert columns["age"] == ages
        assert [np.array(cell).tolist() for cell in columns["emb"]] == [row[0] for row in body]
    assert reason({"instances": [[[1, 2], 41, 1], [[3], 33, 1]]}, known) == "ragged"


def test_names_that_collide_after_flattening_are_refused() -> None:
    assert reason({"instances": [{"v": [1, 2], "v[0]": 3}]}) == "duplicate_name"


def test_values_of_two_rows_are_never_mixed() -> None:
    rows = [{"a": index, "b": [index, -index]} for index in range(500)]
    columns = decoded({"instances": rows}).inputs.columns
    for index in range(len(rows)):
        assert [columns[name][index] for name in ("a", "b[0]", "b[1]")] == [index, index, -index]
