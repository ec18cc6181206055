"""The cost of a body follows from its size: bodies that ask for much more work or memory than they have bytes."""

from __future__ import annotations

import gzip
import json
import time
import tracemalloc

import msgspec
import pytest

from pilotfish.sidecar.analyzer.decode import DecodedExchange, Hints, OwnJson, decode
from pilotfish.sidecar.analyzer.decode.arrays import MAX_COLUMNS, MAX_ROWS, MAX_VALUES
from pilotfish.sidecar.analyzer.decode.types import MAX_ADDED
from pilotfish.sidecar.settings.jsonpath import parse_path
from tests.analyzer.decode.exchanges import OIP_PATH, decoded, reason, record

SIZE = 16 * 1024
KNOWN = Hints(inputs=tuple(f"k{number}" for number in range(1000)))


def repeat(unit: str, size: int = SIZE) -> str:
    return ",".join([unit] * (size // (len(unit) + 1)))


def keys(pattern: str, size: int = SIZE) -> str:
    return ",".join(pattern % number for number in range(size // (len(pattern) + 4)))


def rows(text: str) -> str:
    return f'{{"instances":[{text}]}}'


def own(path: str) -> Hints:
    return Hints(protocol="json", own=OwnJson(rows=parse_path(path)))


ONES = repeat("1")
SCALARS = keys('"a%d":1')
LARGE_TENSORS = repeat('{"name":"a","shape":[2147483647,2147483647,3],"datatype":"FP32","data":[1]}')
CASES: dict[str, tuple[str | bytes, Hints, str]] = {  # the outcome: a reason, or "" for rows
    "each row has another key": (rows(keys('{"k%d":1}')), Hints(), "too_many_values"),
    "empty rows, many known columns": (rows('{"k1":1},' + repeat("{}")), KNOWN, "too_many_values"),
    "one known column of many": (rows(repeat('{"k1":1}')), KNOWN, "too_many_values"),
    "many scalars beside a long list": (
        f'{{"inputs":{{"x":[{ONES}],{SCALARS}}}}}',
        Hints(),
        "too_many_values",
    ),
    "a null for each wide row": ('{"r":[[' + ONES + "]," + repeat("null") + "]}", own("$.r"), "too_many_values"),
    "a long name before many": (rows('{"' + "p" * SIZE + '":{' + SCALARS + "}}"), Hints(), "name_too_long"),
    "a long name of many values": (
        json.dumps({"inputs": [{"name": "n" * SIZE, "shape": [1, 64], "datatype": "FP64", "data": [1] * 64}]}),
        Hints(),
        "name_too_long",
    ),
    "a long key": (rows('{"' + "k" * SIZE + '":1}'), Hints(), "name_too_long"),
    "integers of 4300 digits": (rows(repeat("9" * 4300)), Hints(), ""),
    "an integer of many digits": (rows("9" * SIZE), Hints(), "invalid_json"),
    "a fraction of many digits": (rows("0." + "9" * SIZE), Hints(), ""),
    "an exponent of many digits": (rows("1e" + "9" * SIZE), Hints(), ""),
    "numbers beyond a double": (rows(repeat("1e400,-1e400,NaN,-Infinity,-0")), Hints(), ""),
    "one deep list": (rows("[" * (SIZE // 2) + "]" * (SIZE // 2)), Hints(), "too_deep"),
    "many deep lists": (rows(repeat("[" * 500 + "]" * 500)), Hints(), "too_deep"),
    "many deep objects": (rows(repeat('{"a":{"a":{"a":{"a":{"a":{"a":1}}}}}}')), Hints(), ""),
    "lists of two lengths": (rows(repeat('{"a":[1,2],"b":[1]},{"a":[1],"b":[1]}')), Hints(), ""),
    "rows of one number as lists": ("[" + repeat("[1,2]") + "]", own("$[*][*]"), ""),
    "columns by number": ("{" + keys('"%d":{"0":1}') + "}", own("$"), ""),
    "a hundred thousand columns": (rows("{" + keys('"a%d":1', 2**20) + "}"), Hints(), "too_many_values"),
    "a repeated key after many": (f'{{"instances":[1],"x":{{{SCALARS},"a0":2}}}}', Hints(), "duplicate_name"),
    "colons in texts": (rows(repeat('{"a:":1}')), Hints(), ""),
    "white space": ('{"instances"' + " " * SIZE + ":[1]}", Hints(), ""),
    "shapes that overflow": (
        f'{{"inputs":[{LARGE_TENSORS}]}}',
        Hints(),
        "shape_mismatch",
    ),
    "a shape with many dimensions": (
        f'{{"inputs":[{{"name":"a","shape":[{ONES}],"datatype":"FP32","data":[1]}}]}}',
        Hints(),
        "shape_mismatch",
    ),
    "many gzip members": (
        gzip.compress(b'{"instances":[1]}') + gzip.compress(b"") * (SIZE // 20),
        Hints(),
        "content_encoding",
    ),
    "a gzip bomb": (gzip.compress(bytes(2**24)), Hints(), "compression_ratio"),
    "UTF-16": (rows(repeat("1")).encode("utf-16"), Hints(), "invalid_json"),
}


@pytest.mark.parametrize("what", CASES)
def test_time_and_memory_follow_from_the_size_of_the_body(what: str) -> None:
    body, hints, expected = CASES[what]
    raw = body if isinstance(body, bytes) else body.encode()
    zipped = raw.startswith(b"\x1f\x8b")
    exchange = record(raw, path="/predict", request_headers="Content-Encoding: gzip\r\n" if zipped else "")
    hints = msgspec.structs.replace(hints, body_limit=2**21)
    before = time.process_time()
    tracemalloc.start()
    try:
        found = decode(exchange, hints)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert time.process_time() - before < 5
    assert peak < 16 * 2**20 + 100 * len(raw)
    if expected:
        assert getattr(found, "reason", None) == expected
    else:
        assert isinstance(found, DecodedExchange)
        assert found.inputs.count * len(found.inputs.columns) <= MAX_VALUES


def test_sparse_rows_are_decoded_up_to_the_limit() -> None:
    instances = [{f"k{row % 500}": row} for row in range(1000)]
    found = decoded({"instances": instances}, path="/predict")
    assert (found.inputs.count, len(found.inputs.columns)) == (1000, 500)
    assert list(found.inputs.columns["k7"]).count(None) == 998
    assert 500 * 1000 - 1000 < MAX_ADDED < MAX_COLUMNS * 1000


@pytest.mark.parametrize("length", [1000, 1001])
@pytest.mark.parametrize("path", ["/predict", OIP_PATH])
def test_a_name_has_at_most_1000_characters(length: int, path: str) -> None:
    name = "n" * length
    tensor = {"name": name, "shape": [1], "datatype": "FP64", "data": [1]}
    body = {"instances": [{name: 1}]} if path == "/predict" else {"inputs": [tensor]}
    if length > 1000:
        assert reason(body, path=path) == "name_too_long"
    else:
        assert list(decoded(body, path=path).inputs.columns) == [name]


def test_the_protocol_of_a_body_with_nan_is_found() -> None:
    bodies = {
        "v1": b'{"instances":[NaN,1]}',
        "mlflow": b'{"dataframe_split":{"data":[[NaN]]}}',
        "oip": b'{"inputs":[{"name":"a","shape":[1],"datatype":"FP32","data":[NaN]}]}',
    }
    assert {decoded(body, path="/predict").protocol for body in bodies.values()} == set(bodies)
    assert reason(b'{"other":NaN}', path="/predict") == reason(b"[NaN]", path="/predict") == "unknown_protocol"


def many(value: str) -> str:
    return ",".join([value] * (MAX_ROWS + 1))


TENSOR = f'{{"inputs":[{{"name":"a","shape":[{MAX_ROWS + 1},1],"datatype":"FP32","data":[{many("1")}]}}]}}'
SPLIT = '{"dataframe_split":{"columns":["a"],"data":[' + many("[1]") + "]}}"
COLUMN_PATH = Hints(protocol="json", own=OwnJson(rows=(("a", parse_path("$[*].a")),)))


@pytest.mark.long
@pytest.mark.parametrize(
    ("body", "hints"),
    [
        (rows(many("1")), Hints()),
        (rows(many("[]")), Hints()),
        (rows(many("{}")), Hints()),
        (rows(many('{"a":1}')), KNOWN),
        (f'{{"inputs":{{"a":[{many("1")}]}}}}', Hints()),
        (f'{{"inputs":{{"a":[{many("[1]")}],"b":1}}}}', Hints()),
        (f'{{"inputs":{{"a":[{many("{}")}]}}}}', Hints()),
        (f'{{"dataframe_records":[{many("{}")}]}}', Hints()),
        (SPLIT, Hints()),
        (TENSOR, Hints()),
        (f"[{many('{}')}]", own("$[*]")),
        (f"[{many('null')},1]", own("$[*]")),
        (f"[{many('[]')}]", own("$")),
        (f'[{many("{}")},{{"a":1}}]', COLUMN_PATH),
    ],
)
def test_an_exchange_with_too_many_rows_is_skipped_in_each_form(body: str, hints: Hints) -> None:
    hints = msgspec.structs.replace(hints, body_limit=2**21)
    path = OIP_PATH if body is TENSOR else "/predict"
    assert reason(body.encode(), hints=hints, path=path) == "too_many_rows"


@pytest.mark.parametrize("body", ["{}", "[{}]", "[{},{}]", "[{},null]"])
def test_rows_without_any_value_are_not_measured(body: str) -> None:
    assert reason(body.encode(), hints=own("$"), path="/predict") == "no_rows"
    assert reason(rows("{},{}").encode(), path="/predict") == "no_rows"


def test_a_cloudevent_with_nan_is_decoded() -> None:
    kind = "Content-Type: application/cloudevents+json\r\n"
    found = decoded(b'{"id":"x","data":{"instances":[[NaN,1]]}}', path="/predict", request_headers=kind)
    assert (found.request_id, len(found.inputs.columns)) == ("x", 2)
    twice = b'{"id":"x","id":"y","data":{"instances":[[NaN,1]]}}'
    assert reason(twice, path="/predict", request_headers=kind) == "duplicate_name"
    assert reason(b"[NaN]", path="/predict", request_headers=kind) == "wrong_structure"
