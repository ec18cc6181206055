"""JSON of a user's own form: paths to rows, predictions and id in `spec.traffic.decode`."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pilotfish.sidecar.analyzer.configuration import configure
from pilotfish.sidecar.analyzer.decode import DecodedExchange, Hints, OwnJson, SkippedExchange, compile_template, decode
from pilotfish.sidecar.settings.jsonpath import parse_path
from tests.analyzer.decode import exchanges
from tests.analyzer.decode.exchanges import record
from tests.analyzer.decode.test_nested import plain
from tests.generate import ROOT

HEAD = "apiVersion: pilotfish.dev/v1alpha1\nkind: ModelMonitor\nmetadata: {name: a}\n"
PAGE = (ROOT / "docs/protocols.md").read_text()
ROW = {"age": 41, "city": "Bern"}
ROWS = [ROW, {"age": 33, "city": "Basel"}]
COLUMNS = {"age": [41, 33], "city": ["Bern", "Basel"]}
LISTS = [[41, "Bern"], [33, "Basel"]]
KNOWN = ("age", "city")


def paths(given: Any) -> Any:
    if isinstance(given, dict):
        return tuple((name, parse_path(path)) for name, path in given.items())
    return None if given is None else parse_path(given)


def hints(
    rows: Any = "$",
    predictions: Any = "$",
    *,
    names: str | None = None,
    identifier: str | None = None,
    one_row: bool = False,
    templates: tuple[str, ...] = (),
    **more: Any,
) -> Hints:
    own = OwnJson(
        rows=paths(rows),
        one_row=one_row,
        names=paths(names),
        predictions=paths(predictions),
        id=paths(identifier),
        paths=tuple(map(compile_template, templates)),
    )
    return Hints(protocol="json", own=own, **more)


def decoded(request: Any, response: Any, given: Hints, **more: Any) -> DecodedExchange:
    return exchanges.decoded(request, response, given, path="/score", **more)


def inputs(request: Any, rows: Any, **more: Any) -> dict[str, Any] | str:
    """Return the input columns of a request as plain lists, or the reason for its skip."""
    found = decode(record(request, {}, path="/score"), hints(rows, **more))
    if isinstance(found, SkippedExchange):
        return found.reason
    return {name: plain(cells) for name, cells in found.inputs.columns.items()}


def outputs(response: Any, predictions: Any, count: int, **more: Any) -> dict[str, Any] | str | None:
    """Return the prediction columns of a response to `count` rows, or the reason why they cannot be read."""
    found = decoded([[0]] * count, response, hints("$", predictions, **more))
    return (
        {name: plain(cells) for name, cells in found.outputs.columns.items()} if found.outputs else found.outputs_reason
    )


@pytest.mark.parametrize(
    ("request_body", "rows"),
    [
        ({"rows": ROWS}, "$.rows[*]"),
        ({"rows": ROWS}, "$.rows"),
        ({"rows": ROWS}, "$['rows'][*]"),
        (ROWS, "$"),
        (ROWS, "$[*]"),
        ({"a": {"b": [{"features": row} for row in ROWS]}}, "$.a.b[*].features"),
        ({"batches": [{"rows": ROWS[:1]}, {"rows": ROWS[1:]}]}, "$.batches[*].rows[*]"),
        ({"rows": LISTS}, "$.rows"),
        ({"rows": LISTS}, "$.rows[*]"),
        (LISTS, "$"),
        ({"features": COLUMNS}, "$.features"),
        (COLUMNS, "$"),
        ([0, {"rows": ROWS}], "$[1].rows[*]"),
        (
            {"people": [{"a": {"x": 41}, "c": "Bern"}, {"a": {"x": 33}, "c": "Basel"}]},
            {"age": "$.people[*].a.x", "city": "$.people[*].c"},
        ),
        ({"age": {"0": 41, "1": 33}, "city": {"0": "Bern", "1": "Basel"}}, "$"),
        ({"frame": {"0": ROW, "1": ROWS[1]}}, "$.frame"),
        ({"frame": {"17": ROW, "4": ROWS[1]}}, "$.frame"),
        ({"age": {"17": 41, "4": 33}, "city": {"17": "Bern", "4": "Basel"}}, "$"),
        ({"ages": [41, 33], "cities": ["Bern", "Basel"]}, {"age": "$.ages[*]", "city": "$.cities[*]"}),
    ],
)
def test_rows_columns_and_lists_give_the_same_columns(request_body: Any, rows: Any) -> None:
    assert inputs(request_body, rows, inputs=KNOWN) == COLUMNS


@pytest.mark.parametrize(
    ("request_body", "rows"),
    [
        (ROW, "$"),
        ({"features": ROW}, "$.features"),
        ({"features": [41, "Bern"]}, "$.features"),
        ({"rows": [ROW]}, "$.rows[0]"),
        ({"instances": [{"features": [41, "Bern"]}]}, "$.instances[*].features"),
        ({"who": {"age": 41}, "where": "Bern"}, {"age": "$.who.age", "city": "$.where"}),
    ],
)
def test_one_row(request_body: Any, rows: Any) -> None:
    assert inputs(request_body, rows, inputs=KNOWN) == {"age": [41], "city": ["Bern"]}


def test_names_come_from_the_body_then_from_the_profile_then_from_the_path() -> None:
    assert inputs(
        {"data": {"names": ["city", "age"], "ndarray": [["Bern", 41]]}},
        "$.data.ndarray",
        names="$.data.names",
        inputs=KNOWN,
    ) == {"city": ["Bern"], "age": [41]}
    assert inputs({"fields": [{"n": "a"}, {"n": "b"}], "row": [1, 2]}, "$.row", names="$.fields[*].n") == {
        "a": [1],
        "b": [2],
    }
    assert inputs({"data": {"ndarray": [[41, "Bern"]]}}, "$.data.ndarray", names="$.data.names", inputs=KNOWN) == {
        "age": [41],
        "city": ["Bern"],
    }
    assert inputs({"rows": LISTS}, "$.rows[*]") == {"rows[0]": [41, 33], "rows[1]": ["Bern", "Basel"]}
    assert inputs({"text": "hello"}, "$.text", inputs=("length", "text")) == {"text": ["hello"]}
    assert inputs(["a", "b"], "$[*]") == {"inputs": ["a", "b"]}
    assert outputs([0.5], "$", 1) == {"predictions": [0.5]}
    assert outputs({"score": 0.5}, "$.score", 1) == {"score": [0.5]}


@pytest.mark.parametrize(
    ("names", "why"),
    [(["a", "a"], "duplicate_name"), (["a"], "ragged"), ([1, 2], "wrong_structure"), ("a", "wrong_structure")],
)
def test_names_that_do_not_fit_are_refused(names: Any, why: str) -> None:
    assert inputs({"names": names, "rows": LISTS}, "$.rows", names="$.names") == why


def test_a_value_beside_the_rows_holds_for_every_row() -> None:
    body = {"store": "x", "items": [{"amount": 1}, {"amount": 2}]}
    columns = {"store": "$.store", "amount": "$.items[*].amount", "coupon": "$.coupon"}
    assert inputs(body, columns) == {"store": ["x", "x"], "amount": [1, 2], "coupon": [None, None]}


def test_a_wildcard_makes_each_scalar_a_row_and_a_single_value_makes_one_row() -> None:
    assert inputs({"x": [1, 2, 3]}, "$.x[*]") == {"x": [1, 2, 3]}
    assert inputs({"x": [1, 2, 3]}, "$.x") == {"x[0]": [1], "x[1]": [2], "x[2]": [3]}


def test_keys_that_are_no_row_numbers_are_names() -> None:
    assert inputs({"0": [1, 2], "1": [3, 4]}, "$") == {"0": [1, 2], "1": [3, 4]}
    assert inputs({"0": 1, "1": 2}, "$") == {"0": [1], "1": [2]}
    assert inputs({"sales": {"2023": 1, "2024": 2}}, "$") == {"sales.2023": [1], "sales.2024": [2]}
    assert inputs({"a": {"0": 1}, "b": 2}, "$") == {"a.0": [1], "b": [2]}
    assert inputs({"a": {"0": 1, "1": 2}}, "$", one_row=True) == {"a.0": [1], "a.1": [2]}
    assert inputs({"a": {"0": 1, "1": 2}, "b": {"0": 1}}, "$") == "row_mismatch"


def test_the_data_of_a_cloud_event_is_decoded() -> None:
    event = {"specversion": "1.0", "id": "e-7", "source": "s", "type": "t", "data": {"rows": ROWS}}
    found = decoded(
        event, [0.1, 0.2], hints("$.rows[*]"), request_headers="Content-Type: application/cloudevents+json\r\n"
    )
    assert (found.inputs.columns, found.request_id) == (COLUMNS, "e-7")
    assert found.outputs is not None


def test_an_object_of_scalars_and_lists_is_one_row() -> None:
    assert inputs({"age": 41, "tags": ["a", "b"]}, "$") == {"age": [41], "tags[0]": ["a"], "tags[1]": ["b"]}


def test_a_scalar_beside_lists_holds_for_each_row_if_the_reference_has_the_lists_as_columns() -> None:
    body = {"age": [41, 33], "city": ["Bern", "Basel"], "user": "x"}
    assert inputs(body, "$", inputs=KNOWN) == {**COLUMNS, "user": ["x", "x"]}
    one_row = {"age[0]": [41], "age[1]": [33], "user": ["x"]}
    assert inputs({"age": [41, 33], "user": "x"}, "$", inputs=("user",)) == one_row
    assert (
        inputs({"age": {"17": 41, "4": 33}, "city": {"4": "Basel", "17": "Bern"}}, "$", inputs=KNOWN) == "row_mismatch"
    )


def test_an_object_of_arrays_is_one_row_if_the_profile_or_the_document_says_so() -> None:
    body = {"emb": [1, 2, 3]}
    assert inputs(body, "$", inputs=("emb",), arrays=frozenset(["emb"])) == {"emb": [[1, 2, 3]]}
    assert inputs({"emb": [[1, 2], [3, 4]]}, "$", inputs=("emb",), arrays=frozenset(["emb"])) == {
        "emb": [[1, 2], [3, 4]]
    }
    assert inputs(body, "$", one_row=True) == {"emb[0]": [1], "emb[1]": [2], "emb[2]": [3]}
    assert inputs(body, "$") == {"emb": [1, 2, 3]}
    image = {"image": [[0] * 28] * 28}
    assert inputs(image, "$", one_row=True) == {"image": [[0] * 784]}
    assert inputs(image, "$.image", one_row=True) == {"image": [[0] * 784]}


def test_all_values_that_a_wildcard_selects_are_one_row_if_the_document_says_so() -> None:
    body = {"features": [{"name": "city", "value": "Bern"}, {"name": "age", "value": 41}]}
    found = inputs(body, "$.features[*].value", names="$.features[*].name", one_row=True)
    assert found == {"city": ["Bern"], "age": [41]}


def test_a_row_without_a_value_keeps_its_place() -> None:
    assert inputs({"rows": [{"f": [1, 2]}, {}, {"f": [3, 4]}]}, "$.rows[*].f") == {
        "f[0]": [1, None, 3],
        "f[1]": [2, None, 4],
    }
    assert inputs({"rows": [{"f": {"a": 1}}, {"f": None}]}, "$.rows[*].f") == {"a": [1, None]}
    results = {"results": [{"score": 1}, {"error": "x"}, {"score": 3}]}
    assert outputs(results, "$.results[*].score", 3) == {"score": [1, None, 3]}


@pytest.mark.parametrize(
    ("response", "predictions", "count", "expected"),
    [
        ({"results": [{"score": 0.1}, {"score": 0.2}]}, "$.results[*].score", 2, {"score": [0.1, 0.2]}),
        ({"scores": [0.1, 0.2]}, "$.scores", 2, {"scores": [0.1, 0.2]}),
        ({"scores": [0.1, 0.2]}, "$.scores[*]", 2, {"scores": [0.1, 0.2]}),
        ({"scores": [0.1, 0.2]}, "$.scores", 1, {"scores[0]": [0.1], "scores[1]": [0.2]}),
        ({"scores": [[0.1, 0.2]]}, "$.scores", 1, {"scores[0]": [0.1], "scores[1]": [0.2]}),
        ({"scores": [0.1]}, "$.scores", 1, {"scores": [0.1]}),
        ({"score": 0.1}, "$.score", 1, {"score": [0.1]}),
        (0.1, "$", 1, {"predictions": [0.1]}),
        ("spam", "$", 1, {"predictions": ["spam"]}),
        ([0.1, 0.2], "$", 2, {"predictions": [0.1, 0.2]}),
        ([{"label": "a", "p": 1}, {"label": "b", "p": 2}], "$", 2, {"label": ["a", "b"], "p": [1, 2]}),
        ([{"label": "a", "p": 1}], "$", 1, {"label": ["a"], "p": [1]}),
        ([[{"label": "a"}, {"label": "b"}]], "$[0][0]", 1, {"label": ["a"]}),
        ({"label": "a", "p": [0.1, 0.9]}, "$", 1, {"label": ["a"], "p[0]": [0.1], "p[1]": [0.9]}),
        ({"labels": ["a", "b"], "p": [0.1, 0.9], "took": 3}, "$", 2, {"labels": ["a", "b"], "p": [0.1, 0.9]}),
        (
            {"labels": ["a", "b"], "p": [0.1, 0.9]},
            {"label": "$.labels", "score": "$.p[*]"},
            2,
            {"label": ["a", "b"], "score": [0.1, 0.9]},
        ),
        ({"label": "a", "p": [0.1, 0.9]}, {"label": "$.label", "score": "$.p[1]"}, 1, {"label": ["a"], "score": [0.9]}),
        ({"label": "a"}, {"label": "$.label", "score": "$.p"}, 1, {"label": ["a"], "score": [None]}),
        ({"0": 0.1, "1": 0.2}, "$", 2, {"predictions": [0.1, 0.2]}),
        ({"p": {"0": 0.1, "1": 0.2}}, "$", 2, {"p": [0.1, 0.2]}),
        ({"0": {"p": 0.1}, "1": {"p": 0.2}}, "$", 2, {"p": [0.1, 0.2]}),
        ({"0": [0.1, 0.2]}, "$", 2, {"0": [0.1, 0.2]}),
        ({"1": 0.1, "0": 0.2}, "$", 2, "row_mismatch"),
        ({"scores": [0.1, 0.2, 0.3]}, "$.scores", 2, "row_mismatch"),
        ({"scores": [0.1, 0.2, 0.3]}, "$.scores[*]", 1, "row_mismatch"),
        ({"score": 0.1}, "$.score", 2, "row_mismatch"),
        ({"a": [1, 2], "b": [1, 2, 3]}, "$", 2, "row_mismatch"),
        ({"a": [1, 2, 3]}, {"a": "$.a"}, 2, "row_mismatch"),
        ({"a": 1}, {"a": "$.a"}, 2, "row_mismatch"),
        ({"a": [1], "b": [1, 2]}, {"a": "$.a[*]", "b": "$.b[*]"}, 2, "row_mismatch"),
        ({"result": [0.1]}, "$.results[*].score", 1, "no_match"),
        ({"results": [{"p": 0.1}]}, "$.results[*].score", 1, "no_match"),
        ({"results": {"p": 0.1}}, "$.results[*]", 1, "no_match"),
        ({"a": 1}, {"b": "$.b", "c": "$.c[*]"}, 1, "no_match"),
        ({"results": []}, "$.results[*].score", 1, "no_rows"),
        ({"results": 1}, None, 1, "no_predictions_path"),
        (b"", "$", 1, "empty_body"),
    ],
)
def test_predictions(response: Any, predictions: Any, count: int, expected: Any) -> None:
    assert outputs(response, predictions, count) == expected


@pytest.mark.parametrize(
    ("body", "rows", "why"),
    [
        ({"row": [ROW]}, "$.rows[*]", "no_match"),
        ({"rows": ROW}, "$.rows[*]", "no_match"),
        ({"rows": [ROW, 5]}, "$.rows[*].age[*]", "no_match"),
        ({"rows": [ROW]}, "$.rows[1]", "no_match"),
        ({"rows": [ROW]}, "$[0]", "no_match"),
        (5, "$.rows", "no_match"),
        ({"rows": None}, "$.rows.x", "no_match"),
        ({"rows": []}, "$.rows[*]", "no_rows"),
        ({"rows": []}, "$.rows", "no_rows"),
        ({"rows": {}}, "$.rows", "no_rows"),
        ({"rows": None}, "$.rows", "no_rows"),
        ({"rows": [None]}, "$.rows[*]", "no_rows"),
        ({"rows": [[]]}, "$.rows", "no_rows"),
        ({"rows": [ROW, 5]}, "$.rows[*]", "ragged"),
        ({"rows": [[1, 2], [3]]}, "$.rows", "ragged"),
        ({"a": [1, 2], "b": [1]}, "$", "row_mismatch"),
        ({"a": [1, 2], "b": [1]}, {"a": "$.a[*]", "b": "$.b[*]"}, "row_mismatch"),
        ({"a": {"b": 1}, "a.b": 2}, "$", "duplicate_name"),
        (b'{"rows":[{"a":1,"a":2}]}', "$.rows[*]", "duplicate_name"),
        (b'{"rows":[{"a":1}],"rows":[{"a":2}]}', "$.rows[*]", "duplicate_name"),
        (b'{"rows":[{"a":1}],"x":{"y":1,"y":2}}', "$.rows[*]", "duplicate_name"),
        (b'[{"a":1,"\\u0061":2}]', "$", "duplicate_name"),
        (b'{"rows":[1}', "$.rows", "invalid_json"),
        (b'{"rows":[{"a":"\\ud800"}]}', "$.rows", "invalid_json"),
        (b"age,city\n41,Bern\n", "$", "invalid_json"),
        (b"[" * 5000 + b"1" + b"]" * 5000, "$", "too_deep"),
        (b"[" * 20 + b"1" + b"]" * 20, "$", "too_deep"),
        (b'{"a":' * 5000 + b"1" + b"}" * 5000, "$.a", "too_deep"),
        (b'{"a":' * 20 + b"1" + b"}" * 20, "$", "too_deep"),
        ({f"k{index}": index for index in range(20_000)}, "$", "too_many_values"),
        ({"rows": [{f"k{index}": 1} for index in range(5000)]}, "$.rows[*]", "too_many_values"),
        ([{}] * 50_000, {f"k{index}": "$[*].a" for index in range(100)}, "too_many_values"),
    ],
)
def test_bodies_that_do_not_fit_have_their_own_reasons(body: Any, rows: Any, why: str) -> None:
    assert inputs(body, rows) == why


def test_keys_with_dots_quotes_and_other_alphabets_are_selected_by_quoted_names() -> None:
    body = {"a.b": {'it\'s "x"': {"\u4f60 \N{FISH}": ROWS}}}
    assert inputs(body, "$['a.b']['it\\'s \"x\"']['\u4f60 \N{FISH}'][*]") == COLUMNS
    assert inputs(body, '$["a.b"]["it\'s \\"x\\""]["\\u4f60 \\ud83d\\udc1f"]') == COLUMNS


def test_nan_and_numbers_beyond_a_double_keep_their_value() -> None:
    found = inputs(b'{"rows":[{"a":NaN,"b":1e999,"c":123456789012345678901234567890}]}', "$.rows[*]")
    assert isinstance(found, dict)
    assert found["a"][0] != found["a"][0]
    assert found["b"] == [float("inf")]
    assert float(found["c"][0]) == 123456789012345678901234567890.0


def test_the_id_is_a_text_or_a_whole_number_of_request_or_response_and_no_column() -> None:
    given = hints(identifier="$.id", outputs=("churn",))
    found = decoded({"id": "q-7", **ROW}, {"id": 9, "score": 0.5}, given)
    assert (found.request_id, found.response_id) == ("q-7", "9")
    assert set(found.inputs.columns) == {"age", "city"}
    assert found.outputs is not None
    assert found.outputs.columns == {"churn": [0.5]}
    assert decoded(ROW, {"id": 9, "score": 0.5}, given).request_id == "9"
    headers = "X-Request-Id: h\r\n"
    no_ids: tuple[Any, ...] = (None, True, 1.5, [1], {}, "")
    for value in no_ids:
        assert decoded({"id": value, **ROW}, 0.5, given, request_headers=headers).request_id == "h"
    assert decoded({"id": "x" * 1000, **ROW}, 0.5, given).request_id == "x" * 128


def test_every_recorded_method_and_every_path_is_decoded() -> None:
    for method in ("POST", "PUT", "PATCH"):
        for path in ("/score", "/v1/models/m:predict", "/v1/models/m/score", "/v2/models/m/infer", "/"):
            found = exchanges.decoded(ROW, {"score": 0.5}, hints(), path=path, method=method)
            assert (found.protocol, found.inputs.columns) == ("json", {"age": [41], "city": ["Bern"]})


def test_path_templates_select_the_requests() -> None:
    given = hints(templates=("/models/{name}/score", "/score"))
    for path in ("/score?x=1", "/models/a%2Fb/score", "/%73core/"):
        assert exchanges.decoded(ROW, 0.5, given, path=path).inputs.count == 1
    for path in ("/explain", "/models/score", "/score/x"):
        assert exchanges.reason(ROW, 0.5, given, path=path) == "not_inference"


def test_inputs_are_measured_if_the_predictions_cannot_be_read() -> None:
    found = decoded(ROW, b"", hints())
    assert (found.inputs.columns, found.outputs, found.outputs_reason) == (
        {"age": [41], "city": ["Bern"]},
        None,
        "empty_body",
    )


def test_the_document_gives_the_paths(tmp_path: Path) -> None:
    document = tmp_path / "monitor.yaml"
    document.write_text(
        f"{HEAD}spec:\n"
        "  traffic:\n    decode:\n      rows: $.rows[*]\n      names: $.names\n"
        "      predictionColumns: {score: '$.results[*].score'}\n"
        "      id: $.id\n      paths: [/score]\n"
    )
    settings = configure(document, lambda *_: pytest.fail("no engine is made")).settings
    assert (settings.problem, settings.hints.protocol) == ("", "json")
    body = {"rows": LISTS, "names": ["a", "b"], "id": 7}
    found = decoded(body, {"results": [{"score": 1}, {"score": 2}]}, settings.hints)
    assert found.inputs.columns == {"a": [41, 33], "b": ["Bern", "Basel"]}
    assert found.outputs is not None
    assert (found.outputs.columns, found.request_id) == ({"score": [1, 2]}, "7")


@pytest.mark.parametrize("cells", re.findall(r"^\| [^|]+ \| `(.*)` \| `(.*)` \| `(\{.*\})` \|$", PAGE, re.MULTILINE))
def test_every_example_of_the_documentation_is_decoded(cells: tuple[str, str, str], tmp_path: Path) -> None:
    request, response, paths_given = cells
    document = tmp_path / "monitor.yaml"
    document.write_text(f"{HEAD}spec:\n  traffic:\n    decode: {paths_given}\n")
    settings = configure(document, lambda *_: pytest.fail("no engine is made")).settings
    assert settings.problem == ""
    known = msgspec.structs.replace(settings.hints, inputs=KNOWN, outputs=("score",))
    found = decoded(json.loads(request), json.loads(response), known)
    rows = found.inputs.count
    assert found.inputs.columns == {"age": [41, 33][:rows], "city": ["Bern", "Basel"][:rows]}
    assert found.outputs is not None
    assert found.outputs.columns["score"] == [0.7, 0.2][:rows]
    assert ("id:" in paths_given) == (found.request_id is not None)


def test_the_documentation_has_examples() -> None:
    assert PAGE.count('predictions: "$') >= 10
