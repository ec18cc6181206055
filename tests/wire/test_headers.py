"""Header blocks: look-up, folding, encoding, and any bytes."""

import doctest

from hypothesis import given
from hypothesis import strategies as st

from pilotfish.sidecar.wire import headers as module
from pilotfish.sidecar.wire.headers import Headers, encode_headers

BLOCK = b"Accept: text/html\r\nX-Id:7\nFolded: a\r\n  b\r\n\tc\r\nACCEPT:  */* \r\nEmpty:\r\nnot-a-field\r\nLast: end"
NAMES = st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=8)
VALUES = st.text(st.characters(min_codepoint=33, max_codepoint=255), max_size=12)


def test_fields_are_found_by_name_and_kept_in_order() -> None:
    headers = Headers(BLOCK)
    assert headers.get("accept") == "text/html"
    assert headers.get_all("accept") == ["text/html", "*/*"]
    assert headers.get("x-id") == "7"
    assert headers.get("folded") == "a b c"
    assert headers.get("empty") == ""
    assert headers.get("last") == "end"
    assert list(headers) == [
        ("accept", "text/html"),
        ("x-id", "7"),
        ("folded", "a b c"),
        ("accept", "*/*"),
        ("empty", ""),
        ("last", "end"),
    ]


def test_prefix_of_a_value_is_compared_case_insensitively() -> None:
    headers = Headers(b"Content-Type: \t Text/HTML; x\r\nAccept: text/plain\r\nEmpty:\r\n")
    assert headers.begins("content-type", b"text/html")
    assert not headers.begins("accept", b"text/html")
    assert not headers.begins("empty", b"x")
    assert not headers.begins("cookie", b"")


def test_name_is_not_matched_within_another_name_or_a_value() -> None:
    headers = Headers(b"X-Id: Id: 3\r\nFolded: a\r\n id: 4\r\n")
    assert (headers.get("id"), headers.get_all("id"), headers.get("not-a-field")) == (None, [], None)


def test_docstring_example_is_correct() -> None:
    assert doctest.testmod(module).failed == 0


def test_empty_block_has_no_fields() -> None:
    assert (list(Headers(b"")), Headers(b"").get("a"), Headers(b"").get_all("a")) == ([], None, [])


@given(st.lists(st.tuples(NAMES, VALUES), max_size=8))
def test_encoded_fields_round_trip(fields: list[tuple[str, str]]) -> None:
    headers = Headers(encode_headers(fields))
    assert list(headers) == fields
    for name, _ in fields:
        assert headers.get_all(name) == [value for other, value in fields if other == name]
        assert headers.get(name) == headers.get_all(name)[0]


def test_value_cannot_inject_a_field() -> None:
    assert list(Headers(encode_headers([("a", "1\r\nb: 2\0")]))) == [("a", "1  b: 2")]


@given(st.binary(max_size=200))
def test_any_bytes_can_be_read(block: bytes) -> None:
    headers = Headers(block)
    assert all(name == name.lower() for name, _ in headers)
    headers.get_all("a")
    headers.get("a")
