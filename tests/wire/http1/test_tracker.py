"""Random conversations, compared with h11; random bytes, which must never raise; limits; tunnels; trailers."""

from dataclasses import dataclass, field
from itertools import pairwise

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotfish.sidecar.channel.layout import DOWNGRADES
from pilotfish.sidecar.wire.budget import ParseBudget
from pilotfish.sidecar.wire.exchange import Exchange
from pilotfish.sidecar.wire.http1.framer import HEAD_LIMIT, TRAILER_LIMIT
from pilotfish.sidecar.wire.http1.tracker import PIPELINE_BYTES, PIPELINE_LIMIT, Tracker


@dataclass
class Bodies:
    up: bytes = b""
    down: bytes = b""

    def request(self, data: bytes) -> None:
        self.up += data

    def response(self, data: bytes) -> None:
        self.down += data


@dataclass
class RecordingListener:
    finished_exchanges: list[Exchange] = field(default_factory=list)
    opaque: list[str] = field(default_factory=list)

    def requested(self, exchange: Exchange) -> Bodies:
        return Bodies()

    def answered(self, exchange: Exchange) -> None:
        assert exchange.status

    def streamed(self, exchange: Exchange, now: int, first: bool, events: int) -> None:
        assert exchange.started <= now

    def finished(self, exchange: Exchange) -> None:
        self.finished_exchanges.append(exchange)

    def went_opaque(self, reason: str) -> None:
        self.opaque.append(reason)

    def opaque_bytes(self, from_client: int, from_server: int) -> None:
        assert self.opaque


def bodies(exchange: Exchange) -> Bodies:
    assert isinstance(exchange.bodies, Bodies)
    return exchange.bodies


def pieces(data: bytes, cuts: list[int]) -> list[memoryview]:
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [memoryview(data)[start:end] for start, end in pairwise(edges) if end > start]


payloads = st.lists(st.binary(max_size=200), max_size=4)
messages = st.tuples(
    payloads, st.booleans(), payloads, st.booleans(), st.sampled_from([200, 204, 304, 404]), st.booleans()
)


def wire_of(message: tuple[list[bytes], bool, list[bytes], bool, int, bool]) -> tuple[bytes, bytes, bytes, bytes]:
    """Write one exchange with h11; return request bytes, response bytes and both bodies."""
    up, up_chunked, down, down_chunked, status, interim = message
    client, server = h11.Connection(h11.CLIENT), h11.Connection(h11.SERVER)
    length = [("Content-Length", str(len(b"".join(up))))]
    request = _write(
        client,
        h11.Request(method="POST", target="/p", headers=[("Host", "h"), *([] if up_chunked else length)]),
        up,
        chunked=up_chunked,
    )
    server.receive_data(request)
    while not isinstance(server.next_event(), h11.EndOfMessage):
        pass
    early = server.send(h11.InformationalResponse(status_code=103, headers=[])) if interim else b""
    down = [] if status in {204, 304} else down
    length = [("Content-Length", str(len(b"".join(down))))]
    head = h11.Response(status_code=status, headers=[] if down_chunked or status == 204 else length)
    return request, (early or b"") + _write(server, head, down, chunked=down_chunked), b"".join(up), b"".join(down)


def _write(connection: h11.Connection, head: h11.Event, body: list[bytes], *, chunked: bool) -> bytes:
    if chunked and isinstance(head, h11.Request):
        head = h11.Request(
            method=head.method, target=head.target, headers=[*head.headers, ("Transfer-Encoding", "chunked")]
        )
    parts = [
        connection.send(head),
        *(connection.send(h11.Data(data=part)) for part in body),
        connection.send(h11.EndOfMessage()),
    ]
    return b"".join(part or b"" for part in parts)


@given(st.lists(messages, min_size=1, max_size=4), st.lists(st.integers(0, 5000), max_size=12), st.booleans())
def test_conversation_written_by_h11_is_parsed_correctly(
    conversation: list[tuple[list[bytes], bool, list[bytes], bool, int, bool]], cuts: list[int], pipelined: bool
) -> None:
    listener = RecordingListener()
    tracker = Tracker(listener, Exchange, ParseBudget())
    written = [wire_of(message) for message in conversation]
    requests, responses = [w[0] for w in written], [w[1] for w in written]
    turns = [(b"".join(requests), b"".join(responses))] if pipelined else list(zip(requests, responses, strict=True))
    now = 0
    for up, down in turns:
        for side, data in ((tracker.client, up), (tracker.server, down)):
            for piece in pieces(data, cuts):
                now += 1
                side(piece, now)
    tracker.closed(now + 1)
    assert listener.opaque == []
    seen = [(e.complete, e.status, bodies(e).up, bodies(e).down) for e in listener.finished_exchanges]
    assert seen == [(True, m[4], w[2], w[3]) for m, w in zip(conversation, written, strict=True)]
    assert all(0 < e.started <= e.first_byte <= e.ended for e in listener.finished_exchanges)


