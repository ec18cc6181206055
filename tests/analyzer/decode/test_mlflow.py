"""MLflow's data frames, and CloudEvents in structured mode."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotfish.sidecar.analyzer.decode import DecodedExchange, Hints, decode
from tests.analyzer.decode import exchanges
from tests.analyzer.decode.exchanges import ANSWERS, OIP_PATH, V1_PATH, record, tensor
from tests.analyzer.decode.test_fuzz import FRAMES, TREES, require_sound

PATH = "/invocations"
EVENT = "Content-Type: application/cloudevents+json; charset=utf-8\r\n"


def decoded(body: Any, rows: int = 1, hints: Hints | None = None) -> DecodedExchange:
    return exchanges.decoded(body, {"predictions": [0.5] * rows}, hints, path=PATH)


def reason(body: Any) -> str:
    return exchanges.reason(body, path=PATH)


def test_a_split_frame_gives_one_column_per_name() -> None:
    frame = {"columns": ["age", "city"], "index": [3, 4], "data": [[41, "Bern"], [None, "Basel"]]}
    found = decoded({"dataframe_split": frame, "params": {"threshold": 0.5}}, 2)
    assert (found.protocol, found.inputs.columns) == ("mlflow", {"age": [41, None], "city": ["Bern", "Basel"]})
    assert found.outputs is not None
    assert found.outputs.columns == {"predictions": [0.5, 0.5]}


@pytest.mark.parametrize("names", [{}, {"columns": [0, 1]}])
def test_a_split_frame_without_names_uses_the_names_of_the_reference(names: dict[str, Any]) -> None:
    body = {"dataframe_split": {**names, "data": [[41, "Bern"]]}}
    assert decoded(body, hints=Hints(inputs=("age", "city"))).inputs.columns == {"age": [41], "city": ["Bern"]}


def test_records_are_rows_of_named_and_nested_values() -> None:
    body = {"dataframe_records": [{"age": 41, "home": {"city": "Bern"}}, {"age": 33}]}
    assert decoded(body, 2).inputs.columns == {"age": [41, 33], "home.city": ["Bern", None]}


@pytest.mark.parametrize("protocol", ["auto", "mlflow"])
def test_the_forms_of_tensorflow_serving_are_decoded_too(protocol: Any) -> None:
    for body in ({"inputs": {"a": [1, 2]}}, {"inputs": [{"a": 1}, {"a": 2}]}, {"instances": [{"a": 1}, {"a": 2}]}):
        assert decoded(body, 2, Hints(protocol=protocol)).inputs.columns == {"a": [1, 2]}


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({"dataframe_split": {"columns": ["a", "a"], "data": [[1, 2]]}}, "duplicate_name"),
        ({"dataframe_split": {"columns": ["a", "b"], "data": [[1, 2], [3]]}}, "ragged"),
        ({"dataframe_split": {"columns": ["a"], "data": []}}, "no_rows"),
        ({"dataframe_split": {"columns": ["a"]}}, "wrong_structure"),
        ({"dataframe_split": {"data": [[1]]}, "inputs": [1]}, "wrong_structure"),
        ({"dataframe_records": []}, "no_rows"),
        ({"dataframe_records": [1]}, "wrong_structure"),
        (b'{"dataframe_split":{"data":[[1]],"data":[[2]]}}', "duplicate_name"),
        (b'{"dataframe_split":{"columns":["a"],"data":[[{"b":1,"b":2}]]}}', "duplicate_name"),
        (b'{"dataframe_records":[{"a":1,"a":2}]}', "duplicate_name"),
    ],
)
def test_invalid_frames_have_their_own_reasons(body: Any, why: str) -> None:
    assert reason(body) == why


def test_an_event_provides_the_body_and_the_id_of_the_exchange() -> None:
    request = {"instances": [{"a": 1, "at": "10:30:00"}]}
    for data in ({"data": request}, {"data_base64": base64.b64encode(json.dumps(request).encode()).decode()}):
        event = {"specversion": "1.0", "id": "e-7", "source": "s", "type": "t", "time": "2024-01-01T00:00:00Z", **data}
        answer = {"specversion": "1.0", "id": "r-7", "data": {"predictions": [0.5]}}
        found = exchanges.decoded(event, answer, path=V1_PATH, request_headers=EVENT, response_headers=EVENT)
        assert found.inputs.columns == {"a": [1], "at": ["10:30:00"]}
        assert found.outputs is not None
        assert found.request_id == "e-7"


def test_an_event_may_carry_any_protocol_on_any_path() -> None:
    event = b'{"id":"1","data":{"inputs":[{"name":"a","shape":[2],"datatype":"FP64","data":[7,1]}]}}'
    answer = {"outputs": [tensor("p", [2], [0, 1])]}
    found = exchanges.decoded(event, answer, path="/", request_headers=EVENT)
    assert found.inputs.columns == {"a": [7, 1]}


@pytest.mark.parametrize(
    ("event", "why"),
    [
        ({"id": "1"}, "wrong_structure"),
        ({"data_base64": "?"}, "wrong_structure"),
        ([1], "wrong_structure"),
        (b'{"data":{"instances":[1]},"data":{"instances":[2]}}', "duplicate_name"),
        (b'{"id":', "invalid_json"),
        ({"data": {"instances": []}}, "no_rows"),
    ],
)
def test_invalid_events_have_their_own_reasons(event: Any, why: str) -> None:
    assert exchanges.reason(event, path=V1_PATH, request_headers=EVENT) == why


def test_only_the_content_type_identifies_an_event() -> None:
    accepts = "Content-Type: application/json\r\nAccept: application/cloudevents+json\r\n"
    assert exchanges.decoded({"instances": [1]}, path=V1_PATH, request_headers=accepts).inputs.count == 1
    typed = "CONTENT-TYPE:  Application/CloudEvents+JSON ; charset=utf-8\r\n"
    assert exchanges.decoded({"data": {"instances": [1, 2]}}, path=V1_PATH, request_headers=typed).inputs.count == 2


BODIES = st.fixed_dictionaries(
    {},
    optional={"dataframe_split": FRAMES | TREES, "dataframe_records": TREES, "inputs": TREES, "params": TREES},
)


@given(BODIES, st.booleans(), st.sampled_from(["auto", "mlflow"]), st.sampled_from([PATH, OIP_PATH]))
def test_hostile_frames_and_events_are_rows_or_a_counted_skip(body: Any, wrap: bool, protocol: Any, path: str) -> None:
    sent = {"id": body, "data": body} if wrap else body
    found = decode(
        record(sent, ANSWERS[V1_PATH], path=path, request_headers=EVENT if wrap else ""), Hints(protocol=protocol)
    )
    require_sound(found)
