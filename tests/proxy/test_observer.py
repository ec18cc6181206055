"""Every exchange has exactly one outcome, and the totals of routes and outcomes agree."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.channel import layout as at
from pilotfish.sidecar.channel.page import CounterPage, PageSnapshot, read_page
from pilotfish.sidecar.channel.record import Piece, Record
from pilotfish.sidecar.proxy.observer import ConnectionObserver, Observer
from pilotfish.sidecar.settings.proxy import ProxySettings


class FakeSink:
    """Accepts at most `room` records, in place of the ChannelWriter."""

    def __init__(self) -> None:
        self.connected = True
        self.room = 10**9
        self.queued_bytes = 0
        self.records: list[Record] = []

    def offer(self, record: Record, request_body: Sequence[Piece], response_body: Sequence[Piece]) -> bool:
        if not self.connected or self.room <= len(self.records):
            return False
        self.records.append(record._replace(request_body=b"".join(request_body), response_body=b"".join(response_body)))
        return True


@pytest.fixture
def sink() -> FakeSink:
    return FakeSink()


@pytest.fixture
def page(tmp_path: Path) -> Iterator[CounterPage]:
    page = CounterPage.open(tmp_path / "page", now_ns=1)
    yield page
    page.close()


@pytest.fixture
def observer(page: CounterPage, sink: FakeSink) -> Observer:
    return Observer(page, sink, ProxySettings(10**9, body_limit=64, probes=("/up",)))


def exchange(observer: Observer, request: bytes, response: bytes, listener: int = 0) -> ConnectionObserver:
    connection = ConnectionObserver(observer, listener)
    connection.client(memoryview(request), 1)
    connection.server(memoryview(response), 2)
    return connection


def post(body: bytes, path: bytes = b"/v2/models/m/infer") -> bytes:
    return b"POST %s HTTP/1.1\r\nContent-Length: %d\r\n\r\n%s" % (path, len(body), body)


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


def snapshot(tmp_path: Path) -> PageSnapshot:
    return read_page(tmp_path / "page")


def outcomes(tmp_path: Path) -> dict[tuple[str, str], int]:
    return {outcome: count for outcome, count in snapshot(tmp_path).outcomes.items() if count}


def test_sampled_exchange_becomes_a_record(observer: Observer, sink: FakeSink, tmp_path: Path) -> None:
    exchange(observer, post(b"in"), OK, listener=3)
    (record,) = sink.records
    assert (record.sequence, record.status, record.listener, record.route) == (1, 200, 3, "POST /v2/models/m/infer")
    assert (record.request_body, record.response_body, record.flags) == (b"in", b"hi", 0)
    assert outcomes(tmp_path) == {("accepted", ""): 1}


def test_record_is_protocol_neutral(observer: Observer, sink: FakeSink) -> None:
    request = (
        b"POST /v2/models/m/infer?x=1 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nin\r\n0\r\nX-Sum: 1\r\n\r\n"
    )
    exchange(observer, request, OK)
    (record,) = sink.records
    assert (record.protocol, record.method, record.target) == ("http/1.1", "POST", "/v2/models/m/infer?x=1")
    assert (record.request_headers, record.response_headers) == (
        b"Transfer-Encoding: chunked\r\n",
        b"Content-Length: 2\r\n",
    )
    assert (record.request_trailers, record.response_trailers) == (b"X-Sum: 1\r\n", b"")
    assert (record.request_bytes, record.response_bytes) == (2, 2)
    assert (record.first_byte_ns, record.duration_ns) == (1, 1)


@pytest.mark.parametrize(
    ("request_bytes", "outcome"),
    [
        (b"GET /v2/health HTTP/1.1\r\n\r\n", ("sampled_out", "method")),
        (post(b"", b"/up"), ("sampled_out", "route")),
        (b"POST /x HTTP/1.1\r\nUser-Agent: kube-probe/1.36\r\nContent-Length: 0\r\n\r\n", ("sampled_out", "route")),
    ],
)
def test_exchanges_that_are_not_predictions_are_sampled_out(
    observer: Observer, tmp_path: Path, request_bytes: bytes, outcome: tuple[str, str]
) -> None:
    exchange(observer, request_bytes, OK)
    assert outcomes(tmp_path) == {outcome: 1}


@pytest.mark.parametrize("agent", ["ELB-HealthChecker/2.0", "Envoy/HC", "GoogleHC/1.0", "kube-probe/1.36"])
def test_a_probe_is_counted_under_its_own_route_whatever_its_method(
    observer: Observer, tmp_path: Path, agent: str
) -> None:
    for method in ("GET", "POST"):
        head = f"{method} /v2/models/m/infer HTTP/1.1\r\nUser-Agent: {agent}\r\nContent-Length: 0\r\n\r\n"
        exchange(observer, head.encode(), OK)
    assert outcomes(tmp_path) == {("sampled_out", "route"): 2}
    assert {route.route for route in snapshot(tmp_path).routes if sum(route.codes.values())} == {"probes"}


def test_dropped_exchanges_are_counted_by_reason(observer: Observer, sink: FakeSink, tmp_path: Path) -> None:
    sink.room = 0
    exchange(observer, post(b"in"), OK)
    sink.connected = False
    exchange(observer, post(b"in"), OK)
    sink.connected = True
    exchange(observer, post(b"in"), OK[:-1]).closed(3)
    exchange(observer, post(b"in"), b"\0\0\0\n\n")
    reasons = ("channel_full", "no_reader", "aborted", "downgraded")
    assert outcomes(tmp_path) == {("dropped", reason): 1 for reason in reasons}


def test_bodies_beyond_the_limit_are_flagged_and_sizes_are_complete(observer: Observer, sink: FakeSink) -> None:
    exchange(observer, post(b"x" * 100), OK)
    (record,) = sink.records
    assert (len(record.request_body), record.request_bytes, record.flags) == (64, 100, 1)


def test_memory_of_captured_bodies_is_published(observer: Observer, sink: FakeSink, tmp_path: Path) -> None:
    connection = ConnectionObserver(observer, 0)
    connection.client(memoryview(post(b"x" * 50)[:-1]), 1)
    sink.queued_bytes = 7
    observer.update()
    assert snapshot(tmp_path).captured_bytes == 49 + 7
    sink.queued_bytes = 0
    connection.closed(2)
    observer.update()
    assert snapshot(tmp_path).captured_bytes == 0


@pytest.mark.parametrize(("status", "code"), [(100 + 1, "1xx"), (299, "2xx"), (599, "5xx"), (666, "5xx"), (999, "5xx")])
def test_every_status_is_counted_in_a_class(observer: Observer, tmp_path: Path, status: int, code: str) -> None:
    exchange(observer, post(b""), b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % status).closed(3)
    routes = snapshot(tmp_path).routes
    assert sum(route.codes[code] for route in routes) == sum(sum(route.codes.values()) for route in routes) == 1
    assert not any(any(route.grpc) for route in routes)


def test_unknown_paths_do_not_use_up_slots(observer: Observer, tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        exchange(observer, post(b"", f"/{name}".encode()), b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
    routes = {route.route: route.codes["4xx"] for route in snapshot(tmp_path).routes}
    assert routes == {"probes": 0, "other": 3}


def test_error_of_the_observer_makes_the_connection_opaque_and_is_counted(
    observer: Observer, page: CounterPage, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    connection = ConnectionObserver(observer, 0)
    connection.client(memoryview(post(b"secret")), 1)
    page.words[at.AT_LOCK] += 1

    def fail(*_: object, **__: object) -> None:
        raise ValueError("secret")

    observer.end = fail  # type: ignore[method-assign]
    with pytest.raises(ValueError, match="secret") as caught:
        connection.server(memoryview(OK), 2)
    connection.on_error(caught.value)
    connection.server(memoryview(b"12345"), 3)
    connection.closed(4)
    seen = snapshot(tmp_path)
    assert (seen.downgrades["internal"], seen.connections["opaque"], seen.connections["opaque_open"]) == (1, 1, 0)
    assert seen.connections["opaque_bytes_out"] == 5
    assert page.words[at.AT_LOCK] % 2 == 0
    assert "ValueError" in caplog.text
    assert "secret" not in caplog.text


traffic = st.lists(
    st.tuples(
        st.sampled_from(
            [post(b"in"), post(b"y" * 90, b"/other/1"), b"GET /a HTTP/1.1\r\n\r\n", post(b"", b"/up"), b"junk\n\n"]
        ),
        st.sampled_from(
            [OK, OK[:-1], b"HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 404 X\r\n\r\n", b"junk\n\n", b""]
        ),
        st.booleans(),
        st.integers(0, 3),
    ),
    max_size=25,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(traffic)
def test_routes_add_up_to_outcomes_and_nothing_stays_in_flight(
    observer: Observer, sink: FakeSink, tmp_path: Path, traffic: list[tuple[bytes, bytes, bool, int]]
) -> None:
    for request, response, connected, room in traffic:
        sink.connected, sink.room = connected, len(sink.records) + room
        exchange(observer, request, response).closed(3)
    seen = snapshot(tmp_path)
    assert sum(seen.outcomes.values()) == sum(sum(route.codes.values()) for route in seen.routes)
    assert all(route.in_flight == 0 for route in seen.routes)
    assert [record.sequence for record in sink.records] == list(range(1, seen.accepted + 1))
