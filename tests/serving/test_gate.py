"""The gate of the admin address: what it passes on, however the bytes are split, and what it refuses."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotfish.sidecar.serving.gate import MAX_BODY_BYTES, MAX_HEAD_BYTES, RefusedBytesError, RequestGate

GET = b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST /v1/feedback HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab\r\n\r"
EMPTY = b"PUT /profile HTTP/1.0\r\ncontent-length:0\r\n\r\n"


def portions(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


@given(st.lists(st.sampled_from((GET, POST, EMPTY)), min_size=1, max_size=5), st.lists(st.integers(0, 10_000)))
def test_requests_pass_one_at_a_time_and_unchanged_however_they_are_split(
    requests: list[bytes], cuts: list[int]
) -> None:
    gate = RequestGate()
    passed = b"".join(part for portion in portions(b"\r\n".join(requests), cuts) for part in gate.receive(portion))
    assert passed == requests[0]
    for request in requests[1:]:
        assert gate.holds
        assert b"".join(gate.answered()) == request
    assert b"".join(gate.answered()) == b""
    assert not gate.holds


@given(st.lists(st.integers(0, 10_000)))
def test_after_an_early_answer_the_rest_of_the_body_still_belongs_to_its_request(cuts: list[int]) -> None:
    gate = RequestGate()
    assert b"".join(gate.receive(POST[:-3])) == POST[:-3]
    assert list(gate.answered()) == []
    passed = b"".join(part for portion in portions(POST[-3:] + GET, cuts) for part in gate.receive(portion))
    assert passed == POST[-3:] + GET


def test_all_after_a_head_with_chunks_belongs_to_its_request() -> None:
    gate = RequestGate()
    sent = b"PUT /profile HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n0\r\n\r\n" + GET
    assert b"".join(gate.receive(sent)) == sent
    assert gate.last


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00",
        b"\0",
        b"get / HTTP/1.1\r\n",
        b"GET\r\n",
        b"GET  / HTTP/1.1\r\n",
        b"GET / HTTP/2.0\r\n",
        b"GET / HTTP/1.1 x",
        b"ABCDEFGHIJKLMNOPQ",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/1.1\nHost: a\n\n",
        b"\r\n\r\n\r\n{}",
    ],
)
def test_bytes_that_are_no_request_are_refused_at_once(sent: bytes) -> None:
    with pytest.raises(RefusedBytesError) as refused:
        list(RequestGate().receive(sent))
    assert refused.value.status == 400


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        (b"Content-Length: 5\r\nContent-Length: 6\r\n", 400),
        (b"Content-Length: 5, 6\r\n", 400),
        (b"Content-Length: -5\r\n", 400),
        (b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", 400),
        (b"Transfer-Encoding: gzip, chunked\r\n", 400),
        (b"Content-Length: %d\r\n" % (MAX_BODY_BYTES + 1), 413),
        (b"Content-Length: 99999999999999999999\r\n", 413),
    ],
)
def test_a_body_of_ambiguous_or_excessive_length_is_refused(fields: bytes, status: int) -> None:
    with pytest.raises(RefusedBytesError) as refused:
        list(RequestGate().receive(b"PUT /profile HTTP/1.1\r\n" + fields + b"\r\n"))
    assert refused.value.status == status


@pytest.mark.parametrize(
    ("begin", "filler"), [(b"GET / HTTP/1.1\r\n", b"X-A: b\r\n"), (b"GET / HTTP/1.1\r\nX: ", b"a"), (b"GET /", b"a")]
)
def test_a_head_is_refused_at_its_limit(begin: bytes, filler: bytes) -> None:
    gate = RequestGate()
    assert list(gate.receive(begin)) == []
    for _ in range((MAX_HEAD_BYTES - len(begin)) // len(filler)):
        assert list(gate.receive(filler)) == []
    with pytest.raises(RefusedBytesError) as refused:
        list(gate.receive(filler))
    assert refused.value.status == 431


def test_empty_lines_before_a_request_are_dropped() -> None:
    gate = RequestGate()
    for _ in range(2 * MAX_HEAD_BYTES):
        assert list(gate.receive(b"\r\n")) == []
    assert b"".join(gate.receive(b"\n\r\n" + GET)) == GET


@given(st.lists(st.binary(max_size=40) | st.sampled_from((GET, POST, EMPTY)), max_size=8))
def test_any_bytes_are_passed_on_in_order_or_refused(parts: list[bytes]) -> None:
    gate, passed = RequestGate(), b""
    try:
        for part in parts:
            passed += b"".join(gate.receive(part))
            passed += b"".join(gate.answered())
    except RefusedBytesError:
        pass
    sent = iter(b"".join(parts))
    assert all(byte in sent for byte in passed)  # a subsequence: only empty lines are left out


@pytest.mark.parametrize("name", [b"Content-Length", b"transfer-encoding"])
@pytest.mark.parametrize("end", [b"\n", b"x\n", b"\r", b"\n\r\n", b"\v"])
def test_white_space_in_the_length_of_a_body_takes_linear_time(name: bytes, end: bytes) -> None:
    """An expression that backtracked took an hour for one head of 15 KiB, while the whole process stood still."""
    head = b"GET /metrics HTTP/1.1\r\n" + name + b" " * 5000 + b":" + b" \t" * 4000 + end + b"\r\n\r\n"
    with pytest.raises(RefusedBytesError):
        list(RequestGate().receive(head))


@pytest.mark.parametrize(
    "field", [b"Content-Length : 5", b"content-length:5", b"CONTENT-LENGTH:\t 5 \t", b"A: b\nContent-Length: 5"]
)
def test_the_length_of_a_body_is_read_in_every_spelling(field: bytes) -> None:
    gate = RequestGate()
    head = b"PUT /profile HTTP/1.1\r\n" + field + b"\r\n\r\n"
    assert b"".join(gate.receive(head + b"12345" + GET)) == head + b"12345"
    assert gate.holds
