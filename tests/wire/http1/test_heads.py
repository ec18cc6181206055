"""Heads of HTTP/1.1 messages: body length, protocol switches, header blocks, and rejection of ambiguous heads."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotfish.sidecar.wire.errors import ProtocolError
from pilotfish.sidecar.wire.http1.heads import CHUNKED, UNTIL_CLOSE, parse_request, parse_response


def request(*fields: str, line: str = "POST /x HTTP/1.1") -> bytes:
    return "\r\n".join((line, *fields, "", "")).encode("latin-1")


def response(*fields: str, line: str = "HTTP/1.1 200 OK") -> bytes:
    return "\r\n".join((line, *fields, "", "")).encode("latin-1")


@pytest.mark.parametrize(
    ("fields", "length"),
    [
        ((), 0),
        (("Content-Length: 12",), 12),
        (("content-length:12 ",), 12),
        (("Content-Length: 12", "Content-Length: 12"), 12),
        (("Content-Length: 12, 12",), 12),
        (("Transfer-Encoding: chunked",), CHUNKED),
        (("Transfer-Encoding: gzip, Chunked",), CHUNKED),
        (("Transfer-Encoding: gzip", "Transfer-Encoding: chunked"), CHUNKED),
        (("Transfer-Encoding: chunked", "Content-Length: 5"), CHUNKED),
        (("X-Content-Length: 5",), 0),
    ],
)
def test_request_length_follows_from_its_fields(fields: tuple[str, ...], length: int) -> None:
    assert parse_request(request(*fields)).length == length


@pytest.mark.parametrize(
    "raw",
    [
        request("Content-Length: 1", "Content-Length: 2"),
        request("Content-Length: 1, 2"),
        request("Content-Length: +1"),
        request("Content-Length: 0x10"),
        request("Content-Length: " + "9" * 30),
        request("Content-Length:"),
        request("Content-Length: 1", " 2"),
        request("Transfer-Encoding: gzip"),
        request("Content-Length : 1"),
        request("no colon"),
        request(": no name"),
        request(" folded first"),
        request("X: nul\0"),
        request(line="GET  /x HTTP/1.1"),
        request(line="GET /x HTTP/1.1 "),
        request(line="GET /x"),
        request(line="GET /x HTTP/2.0"),
        request(line="G@T /x HTTP/1.1"),
    ],
)
def test_request_with_an_ambiguous_end_is_rejected(raw: bytes) -> None:
    with pytest.raises(ProtocolError):
        parse_request(raw)


def test_http2_preface_has_its_own_reason() -> None:
    with pytest.raises(ProtocolError) as caught:
        parse_request(b"PRI * HTTP/2.0\r\n\r\n")
    assert caught.value.reason == "http2"


def test_bare_line_feeds_and_folded_fields_are_parsed() -> None:
    head = parse_request(b"PUT /y HTTP/1.1\nX: a\n b\nContent-Length: 3\n\n")
    assert (head.method, head.target, head.length) == ("PUT", "/y", 3)


@pytest.mark.parametrize(
    ("fields", "may_switch_protocol", "user_agent"),
    [
        ((), False, ""),
        (("Upgrade: h2c", "Connection: Upgrade"), True, ""),
        (("User-Agent: kube-probe/1.36",), False, "kube-probe/1.36"),
    ],
)
def test_request_head_reports_upgrades_and_the_user_agent(
    fields: tuple[str, ...], may_switch_protocol: bool, user_agent: str
) -> None:
    head = parse_request(request(*fields))
    assert (head.may_switch_protocol, head.user_agent) == (may_switch_protocol, user_agent)


@pytest.mark.parametrize(
    ("raw", "headers"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", b""),
        (b"GET / HTTP/1.1\n\n", b""),
        (b"GET / HTTP/1.1\r\nA: 1\r\nB: 2\r\n\r\n", b"A: 1\r\nB: 2\r\n"),
        (b"GET / HTTP/1.1\nA: 1\r\nB: 2\n\r\n", b"A: 1\r\nB: 2\n"),
    ],
)
def test_header_block_is_the_field_lines(raw: bytes, headers: bytes) -> None:
    assert parse_request(raw).headers == headers
    assert parse_response(raw.replace(b"GET / HTTP/1.1", b"HTTP/1.1 200 OK")).headers == headers


@pytest.mark.parametrize(
    ("raw", "length", "is_stream"),
    [
        (response(), UNTIL_CLOSE, False),
        (response("Content-Length: 0"), 0, False),
        (response("Transfer-Encoding: gzip"), UNTIL_CLOSE, False),
        (response("Transfer-Encoding: chunked", "Content-Type: text/event-stream; charset=utf-8"), CHUNKED, True),
        (response(line="HTTP/1.0 200 "), UNTIL_CLOSE, False),
        (response(line="HTTP/1.1 200"), UNTIL_CLOSE, False),
    ],
)
def test_response_length_follows_from_its_fields(raw: bytes, length: int, is_stream: bool) -> None:
    head = parse_response(raw)
    assert (head.length, head.is_stream) == (length, is_stream)


@pytest.mark.parametrize(
    "line", ["HTTP/2 200 OK", "HTTP/1.1 20 OK", "HTTP/1.1 099 No", "HTTP/1.1 2000", "ICY 200 OK", "HTTP/1.1  200 OK"]
)
def test_malformed_status_line_is_rejected(line: str) -> None:
    with pytest.raises(ProtocolError):
        parse_response(response(line=line))


@given(st.binary(max_size=300))
def test_any_bytes_are_parsed_or_rejected(raw: bytes) -> None:
    for parse in (parse_request, parse_response):
        try:
            parse(raw + b"\r\n\r\n")
        except ProtocolError as error:
            assert error.reason in {"malformed", "http2"}  # noqa: PT017 - every other error fails the test
