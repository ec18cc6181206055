"""Hostile and damaged records: each gives rows or a skip with a reason."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from pilotfish.sidecar.analyzer.decode import PROTOCOLS, DecodedExchange, Hints, Rows, SkippedExchange, decode
from pilotfish.sidecar.report.problems import REASONS
from tests.analyzer.decode.exchanges import OIP_PATH, V1_PATH, record

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["", "a", "\N{FISH}", "b64", 2**64, 10**400, -(2**63)])
)
TREES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["a", "b", "b64", "name", "data"]), inner, max_size=4)
    ),
    max_leaves=12,
)
TENSORS = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["a", "b", "c"]) | TREES,
        "shape": st.lists(st.integers(-1, 4) | st.sampled_from([2**31, 2**63, 10**30]), max_size=4) | TREES,
        "datatype": st.sampled_from(["FP32", "INT64", "BYTES", "BOOL"]) | TREES,
    },
    optional={
        "data": st.lists(TREES, max_size=6) | TREES,
        "parameters": st.dictionaries(st.sampled_from(["names", "binary_data_size"]), TREES),
    },
)
FRAMES = st.fixed_dictionaries(
    {"data": st.lists(st.lists(SCALARS | TREES, max_size=3), max_size=3) | TREES},
    optional={"columns": st.lists(st.sampled_from(["a", "b", "a.b"]) | SCALARS, max_size=3) | TREES, "index": TREES},
)
BODIES = st.one_of(
    st.fixed_dictionaries({"inputs": st.lists(TENSORS, max_size=3)}),
    st.fixed_dictionaries({"outputs": st.lists(TENSORS, max_size=3)}),
    st.fixed_dictionaries({"instances": TREES}, optional={"inputs": TREES, "signature_name": TREES}),
    st.fixed_dictionaries({"predictions": TREES}),
    st.fixed_dictionaries({"dataframe_split": FRAMES | TREES}, optional={"params": TREES}),
    st.fixed_dictionaries({"dataframe_records": TREES}),
    TREES,
)
HINTS = st.builds(
    Hints,
    protocol=st.sampled_from(["auto", *PROTOCOLS]),
    inputs=st.sampled_from([(), ("a",), ("a", "b"), ("a", "b", "c")]),
    outputs=st.sampled_from([(), ("p",), ("p", "q")]),
    arrays=st.sampled_from([frozenset(), frozenset(["a", "p"])]),
)
HEADERS = st.sampled_from(["", "Content-Encoding: gzip\r\n", "Inference-Header-Content-Length: 9\r\n"])
PATHS = st.sampled_from([OIP_PATH, V1_PATH, "/invocations", "/predict"])


def require_sound(found: DecodedExchange | SkippedExchange) -> None:
    """Assert that a skip has a reason other than `decoder_error`, and that the columns of rows have equal length."""
    if isinstance(found, SkippedExchange):
        assert found.reason in REASONS.keys() - {"decoder_error"}
        return
    for rows in (found.inputs, found.outputs):
        assert rows is None or isinstance(rows, Rows)
        assert rows is None or (rows.count > 0 and {len(column) for column in rows.columns.values()} <= {rows.count})
    assert (found.outputs is None) == (found.outputs_reason is not None)


@given(BODIES, BODIES, HINTS, HEADERS, PATHS)
def test_hostile_json_is_rows_or_a_counted_skip(
    request_body: Any, response_body: Any, hints: Hints, headers: str, path: str
) -> None:
    require_sound(
        decode(record(request_body, response_body, path=path, request_headers=headers, response_headers=headers), hints)
    )


@given(st.binary(max_size=200), st.binary(max_size=200), HINTS, HEADERS, PATHS)
@example(b"{" * 5000, b"[" * 5000, Hints(), "", "/predict")
def test_random_bytes_are_a_counted_skip(
    request_body: bytes, response_body: bytes, hints: Hints, headers: str, path: str
) -> None:
    require_sound(
        decode(record(request_body, response_body, path=path, request_headers=headers, response_headers=headers), hints)
    )


@given(BODIES, st.data(), PATHS)
def test_damaged_json_is_rows_or_a_counted_skip(body: Any, data: st.DataObject, path: str) -> None:
    raw = bytearray(json.dumps(body).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
        if not raw:
            return
    require_sound(decode(record(bytes(raw), bytes(raw), path=path), Hints()))


@given(st.lists(st.lists(st.floats(allow_nan=False), min_size=2, max_size=2), min_size=1, max_size=5), st.booleans())
def test_decoded_rows_equal_the_rows_that_were_sent(rows: list[list[float]], nested: bool) -> None:
    count = len(rows)
    flat: list[Any] = rows if nested else [value for row in rows for value in row]
    oip = {"inputs": [{"name": "x", "shape": [count, 2], "datatype": "FP64", "data": flat}]}
    named = {"instances": [{"x[0]": row[0], "x[1]": row[1]} for row in rows]}
    columns = {"inputs": {"x": rows}}
    expected = {"x[0]": [row[0] for row in rows], "x[1]": [row[1] for row in rows]}
    for body, path in ((oip, OIP_PATH), (named, V1_PATH), (columns, V1_PATH)):
        found = decode(record(body, path=path), Hints())
        assert isinstance(found, DecodedExchange)
        assert found.inputs.columns == expected
