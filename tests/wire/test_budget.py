"""What a read may cost: ordinary traffic stays parsed, expensive bytes make a connection opaque, in a bounded time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotfish.sidecar.wire.budget import BURST, QUANTUM, READ_LIMIT, REFILL_DIVISOR, ParseBudget
from pilotfish.sidecar.wire.errors import ProtocolError
from pilotfish.sidecar.wire.exchange import Exchange
from pilotfish.sidecar.wire.http1.tracker import Tracker

SECOND = 1_000_000_000
READ = 64 * 1024
GET = b"GET /a HTTP/1.1\r\nHost: m\r\nUser-Agent: wrk\r\nAccept: application/json\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nhi"
CHUNKED = b"POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


class Listener:
    """Counts what a parser reports."""

    def __init__(self) -> None:
        self.open = self.requested_count = self.finished_count = self.events = 0
        self.reason = ""
        self.opaque_total = 0

    def requested(self, exchange: Exchange) -> None:
        self.open += 1
        self.requested_count += 1

    def answered(self, exchange: Exchange) -> None:
        pass

    def streamed(self, exchange: Exchange, now: int, first: bool, events: int) -> None:
        self.events += events

    def finished(self, exchange: Exchange) -> None:
        self.open -= 1
        self.finished_count += 1

    def went_opaque(self, reason: str) -> None:
        self.reason = reason

    def opaque_bytes(self, from_client: int, from_server: int) -> None:
        self.opaque_total += from_client + from_server


class Connection:
    """One connection, which sends a read at a time."""

    def __init__(self, budget: ParseBudget | None = None) -> None:
        self.listener = Listener()
        self.budget = budget or ParseBudget()
        self._tracker = Tracker(self.listener, Exchange, self.budget)
        self.now = SECOND

    def client(self, data: bytes) -> Connection:
        for start in range(0, len(data), READ):
            self._tracker.client(memoryview(data)[start : start + READ], self.now)
        return self

    def server(self, data: bytes) -> Connection:
        for start in range(0, len(data), READ):
            self._tracker.server(memoryview(data)[start : start + READ], self.now)
        return self


def filled(unit: bytes, size: int = READ) -> bytes:
    return unit * (size // len(unit))


CLIENT_ATTACKS = {
    "one-byte chunks": CHUNKED + filled(b"1\r\nx\r\n"),
    "one-byte chunks with LF": CHUNKED + filled(b"1\nx\n"),
    "empty lines": filled(b"\n") * 5,
    "empty lines with CRLF": filled(b"\r\n") * 5,
    "chunk extensions": CHUNKED + filled(b"1;a\r\nx\r\n"),
    "header lines": b"GET / HTTP/1.1\r\n" + filled(b"a:\n", READ - 100) + b"\n",
    "folded lines": b"GET / HTTP/1.1\r\na:\n" + filled(b" \n", READ - 100) + b"\n",
    "lines of one field": b"GET / HTTP/1.1\r\n" + filled(b"User-Agent:\n", READ - 100) + b"\n",
    "heads with lines of one field": filled(b"GET / HTTP/1.1\r\n" + filled(b"User-Agent:\n", 4000) + b"\n"),
    "paths that are not ASCII": filled(b"GET /" + filled(b"\xe9", 490) + b" HTTP/1.1\r\n\r\n"),
    "trailer lines": CHUNKED + b"0\r\n" + filled(b"a:\n"),
    "empty chunked requests": filled(b"POST / HTTP/1.1\r\nTransfer-Encoding:chunked\r\n\r\n0\r\n\r\n", 4000) * 4,
}


@pytest.mark.parametrize("attack", CLIENT_ATTACKS.values(), ids=CLIENT_ATTACKS)
def test_expensive_reads_make_the_connection_opaque(attack: bytes) -> None:
    listener = Connection().client(attack).listener
    assert listener.reason in {"too_costly", "too_large"}
    assert (listener.open, listener.finished_count) == (0, listener.requested_count)
    assert listener.opaque_total > 0


@pytest.mark.parametrize("answer", [filled(b"HTTP/1.1 102 P\r\n\r\n"), EVENTS + filled(b"3\r\na\n\n\r\n")])
def test_expensive_responses_make_the_connection_opaque(answer: bytes) -> None:
    listener = Connection().client(GET).server(answer).listener
    assert (listener.reason, listener.open, listener.finished_count) == ("too_costly", 0, 1)


def test_empty_lines_are_dropped_and_cost_no_more_later() -> None:
    connection = Connection().client(b"\n" * 8000 + b"\r\n" * 4000)
    for _ in range(3000):
        connection.client(b"\n")
    connection.client(b"\r").client(b"\n").client(GET).server(OK)
    assert (connection.listener.reason, connection.listener.finished_count) == ("", 1)


def test_head_of_single_bytes_is_parsed_once() -> None:
    connection = Connection().client(b"GET / HTTP/1.1\r\nX: ")
    for _ in range(60_000):
        connection.client(b"x")
    connection.client(b"\r\n").client(b"\r\n").server(OK)
    assert (connection.listener.reason, connection.listener.finished_count) == ("", 1)


@pytest.mark.parametrize(
    ("client", "server"),
    [
        (GET * 32, OK * 32),
        (b"GET / HTTP/1.1\r\n" + b"".join(b"X-%d: value of a field\r\n" % n for n in range(100)) + b"\r\n", OK),
        (b"GET / HTTP/1.1\r\nCookie: " + b"c" * 16_000 + b"\r\n\r\n", OK),
        (CHUNKED + b"1000\r\n" + b"x" * 4096 + b"\r\n0\r\n\r\n", OK),
        (GET, EVENTS + b"82\r\n%b\r\n" % (b"t" * 130) * 50 + b"0\r\n\r\n"),
    ],
    ids=["32 pipelined requests", "100 fields", "16 KB of cookies", "chunks of 4 KB", "events of a token each"],
)
def test_ordinary_traffic_stays_parsed_at_a_high_rate(client: bytes, server: bytes) -> None:
    connection = Connection()
    for _ in range(300):
        connection.now += SECOND // 1000
        connection.client(client).server(server)
    assert (connection.listener.reason, connection.listener.open) == ("", 0)


def test_stream_that_was_held_up_stays_parsed() -> None:
    connection = Connection().client(GET).server(EVENTS)
    for _ in range(5):
        connection.now += SECOND // 10
        connection.server(b"82\r\n%b\r\n" % (b"t" * 130) * 480)
    assert (connection.listener.reason, connection.listener.events) == ("", 5 * 480)


def test_connections_cannot_add_up_their_costs() -> None:
    budget, opaque = ParseBudget(), 0
    for _ in range(200):  # in the same nanosecond
        connection = Connection(budget).client(CHUNKED + filled(b"1\r\nx\r\n", 4000))
        opaque += connection.listener.reason == "too_costly"
    assert opaque >= 200 - BURST // (300 * 1000)
    ordinary = Connection(budget).client(GET).server(OK)
    assert (ordinary.listener.reason, ordinary.listener.finished_count) == ("", 1)


def test_expensive_head_that_is_a_whole_read_is_charged() -> None:
    budget = ParseBudget()
    head = b"GET / HTTP/1.1\r\n" + filled(b"upgrade:\n", 4000) + b"\r\n\r\n"
    reasons = [Connection(budget).client(head).listener.reason for _ in range(50)]  # in the same nanosecond
    assert "too_costly" in reasons


@given(st.lists(st.integers(0, SECOND // 100), max_size=300))
def test_budget_allows_at_most_its_burst_and_its_share_of_time(steps: list[int]) -> None:
    budget, now, drawn = ParseBudget(), SECOND, 0
    for step in steps:
        now += step
        for _ in range(READ_LIMIT // QUANTUM):
            try:
                budget.draw(now)
            except ProtocolError as error:
                assert error.reason == "too_costly"  # noqa: PT017 - every other error fails the test
                break
            drawn += QUANTUM
    assert drawn <= BURST + (now - SECOND) // REFILL_DIVISOR


@given(st.lists(st.tuples(st.sampled_from([*CLIENT_ATTACKS.values(), GET, b"\n", b"1\r\n"]), st.integers(1, 70_000))))
def test_every_exchange_ends_once_however_a_connection_becomes_opaque(sends: list[tuple[bytes, int]]) -> None:
    connection = Connection()
    for data, size in sends:
        connection.client(data[:size])
    listener = connection.listener
    if listener.reason:
        assert (listener.open, listener.finished_count) == (0, listener.requested_count)
