"""The entry point: skips before decoding, protocol detection, content codings, and limits."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import Any, get_args, get_type_hints

import pytest

from pilotfish.sidecar.analyzer.decode import PROTOCOLS, Hints
from pilotfish.sidecar.analyzer.decode.types import MIB, Protocol
from pilotfish.sidecar.channel.record import REQUEST_TRUNCATED, RESPONSE_TRUNCATED
from pilotfish.sidecar.report.problems import REASONS
from pilotfish.sidecar.settings.traffic import Traffic
from tests.analyzer.decode.exchanges import ANSWERS, OIP_PATH, V1_PATH, decoded, reason, tensor
from tests.generate import ROOT

OIP = {"inputs": [tensor("a", [1], [1])]}
V1 = {"instances": [1]}
JSON_TYPE = "Content-Type: application/json\r\n"


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"status": 500}, "error_status"),
        ({"status": 404}, "error_status"),
        ({"status": 301}, "error_status"),
        ({"method": "GET"}, "not_inference"),
        ({"path": "/v2/models/m/ready"}, "not_inference"),
        ({"path": "/v2/repository/models/m/load"}, "not_inference"),
        ({"path": "/v1/models/m:explain"}, "not_inference"),
        ({"path": "/v2"}, "not_inference"),
        ({"flags": REQUEST_TRUNCATED}, "truncated"),
    ],
)
def test_exchanges_without_a_prediction_are_skipped(more: dict[str, Any], why: str) -> None:
    assert reason(OIP, **more) == why


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "empty_body"),
        (b"{", "invalid_json"),
        (b"\xff\xfe", "invalid_json"),
        (b'{"inputs":[{"name":"\xff","shape":[1],"datatype":"FP32","data":[1]}]}', "invalid_json"),
        (b"\xef\xbb\xbf", "invalid_json"),
        (b'\xef\xbb\xbf\xef\xbb\xbf{"inputs":[]}', "invalid_json"),
        (json.dumps(OIP).encode("utf-16"), "invalid_json"),
        (b'{"inputs":[{"name":"\\ud800","shape":[1],"datatype":"BYTES","data":["\\ud800"]}]}', "invalid_json"),
        (b"[" * 200_000, "wrong_structure"),
        (b'{"inputs":' * 100_000, "wrong_structure"),
        (b'{"inputs":[{"name":"a","shape":[1],"datatype":"FP32","data":' + b"[" * 200_000, "too_deep"),
        (b'{"x":' * 100_000 + b"1" + b"}" * 100_000, "too_deep"),
        (b'{"inputs":[{"name":"a","shape":[1],"datatype":"FP32","data":[' + b"9" * 5000 + b"]}]}", "invalid_json"),
    ],
)
def test_bodies_that_are_not_json_are_skipped(body: bytes, why: str) -> None:
    assert reason(body) == why


def test_the_content_type_is_a_reason_only_if_the_body_is_not_json() -> None:
    assert reason(b"\x0a\x03", request_headers="Content-Type: application/x-protobuf\r\n") == "content_type"
    assert decoded(OIP, request_headers="Content-Type: application/x-www-form-urlencoded\r\n").inputs.count == 1
    assert decoded(OIP, request_headers="").inputs.count == 1


@pytest.mark.parametrize(
    ("text", "value"),
    [("NaN", None), ("Infinity", "inf"), ("-Infinity", "-inf"), ("1e999", "inf"), ("1" * 30, "1" * 30)],
)
def test_numbers_beyond_json_that_servers_accept_keep_their_value(text: str, value: str | None) -> None:
    body = b'{"inputs":[{"name":"a","shape":[1],"datatype":"FP64","data":[%s]}]}' % text.encode()
    (found,) = decoded(body).inputs.columns["a"]
    assert found != found if value is None else float(str(found)) == float(value)


@pytest.mark.parametrize("body", [OIP, V1, {"dataframe_records": [{"a": 1}]}])
def test_a_byte_order_mark_before_the_json_is_ignored(body: Any) -> None:
    mark = b"\xef\xbb\xbf"
    path, answer = (OIP_PATH, ANSWERS[OIP_PATH]) if body is OIP else ("/invocations", ANSWERS[V1_PATH])
    found = decoded(mark + json.dumps(body).encode(), mark + answer, path=path)
    assert found.inputs.count == 1
    assert found.outputs is not None
    assert reason(mark + b'{"instances":[{"a":1,"a":2}]}', path=V1_PATH) == "duplicate_name"


def test_auto_detects_the_protocol_by_path_then_by_body() -> None:
    assert decoded(OIP).protocol == "oip"
    assert decoded(V1, path=V1_PATH).protocol == "v1"
    for body, answer, protocol in (
        (OIP, ANSWERS[OIP_PATH], "oip"),
        (V1, ANSWERS[V1_PATH], "v1"),
        ({"inputs": {"a": [1]}}, ANSWERS[V1_PATH], "v1"),
        ({"inputs": [[1, 2]]}, ANSWERS[V1_PATH], "v1"),
    ):
        assert decoded(body, answer, path="/predict").protocol == protocol
    assert reason({"user": "me"}, path="/login") == "unknown_protocol"
    assert reason([1], path="/login") == "unknown_protocol"
    assert reason(b"1", path="/login") == "unknown_protocol"


def test_a_fixed_protocol_is_not_detected() -> None:
    assert decoded(V1, ANSWERS[V1_PATH], Hints(protocol="v1"), path="/predict").protocol == "v1"
    assert reason(V1, hints=Hints(protocol="oip"), path="/predict") == "wrong_structure"


def test_other_models_on_the_same_server_are_skipped() -> None:
    assert reason(OIP, hints=Hints(model="other")) == "other_model"
    assert decoded(OIP, hints=Hints(model="m")).model == "m"
    assert decoded(V1, ANSWERS[V1_PATH], Hints(model="other"), path="/predict").model == "other"


@pytest.mark.parametrize(
    ("coding", "pack"),
    [
        ("gzip", gzip.compress),
        ("X-GZip", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", lambda raw: zlib.compress(raw, wbits=-15)),
        ("gzip, identity", gzip.compress),
        ("deflate, gzip", lambda raw: gzip.compress(zlib.compress(raw))),
        ("gzip", lambda raw: gzip.compress(raw[:9], mtime=0) + gzip.compress(raw[9:], mtime=0)),
    ],
)
def test_both_bodies_are_decompressed(coding: str, pack: Any) -> None:
    found = decoded(
        pack(json.dumps(OIP).encode()),
        pack(ANSWERS[OIP_PATH]),
        request_headers=f"Content-Encoding: {coding}\r\n",
        response_headers=f"content-encoding: {coding}\r\n",
    )
    assert found.inputs.columns == {"a": [1]}
    assert found.outputs is not None


@pytest.mark.parametrize(
    ("coding", "body", "why"),
    [
        ("br", b"x", "content_encoding"),
        ("gzip", b"x", "content_encoding"),
        ("gzip", gzip.compress(b"{}", mtime=0)[:-4], "content_encoding"),
        ("gzip", gzip.compress(b"{}", mtime=0) + b"x", "content_encoding"),
        ("gzip,gzip,gzip,gzip", b"x", "content_encoding"),
        ("gzip", gzip.compress(b"\0" * 20 * MIB, mtime=0), "compression_ratio"),
        ("deflate", zlib.compress(b" " * 20 * MIB), "compression_ratio"),
        ("gzip", gzip.compress(b"x" * 5 * MIB, mtime=0) * 30, "body_too_large"),
        ("gzip, gzip", gzip.compress(gzip.compress(b"\0" * 20 * MIB, mtime=0)), "compression_ratio"),
    ],
)
def test_invalid_codings_and_decompression_bombs_are_skipped(coding: str, body: bytes, why: str) -> None:
    assert reason(body, request_headers=f"Content-Encoding: {coding}\r\n") == why


def test_a_body_beyond_the_limit_is_not_parsed() -> None:
    assert reason(b"[" * 2000, hints=Hints(body_limit=1000)) == "body_too_large"


@pytest.mark.parametrize(
    ("response", "more", "why"),
    [
        (b"", {}, "empty_body"),
        (b"{}", {}, "wrong_structure"),
        ({"outputs": [tensor("p", [2], [1, 2])]}, {}, "row_mismatch"),
        (None, {"flags": RESPONSE_TRUNCATED}, "truncated"),
        (b"x", {"response_headers": "Content-Encoding: br\r\n"}, "content_encoding"),
        (b"x", {"response_headers": "Content-Encoding: zstd\r\n"}, "content_encoding"),
        (gzip.compress(ANSWERS[OIP_PATH], mtime=0), {}, "content_encoding"),
        (gzip.compress(ANSWERS[OIP_PATH], mtime=0), {"response_headers": ""}, "content_encoding"),
        (b"\x28\xb5\x2f\xfd\x04", {}, "content_encoding"),
        (b'{"result":[0.5]}', {}, "wrong_structure"),
        (b"score\n0.5\n", {"response_headers": "Content-Type: text/csv; charset=utf-8\r\n"}, "content_type"),
        (b"0.5", {"response_headers": "Content-Type: text/csv\r\n"}, "content_type"),
        (b"<html>", {"response_headers": "Content-Type: text/html\r\n"}, "content_type"),
        (b"ok", {"response_headers": "Content-Type: text/plain\r\n"}, "invalid_json"),
        (b'{"x":' * 200_000, {}, "too_deep"),
    ],
)
def test_inputs_are_measured_if_only_the_response_cannot_be_decoded(
    response: Any, more: dict[str, Any], why: str
) -> None:
    found = decoded(OIP, response, **more)
    assert found.inputs.columns == {"a": [1]}
    assert (found.outputs, found.outputs_reason) == (None, why)


def test_long_paths_and_ids_are_bounded() -> None:
    assert reason(OIP, path="/v2/models/" + "x" * 60_000) == "not_inference"
    found = decoded(OIP, request_headers=f"X-Request-Id: {'y' * 60_000}\r\n")
    assert found.request_id == "y" * 128


def test_the_types_of_decoder_and_document_list_every_protocol() -> None:
    names = ("auto", *PROTOCOLS)
    assert get_args(Protocol) == names
    assert get_args(get_type_hints(Traffic)["protocol"]) == names


def test_every_reason_and_every_protocol_is_documented() -> None:
    page = (ROOT / "docs/protocols.md").read_text()
    for name in (*REASONS, *PROTOCOLS):
        assert f"`{name}`" in page
    for meaning in REASONS.values():
        assert meaning in page
