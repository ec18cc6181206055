"""The parts of the data plane that need no connection: sampler, capture, addresses, health responses."""

import json
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotfish.sidecar.errors import UsageError
from pilotfish.sidecar.proxy.arguments import parse_pairs
from pilotfish.sidecar.proxy.capture import STREAM_EDGE, BodyCapture, CaptureBudget
from pilotfish.sidecar.proxy.health import HealthServer
from pilotfish.sidecar.proxy.reactor import SECOND, Reactor
from pilotfish.sidecar.proxy.sampler import BURST_SECONDS, Sampler
from pilotfish.sidecar.proxy.sockets import listen
from pilotfish.sidecar.system.addresses import Address, parse_address


@given(st.integers(1, 5000), st.lists(st.integers(0, SECOND // 100), max_size=400))
def test_sampler_admits_at_most_its_rate_and_its_burst(rate: int, steps: list[int]) -> None:
    sampler, now, admitted = Sampler(rate), 10**12, 0
    begin = now
    for step in steps:
        now += step
        admitted += sampler.admit(now)
    assert admitted <= rate * (now - begin) / SECOND + max(1, rate * BURST_SECONDS) + 1


def test_sampler_reaches_its_rate_under_load_and_admits_nothing_at_zero() -> None:
    sampler = Sampler(2000)
    assert 19_900 <= sum(sampler.admit(now) for now in range(0, 10 * SECOND, SECOND // 10_000)) <= 20_250
    sampler.set_rate(0)
    assert not sampler.admit(10**15)


@given(
    st.lists(st.tuples(st.booleans(), st.binary(max_size=50)), max_size=40), st.integers(0, 400), st.integers(0, 300)
)
def test_capture_keeps_beginnings_within_limit_and_budget(
    portions: list[tuple[bool, bytes]], budget: int, limit: int
) -> None:
    shared = CaptureBudget(budget)
    capture = BodyCapture(shared, limit)
    for is_request, data in portions:
        (capture.request if is_request else capture.response)(data)
    sent = {side: b"".join(data for is_request, data in portions if is_request == side) for side in (True, False)}
    kept = {True: b"".join(capture.request_body), False: b"".join(capture.response_body)}
    assert 0 <= shared.used <= budget
    if capture.exhausted:
        assert (shared.used, kept) == (0, {True: b"", False: b""})
    else:
        assert kept == {side: body[:limit] for side, body in sent.items()}
        assert capture.request_truncated == (len(sent[True]) > limit)
        assert capture.response_truncated == (len(sent[False]) > limit)
    capture.release()
    assert shared.used == 0


def test_capture_keeps_large_reads_as_they_are_and_joins_small_ones() -> None:
    capture = BodyCapture(CaptureBudget(), 1 << 20)
    read = bytes(64 * 1024)
    for data in (read, *[b"x"] * 40_000, read):
        capture.request(data)
    pieces = capture.request_body
    assert b"".join(pieces) == read + b"x" * 40_000 + read
    assert (pieces[0] is read, pieces[-1] is read, len(pieces)) == (True, True, 5)


def test_capture_of_a_stream_keeps_its_beginning_and_its_end() -> None:
    budget = CaptureBudget()
    capture = BodyCapture(budget, 1 << 20)
    capture.is_stream = True
    stream = b"".join(b"event %08d\n" % index for index in range(20_000))
    for start in range(0, len(stream), 997):
        capture.response(stream[start : start + 997])
    assert b"".join(capture.response_body) == stream[:STREAM_EDGE] + stream[-STREAM_EDGE:]
    assert capture.response_truncated
    assert budget.used == 2 * STREAM_EDGE
    capture.release()
    assert budget.used == 0


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:80", Address("127.0.0.1", 80)),
        ("[::1]:8080", Address("::1", 8080)),
        (":8080", Address("", 8080)),
        ("localhost:1", Address("localhost", 1)),
        ("unix:/run/x.sock", Address("", 0, "/run/x.sock")),
    ],
)
def test_address_round_trips_through_text(text: str, address: Address) -> None:
    assert parse_address(text, any_host=True, unix=True) == address
    assert str(address) == text


@pytest.mark.parametrize(
    "text", ["", "80", "host", "host:", "host:99999", "::1:80", "unix:", "unix:" + "x" * 200, "a:b:1"]
)
def test_invalid_address_is_rejected_with_the_expected_format(text: str) -> None:
    with pytest.raises(UsageError, match="address"):
        parse_address(text, any_host=True, unix=True)


def test_listening_on_a_used_address_or_a_file_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with listen(Address("", 0, str(path))), pytest.raises(UsageError, match="another process"):
        listen(Address("", 0, str(path)))
    listen(Address("", 0, str(path))).close()  # the stale socket was replaced
    (tmp_path / "f").write_text("precious")
    with pytest.raises(UsageError, match="in the way"):
        listen(Address("", 0, str(tmp_path / "f")))
    with listen(Address("127.0.0.1", 0)) as tcp, pytest.raises(UsageError, match="cannot listen"):
        listen(Address(*tcp.getsockname()))


def test_pairs_need_as_many_upstreams_as_listeners() -> None:
    with pytest.raises(UsageError, match="2 --listen but 1 --upstream"):
        parse_pairs([":1", ":2"], [":3"])


@pytest.mark.parametrize(
    ("request_head", "status"),
    [
        (b"GET /healthz HTTP/1.1\r\n\r\n", b"200 OK"),
        (b"HEAD /readyz?x HTTP/1.1\r\n\r\n", b"200 OK"),
        (b"GET /etc/passwd HTTP/1.1\r\n\r\n", b"404 Not Found"),
        (b"POST /healthz HTTP/1.1\r\n\r\n", b"405 Method Not Allowed"),
        (b"\x00\r\n\r\n", b"405 Method Not Allowed"),
    ],
)
def test_health_answers_only_get_and_head_on_its_paths(request_head: bytes, status: bytes) -> None:
    reactor = Reactor()
    with socket.socket() as sock:
        answer = HealthServer(reactor, sock, lambda: {"status": "ok"}).answer(request_head)
    reactor.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 " + status)
    assert (body == b"") == request_head.startswith(b"HEAD") or json.loads(body)