@given(st.lists(st.tuples(st.booleans(), st.binary(max_size=400)), max_size=30))
def test_random_bytes_end_in_known_reasons_and_every_exchange_ends_once(portions: list[tuple[bool, bytes]]) -> None:
    listener = RecordingListener()
    tracker = Tracker(listener, Exchange, ParseBudget())
    start = (
        b"POST /x HTTP/1.1\r\nContent-Length: 40\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    )
    for now, (is_client, data) in enumerate([(True, start[0]), (False, start[1]), *portions]):
        (tracker.client if is_client else tracker.server)(memoryview(data), now)
    tracker.server_ended(99)
    tracker.closed(100)
    assert set(listener.opaque) <= set(DOWNGRADES)
    assert len(listener.opaque) <= 1
    assert len(listener.finished_exchanges) == len(set(listener.finished_exchanges)) >= 1


def test_head_without_end_is_bounded() -> None:
    listener = RecordingListener()
    tracker = Tracker(listener, Exchange, ParseBudget())
    tracker.client(memoryview(b"GET / HTTP/1.1\r\n"), 1)
    for _ in range(HEAD_LIMIT // 1000 + 1):
        tracker.client(memoryview(b"X: " + b"y" * 995 + b"\r\n"), 2)
    assert listener.opaque == ["too_large"]


def test_pipelined_requests_without_an_answer_are_bounded() -> None:
    listener = RecordingListener()
    tracker = Tracker(listener, Exchange, ParseBudget())
    for now in range(PIPELINE_LIMIT + 1):
        tracker.client(memoryview(b"GET / HTTP/1.1\r\n\r\n"), now)
    assert listener.opaque == ["too_large"]
    assert len(listener.finished_exchanges) == PIPELINE_LIMIT
    assert not any(exchange.complete for exchange in listener.finished_exchanges)


@pytest.mark.parametrize("size", [3000, 60_000])
def test_heads_that_wait_for_their_responses_are_bounded_together(size: int) -> None:
    listener = RecordingListener()
    tracker = Tracker(listener, Exchange, ParseBudget())
    head = b"GET / HTTP/1.1\r\nX: " + b"y" * size + b"\r\n\r\n"
    for second in range(1, PIPELINE_LIMIT + 2):
        tracker.client(memoryview(head), second * 1_000_000_000)
    assert listener.opaque == ["too_large"]
    kept = [len(exchange.request_headers) for exchange in listener.finished_exchanges]
    assert PIPELINE_BYTES - 2 * len(head) < sum(kept) <= PIPELINE_BYTES


def test_tunnel_is_complete_with_its_bytes_and_its_duration() -> None:
    listener = RecordingListener()
    tracker = Tracker(listener, Exchange, ParseBudget())
    tracker.client(memoryview(b"GET /ws HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"), 10)
    tracker.server(memoryview(b"HTTP/1.1 101 Switching Protocols\r\n\r\nabc"), 20)
    tracker.client(memoryview(b"12345"), 30)
    tracker.server(memoryview(b"6"), 40)
    tracker.closed(50)
    (tunnel,) = listener.finished_exchanges
    assert listener.opaque == ["upgrade"]
    assert (tunnel.complete, tunnel.status, tunnel.request_bytes, tunnel.response_bytes) == (True, 101, 5, 4)
    assert (tunnel.started, tunnel.first_byte, tunnel.ended) == (10, 20, 50)


def test_tunnel_opened_within_a_request_body_finishes_once() -> None:
    listener = RecordingListener()
    tracker = Tracker(listener, Exchange, ParseBudget())
    tracker.client(memoryview(b"POST /ws HTTP/1.1\r\nUpgrade: x\r\nContent-Length: 9\r\n\r\nab"), 10)
    tracker.server(memoryview(b"HTTP/1.1 101 Switching Protocols\r\n\r\n"), 20)
    tracker.client(memoryview(b"cde"), 30)
    tracker.closed(50)
    (tunnel,) = listener.finished_exchanges
    assert (tunnel.complete, tunnel.status, tunnel.request_bytes, tunnel.ended) == (True, 101, 5, 50)


def message(*trailers: bytes) -> bytes:
    """Return the chunked body "hi" with trailers."""
    return b"2\r\nhi\r\n0\r\n" + b"".join(trailers) + b"\r\n"


@given(st.lists(st.integers(0, 5000), max_size=12))
def test_trailers_of_both_messages_are_kept(cuts: list[int]) -> None:
    listener = RecordingListener()
    tracker = Tracker(listener, Exchange, ParseBudget())
    request = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    response = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    for up, down in ((b"X-Up: 1\r\n", b"X-Down: 2\r\nX-Sum: 3\n"), (b"", b"")):
        for side, data in ((tracker.client, request + message(up)), (tracker.server, response + message(down))):
            for piece in pieces(data, cuts):
                side(piece, 1)
    assert [(e.request_trailers, e.response_trailers, bodies(e).down) for e in listener.finished_exchanges] == [
        (b"X-Up: 1\r\n", b"X-Down: 2\r\nX-Sum: 3\n", b"hi"),
        (b"", b"", b"hi"),
    ]


def test_trailers_are_bounded() -> None:
    listener = RecordingListener()
    tracker = Tracker(listener, Exchange, ParseBudget())
    line = b"X: " + b"y" * 1000 + b"\r\n"
    tracker.client(memoryview(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + message(*[line] * 50)), 1)
    tracker.server(memoryview(b"HTTP/1.1 204 No Content\r\n\r\n"), 2)
    (exchange,) = listener.finished_exchanges
    assert exchange.complete
    assert exchange.request_trailers == line * (TRAILER_LIMIT // len(line))
