"""The only column of a response is the reference's only prediction column, whatever its name is."""

from __future__ import annotations

from typing import Any

import pytest

from pilotfish.sidecar.analyzer.decode import Hints, OwnJson
from pilotfish.sidecar.settings.jsonpath import parse_path
from tests.analyzer.decode.exchanges import OIP_PATH, V1_PATH, decoded, tensor
from tests.analyzer.decode.test_nested import plain

REFERENCE = Hints(inputs=("age", "x"), outputs=("churn",))
OIP = {"inputs": [tensor("age", [2], [1, 2]), tensor("x", [2], [3, 4])]}
V1 = {"instances": [{"age": 1, "x": 3}, {"age": 2, "x": 4}]}
FRAME = {"dataframe_records": V1["instances"]}


def columns(request: Any, response: Any, reference: Hints, path: str) -> dict[str, Any] | None:
    found = decoded(request, response, reference, path=path)
    return None if found.outputs is None else {name: plain(cells) for name, cells in found.outputs.columns.items()}


@pytest.mark.parametrize("name", ["predict", "prediction", "predictions", "output", "output-0", "output__0", "0", ""])
def test_a_single_column_is_the_single_prediction_in_every_protocol(name: str) -> None:
    named = [{name: 0.1}, {name: 0.2}]
    own = OwnJson(rows=parse_path("$.instances[*]"), predictions=parse_path("$"))
    cases: list[tuple[Any, Any, Hints, str]] = [
        (OIP, {"outputs": [tensor(name, [2], [0.1, 0.2])]}, REFERENCE, OIP_PATH),
        (OIP, {"outputs": [tensor(name, [2, 1], [0.1, 0.2])]}, REFERENCE, OIP_PATH),
        (V1, {"predictions": [0.1, 0.2]}, REFERENCE, V1_PATH),
        (V1, {"predictions": [[0.1], [0.2]]}, REFERENCE, V1_PATH),
        (V1, {"predictions": named}, REFERENCE, V1_PATH),
        (V1, {"outputs": {name: [0.1, 0.2]}}, REFERENCE, V1_PATH),
        (FRAME, {"predictions": named}, REFERENCE, "/invocations"),
        (V1, {name: [0.1, 0.2]}, Hints(protocol="json", inputs=("age", "x"), outputs=("churn",), own=own), "/score"),
        (V1, named, Hints(protocol="json", inputs=("age", "x"), outputs=("churn",), own=own), "/score"),
    ]
    for case in cases:
        assert columns(*case) == {"churn": [0.1, 0.2]}


def test_several_columns_must_have_the_names_of_the_reference() -> None:
    outputs = [tensor("predict", [2], [0, 1]), tensor("predict_proba", [2, 2], [0.9, 0.1, 0.2, 0.8])]
    found = columns(OIP, {"outputs": outputs}, REFERENCE, OIP_PATH)
    assert found == {"predict": [0, 1], "predict_proba[0]": [0.9, 0.2], "predict_proba[1]": [0.1, 0.8]}
    named = {"outputs": {"label": ["a", "b"], "churn": [0.1, 0.2]}}
    assert columns(V1, named, REFERENCE, V1_PATH) == {"label": ["a", "b"], "churn": [0.1, 0.2]}


def test_a_single_column_is_not_one_of_several_predictions() -> None:
    several = Hints(inputs=("age", "x"), outputs=("label", "churn"))
    assert columns(V1, {"predictions": [0.1, 0.2]}, several, V1_PATH) == {"predictions": [0.1, 0.2]}
    assert columns(V1, {"predictions": [0.1, 0.2]}, Hints(), V1_PATH) == {"predictions": [0.1, 0.2]}


def test_lists_without_names_are_the_predictions_of_the_reference_by_position() -> None:
    several = Hints(inputs=("age", "x"), outputs=("label", "churn"))
    expected = {"label": ["a", "b"], "churn": [0.1, 0.2]}
    assert columns(V1, {"predictions": [["a", 0.1], ["b", 0.2]]}, several, V1_PATH) == expected
    oip = {"outputs": [tensor("output", [2, 2], ["a", 0.1, "b", 0.2])]}
    assert columns(OIP, oip, several, OIP_PATH) == expected


def test_a_repeated_input_is_not_a_prediction() -> None:
    assert columns(V1, {"outputs": {"age": [1, 2]}}, REFERENCE, V1_PATH) == {"age": [1, 2]}
    assert columns(V1, {"predictions": [{"x": 3}, {"x": 4}]}, REFERENCE, V1_PATH) == {"x": [3, 4]}
    assert columns(OIP, {"outputs": [tensor("x", [2], [3, 4])]}, REFERENCE, OIP_PATH) == {"x": [3, 4]}


@pytest.mark.parametrize("name", ["error", "errorCode", "status-code", "Detail", "message", "error.code", "code"])
def test_an_error_is_not_a_prediction(name: str) -> None:
    errors = [{name: 3}, {name: 4}]
    own = OwnJson(rows=parse_path("$.instances[*]"), predictions=parse_path("$"))
    several = Hints(protocol="json", inputs=("age", "x"), outputs=("churn",), own=own)
    assert columns(V1, {"predictions": errors}, REFERENCE, V1_PATH) == {name: [3, 4]}
    assert columns(V1, errors, several, "/score") == {name: [3, 4]}
    assert columns(V1, {"predictions": errors}, Hints(inputs=("age", "x"), outputs=(name,)), V1_PATH) == {name: [3, 4]}


def test_a_prediction_may_have_the_name_of_an_error_if_its_path_is_given() -> None:
    for predictions in (parse_path("$.code"), (("code", parse_path("$.code")),)):
        own = OwnJson(rows=parse_path("$.instances[*]"), predictions=predictions)
        given = Hints(protocol="json", inputs=("age", "x"), outputs=("churn",), own=own)
        assert columns(V1, {"code": [3, 4]}, given, "/score") == {"churn": [3, 4]}


def test_arrays_and_single_values_are_never_confused() -> None:
    array = Hints(inputs=("age", "x"), outputs=("emb",), arrays=frozenset(["emb"]))
    assert columns(V1, {"predictions": [[1, 2], [3, 4]]}, array, V1_PATH) == {"emb": [[1, 2], [3, 4]]}
    assert columns(V1, {"predictions": [{"v": [1]}, {"v": [1, 2]}]}, array, V1_PATH) == {"emb": [[1], [1, 2]]}
    assert columns(V1, {"predictions": [{"v": 1}, {"v": 2}]}, array, V1_PATH) == {"v": [1, 2]}
    assert columns(V1, {"predictions": [{"v": [1]}, {"v": [1, 2]}]}, REFERENCE, V1_PATH) == {"v": [[1], [1, 2]]}
