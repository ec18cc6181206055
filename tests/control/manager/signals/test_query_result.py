"""The response of Prometheus to a query: exactly one finite number counts, and every other response says why not."""

from __future__ import annotations

import json
from math import isfinite
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.control.manager.signals.query_result import QueryError, parse_result
from tests.support.examples import examples

NOW = 1_764_412_800.0


def vector(*values: str, at: float = NOW, **other: Any) -> bytes:
    """Return the response with one series per value."""
    result = [{"metric": {"pod": str(number)}, "value": [at, value]} for number, value in enumerate(values)]
    return json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}, **other}).encode()


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (vector("7"), 7.0),
        (vector("0"), 0.0),
        (vector("1.5e+03"), 1500.0),
        (vector("7", infos=["PromQL info: metric might not be a counter"]), 7.0),
        (vector("7", warnings=["PromQL info: metric might not be a counter"]), 7.0),
        (b'{"status":"success","data":{"resultType":"scalar","result":[1764412800.123,"2"]}}', 2.0),
    ],
)
def test_one_series_or_a_scalar_is_a_number(body: bytes, value: float) -> None:
    assert parse_result(body, NOW) == value


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (vector(), "no result"),
        (vector("1", "2"), "several series"),
        (vector("NaN"), "is NaN"),
        (vector("+Inf"), "is +Inf"),
        (vector("-1"), "is -1"),
        (vector("1_0"), "no number"),
        (vector("1", at=NOW - 300), "300 s old"),
        (vector("1", at=NOW + 300), "-300 s old"),
        (vector("1", warnings=["store-1 is unreachable"]), "may be incomplete: 'store-1"),
        (b'{"status":"success","data":{"resultType":"matrix","result":[]}}', "'matrix'"),
        (b'{"status":"success","data":{"resultType":"string","result":[1764412800,"a"]}}', "'string'"),
        (b'{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"histogram":[0,{}]}]}}', "native"),
        (b'{"status":"error","errorType":"bad_data","error":"1:1: parse error"}', "parse error'; correct the query"),
        (b'{"status":"error","errorType":"timeout","error":"query timed out"}', "simplify"),
        (b'{"status":"success"}', "None"),
        (b"[]", "--prometheus-url"),
        (b"<html>", "not JSON"),
        (b"", "not JSON"),
        (b"[" * 50_000, "not JSON"),
    ],
)
def test_every_other_response_says_why_it_is_no_number(body: bytes, text: str) -> None:
    with pytest.raises(QueryError) as refused:
        parse_result(body, NOW)
    assert text in str(refused.value)
    assert len(str(refused.value)) < 400


_LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9)
_KEYS = st.sampled_from(
    ["status", "data", "resultType", "result", "metric", "value", "histogram", "warnings", "error", "errorType"]
)
_WORDS = st.sampled_from(["success", "error", "vector", "scalar", "matrix", "NaN", "1", "-1", "1e400", "Inf", NOW])
_JSON = st.recursive(
    _LEAVES | _WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=5),
    max_leaves=12,
)


@settings(max_examples=examples(400))
@given(st.binary(max_size=60) | _JSON.map(msgspec.json.encode))
def test_no_body_raises_anything_else_or_gives_a_value_that_is_no_number(body: bytes) -> None:
    try:
        value = parse_result(body, NOW)
    except QueryError:
        return
    assert isfinite(value)
    assert value >= 0


@settings(max_examples=examples(300))
@given(st.integers(0, 400), st.binary(max_size=3))
def test_a_damaged_response_is_refused_or_still_one_number(place: int, damage: bytes) -> None:
    body = vector("7")
    try:
        value = parse_result(body[:place] + damage + body[place + len(damage) :], NOW)
    except QueryError:
        return
    assert isfinite(value)


@settings(max_examples=examples(200))
@given(st.floats(0, 1e300))
def test_the_number_is_the_one_that_prometheus_wrote(value: float) -> None:
    assert parse_result(vector(repr(value)), NOW) == value
