"""Open Inference Protocol v2: JSON tensors and the binary-data extension."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np
import pytest

from pilotfish.sidecar.analyzer.decode import Hints
from tests.analyzer.decode.exchanges import decoded, reason, record, tensor


def inputs(*tensors: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"inputs": list(tensors), **more}


def test_one_tensor_per_feature() -> None:
    found = decoded(
        inputs(tensor("a", [1], [1.5]), tensor("b", [1], ["x"], "BYTES"), tensor("c", [1, 1], [[True]], "BOOL"))
    )
    assert found.inputs.columns == {"a": [1.5], "b": ["x"], "c": [True]}
    assert found.inputs.count == 1
    assert found.outputs is not None
    assert found.outputs.columns == {"p": [0.5]}
    assert (found.model, found.version, found.protocol) == ("m", None, "oip")


def test_several_rows_with_missing_values() -> None:
    answer = {"outputs": [tensor("p", [2, 1], [[0], [1]], "INT64")], "model_version": "3"}
    found = decoded(inputs(tensor("a", [2], [1, None]), tensor("b", [2, 1], [[1], [2]])), answer)
    assert found.inputs.columns == {"a": [1, None], "b": [1, 2]}
    assert found.outputs is not None
    assert found.outputs.columns == {"p": [0, 1]}
    assert found.version == "3"


@pytest.mark.parametrize("data", [[1, 2, 3, 4, 5, 6], [[1, 2, 3], [4, 5, 6]]])
def test_a_flat_or_nested_matrix_is_one_column_per_feature(data: list[Any]) -> None:
    answer = {"outputs": [tensor("p", [2], [0, 1])]}
    body = inputs(tensor("x", [2, 3], data))
    assert decoded(body, answer).inputs.columns == {"x[0]": [1, 4], "x[1]": [2, 5], "x[2]": [3, 6]}
    named = Hints(inputs=("a", "b", "c"), outputs=("score",))
    found = decoded(body, answer, named)
    assert found.inputs.columns == {"a": [1, 4], "b": [2, 5], "c": [3, 6]}
    assert found.outputs is not None
    assert found.outputs.columns == {"score": [0, 1]}


@pytest.mark.parametrize("names", [["u", "v", "w"], "u, v,w"])
def test_names_in_the_request_take_precedence(names: object) -> None:
    body = inputs(tensor("x", [1, 3], [1, 2, 3], parameters={"names": names}))
    assert decoded(body, hints=Hints(inputs=("a", "b", "c"))).inputs.columns == {"u": [1], "v": [2], "w": [3]}


def test_names_in_the_request_take_precedence_for_a_single_value() -> None:
    body = inputs(tensor("x", [1], [1], parameters={"names": "u"}), tensor("y", [1], [2], parameters={"a": 1}))
    assert decoded(body).inputs.columns == {"u": [1], "y": [2]}


def test_a_reference_of_another_width_gives_no_names() -> None:
    found = decoded(inputs(tensor("x", [1, 2], [1, 2])), hints=Hints(inputs=("a", "b", "c")))
    assert list(found.inputs.columns) == ["x[0]", "x[1]"]


def test_named_tensors_are_never_renamed_by_position() -> None:
    found = decoded(inputs(tensor("x", [1], [1]), tensor("y", [1], [2])), hints=Hints(inputs=("a", "b")))
    assert list(found.inputs.columns) == ["x", "y"]


def test_a_single_column_keeps_its_name_when_the_reference_knows_it() -> None:
    body = inputs(tensor("b", [1], [1]))
    assert list(decoded(body, hints=Hints(inputs=("b",))).inputs.columns) == ["b"]
    assert list(decoded(body, hints=Hints(inputs=("a", "b"))).inputs.columns) == ["b"]


def test_a_deeper_tensor_becomes_columns_row_by_row() -> None:
    found = decoded(inputs(tensor("x", [1, 2, 2], [[[1, 2], [3, 4]]])))
    assert found.inputs.columns == {"x[0]": [1], "x[1]": [2], "x[2]": [3], "x[3]": [4]}


def test_an_image_is_one_column_of_arrays() -> None:
    found = decoded(inputs(tensor("image", [1, 200, 200], [7] * 40_000, "UINT8"), tensor("a", [1], [1])))
    image = found.inputs.columns.pop("image")
    assert isinstance(image, np.ndarray)
    assert image.shape == (1, 40_000)
    assert (image == 7).all()
    assert (found.inputs.columns, found.inputs.count) == ({"a": [1]}, 1)


def test_the_id_of_the_body_takes_precedence_over_a_header() -> None:
    body = inputs(tensor("a", [1], [1]))
    headers = "X-Request-Id: Abc\r\nce-id: 9\r\n"
    assert decoded({**body, "id": "7"}, request_headers=headers).request_id == "7"
    assert decoded(body, request_headers=headers).request_id == "Abc"
    assert decoded(body, request_headers="CE-Id: 9\r\n").request_id == "9"
    assert decoded(body).request_id is None


def test_versions_and_prefixes_in_the_path() -> None:
    answer = {"outputs": [tensor("p", [1], [1])], "model_name": "other", "model_version": "9"}
    found = decoded(inputs(tensor("a", [1], [1])), answer, path="/serving/v2/models/my%20model/versions/2/infer?x=1")
    assert (found.model, found.version) == ("my model", "2")


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (inputs(), "no_rows"),
        (inputs(tensor("a", [0], [])), "no_rows"),
        (inputs(tensor("a", [2, 0], [])), "no_rows"),
        (inputs(tensor("a", [1], [1]), tensor("a", [1], [2])), "duplicate_name"),
        (inputs(tensor("a", [1], [1]), tensor("b", [2], [1, 2])), "row_mismatch"),
        (inputs(tensor("a", [2], [1])), "shape_mismatch"),
        (inputs(tensor("a", [1, 2], [[1, 2, 3]])), "shape_mismatch"),
        (inputs(tensor("a", [], [1])), "shape_mismatch"),
        (inputs(tensor("a", [-1], [1])), "shape_mismatch"),
        (inputs(tensor("a", [-1, -1], [1])), "shape_mismatch"),
        (inputs(tensor("a", [2**62, 4], [1])), "shape_mismatch"),
        (inputs(tensor("a", [65536, 65536, 65536, 65536], [])), "shape_mismatch"),
        (inputs(tensor("a", [10**400], [1])), "shape_mismatch"),
        (inputs(tensor("a", [1] * 99, [1])), "shape_mismatch"),
        (inputs(tensor("a", [2, 2], [[1, 2], [3]])), "ragged"),
        (inputs(tensor("a", [2, 2], [[1, 2], 3])), "ragged"),
        (inputs(tensor("a", [2], [1, [2]])), "ragged"),
        (inputs(tensor("a", [1], [1], "FLOAT")), "datatype"),
        (inputs(tensor("a", [1, 2], [1, 2], parameters={"names": "u"})), "shape_mismatch"),
        (inputs(tensor("a", [1, 2], [1, 2], parameters={"names": "u,u"})), "duplicate_name"),
        (inputs({"name": "a", "shape": [1], "datatype": "FP32"}), "wrong_structure"),
        (
            inputs({"name": "a", "shape": [1], "datatype": "FP32", "parameters": {"shared_memory_region": "r"}}),
            "unreferenced_data",
        ),
        (inputs({"name": "a", "shape": [1], "datatype": "FP32", "data": 1}), "wrong_structure"),
        (inputs({"name": 1, "shape": [1], "datatype": "FP32", "data": [1]}), "wrong_structure"),
        (inputs({"name": "a", "shape": [1.5], "datatype": "FP32", "data": [1]}), "wrong_structure"),
        (inputs({"name": "a", "shape": [True], "datatype": "FP32", "data": [1]}), "wrong_structure"),
        ({"inputs": {}}, "wrong_structure"),
        ({}, "wrong_structure"),
        ([], "wrong_structure"),
    ],
)
def test_invalid_requests_have_their_own_reasons(body: Any, why: str) -> None:
    assert reason(body) == why


def test_duplicate_keys_are_refused() -> None:
    body = b'{"inputs":[{"name":"a","shape":[1],"datatype":"FP32","data":[1],"da\\u0074a":[2]}]}'
    assert reason(body) == "duplicate_name"
    assert reason(b'{"inputs":[],"inputs":[{"name":"a","shape":[1],"datatype":"FP32","data":[1]}]}') == "duplicate_name"


def test_unknown_keys_and_colons_in_texts_are_accepted() -> None:
    body = inputs(tensor("t:1", [1], ["12:30:00"], "BYTES", extra={"a": {"b": 1}}), outputs=[{"name": "p"}], x=1)
    assert decoded(body).inputs.columns == {"t:1": ["12:30:00"]}


def binary(header: dict[str, Any], *parts: bytes) -> tuple[bytes, str]:
    text = json.dumps(header).encode()
    return text + b"".join(parts), f"Inference-Header-Content-Length: {len(text)}\r\n"


def described(name: str, shape: list[int], datatype: str, size: int) -> dict[str, Any]:
    return {"name": name, "shape": shape, "datatype": datatype, "parameters": {"binary_data_size": size}}


def test_binary_tensors_of_every_datatype() -> None:
    texts = [b"x", b"", "\N{FISH}".encode()]
    packed = b"".join(struct.pack("<I", len(text)) + text for text in texts)
    values = {
        "FP64": ("<f8", [1.5, -2.0, 3.0]),
        "FP16": ("<f2", [1.5, -2.0, 3.0]),
        "INT8": ("i1", [1, -2, 3]),
        "UINT64": ("<u8", [1, 2, 2**63]),
        "BOOL": ("?", [True, False, True]),
    }
    tensors, parts = [described("BYTES", [3, 1], "BYTES", len(packed))], [packed]
    for datatype, (code, numbers) in values.items():
        parts.append(np.array(numbers, code).tobytes())
        tensors.append(described(datatype, [3], datatype, len(parts[-1])))
    parts.append((np.array([1.5, -2.0, 3.0], "<f4").view("<u4") >> 16).astype("<u2").tobytes())
    tensors += [described("BF16", [3], "BF16", len(parts[-1])), tensor("plain", [3], [7, 8, 9])]
    body, header = binary({"inputs": tensors}, *parts)
    columns = decoded(body, {"outputs": [tensor("p", [3], [1, 2, 3])]}, request_headers=header).inputs.columns
    assert columns["BYTES"] == ["x", "", "\N{FISH}"]
    assert columns["plain"] == [7, 8, 9]
    assert columns["BF16"] == [1.5, -2.0, 3.0]
    for datatype, (_, numbers) in values.items():
        assert columns[datatype] == numbers


def test_a_binary_response() -> None:
    raw = np.array([0.25], "<f4").tobytes()
    body, header = binary({"outputs": [described("p", [1], "FP32", len(raw))]}, raw)
    found = decoded(inputs(tensor("a", [1], [1])), body, response_headers=header)
    assert found.outputs is not None
    assert found.outputs.columns == {"p": [0.25]}


@pytest.mark.parametrize(
    ("size", "part", "shape", "datatype"),
    [
        (4, b"\0" * 8, [1], "FP32"),
        (8, b"\0" * 8, [1], "FP32"),
        (8, b"\0" * 4, [2], "FP32"),
        (-4, b"\0" * 4, [1], "FP32"),
        (10**30, b"", [1], "FP32"),
        (5, b"\xff\xff\xff\xffx", [1], "BYTES"),
        (2, b"\0\0", [1], "BYTES"),
        (8, b"\0" * 8, [1], "BYTES"),
        (4, b"\0" * 4, [2], "BYTES"),
        (0, b"", [2**31 - 1, 2**31 - 1], "BYTES"),
    ],
)
def test_binary_parts_of_the_wrong_size_are_refused(size: int, part: bytes, shape: list[int], datatype: str) -> None:
    body, header = binary({"inputs": [described("a", shape, datatype, size)]}, part)
    assert reason(body, request_headers=header) == "binary_layout"


@pytest.mark.parametrize("length", ["-1", "999999", "9" * 5000, "x", "", "\u00b2"])
def test_an_invalid_length_of_the_json_part_is_refused(length: str) -> None:
    header = f"Inference-Header-Content-Length: {length}\r\n"
    assert reason(b"{}", request_headers=header) == "binary_layout"


def test_a_record_is_not_changed() -> None:
    first = record(inputs(tensor("a", [1], [1])))
    before = (first.request_body, first.request_headers)
    decoded(inputs(tensor("a", [1], [1])))
    assert (first.request_body, first.request_headers) == before
