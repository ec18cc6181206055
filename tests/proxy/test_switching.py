"""A 101 or a CONNECT at any moment: the exchange ends once, and every counter returns to its value at rest."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.channel import layout as at
from pilotfish.sidecar.channel.page import CounterPage, PageSnapshot, read_page
from pilotfish.sidecar.channel.record import Record
from pilotfish.sidecar.proxy.observer import ConnectionObserver, Observer
from pilotfish.sidecar.settings.proxy import ProxySettings


class AcceptingSink:
    """Accepts every record, in place of the ChannelWriter."""

    connected = True
    queued_bytes = 0

    def offer(self, _record: Record, _request_body: object, _response_body: object) -> bool:
        return True


@pytest.fixture
def page(tmp_path: Path) -> Iterator[CounterPage]:
    page = CounterPage.open(tmp_path / "page", now_ns=1)
    yield page
    page.close()


REQUESTS = {
    "half a body": b"POST /ws HTTP/1.1\r\nContent-Length: 10\r\n\r\n12345",
    "half a body, upgrade": b"POST /ws HTTP/1.1\r\nUpgrade: x\r\nContent-Length: 10\r\n\r\n12345",
    "half a chunk": b"POST /ws HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\na\r\n12345",
    "chunks without their end": b"POST /ws HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n",
    "half a trailer": b"POST /ws HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: ",
    "no body yet": b"POST /ws HTTP/1.1\r\nContent-Length: 10\r\n\r\n",
    "whole": b"GET /ws HTTP/1.1\r\nUpgrade: x\r\n\r\n",
    "whole, without an upgrade": b"GET /ws HTTP/1.1\r\n\r\n",
    "pipelined": b"GET /a HTTP/1.1\r\n\r\nPOST /ws HTTP/1.1\r\nContent-Length: 10\r\n\r\n12345",
    "pipelined behind it": b"GET /ws HTTP/1.1\r\nUpgrade: x\r\n\r\nGET /b HTTP/1.1\r\n\r\n",
    "connect": b"CONNECT h:1 HTTP/1.1\r\n\r\n",
    "connect with bytes behind it": b"CONNECT h:1 HTTP/1.1\r\n\r\n\x16\x03",
}
RESPONSES = {
    "101": b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
    "101 and bytes": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nabc",
    "100, then 101": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 101 Switching Protocols\r\n\r\nabc",
    "200": b"HTTP/1.1 200 OK\r\n\r\nabc",
    "200, then 101": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 101 Switching Protocols\r\n\r\nabc",
}


def played(
    page: CounterPage, path: Path, rate: int, sends: list[tuple[bool, bytes]], server_ends: bool
) -> PageSnapshot:
    """Play one connection and return the page at rest."""
    connection = ConnectionObserver(Observer(page, AcceptingSink(), ProxySettings(rate)), 0)
    for now, (is_client, data) in enumerate(sends, 1):
        try:
            following = (connection.client if is_client else connection.server)(memoryview(data), now)
        except Exception as error:
            connection.on_error(error)
            continue
        if following is not None:
            setattr(connection, "client" if is_client else "server", following)
    if server_ends:
        connection.server_ended(len(sends) + 1)
    connection.closed(len(sends) + 2)
    return read_page(path / "page")


def require_rest(after: PageSnapshot) -> None:
    """Require that outcomes and routes agree, and that no gauge stays raised."""
    assert sum(sum(route.codes.values()) for route in after.routes) == sum(after.outcomes.values())
    assert after.connections["opaque_open"] == 0
    assert all(route.in_flight == 0 for route in after.routes)
    assert after.downgrades["internal"] == 0


@pytest.mark.parametrize("rate", [0, 10**9], ids=["not sampled", "sampled"])
@pytest.mark.parametrize("response", RESPONSES.values(), ids=RESPONSES)
@pytest.mark.parametrize("request_bytes", REQUESTS.values(), ids=REQUESTS)
def test_switch_at_any_moment_finishes_each_exchange_once(
    page: CounterPage, tmp_path: Path, request_bytes: bytes, response: bytes, rate: int
) -> None:
    switched = [(True, b"67890"), (False, b"x")]
    for cut in range(0, len(response), 5):
        for server_ends in (True, False):
            pieces = [(False, piece) for piece in (response[:cut], response[cut:]) if piece]
            require_rest(played(page, tmp_path, rate, [(True, request_bytes), *pieces, *switched], server_ends))
    assert page.words[at.AT_LOCK] % 2 == 0


SENDS = st.lists(
    st.tuples(
        st.booleans(), st.sampled_from([*REQUESTS.values(), *RESPONSES.values(), b"12345", b"\n", b"5\r\n12345\r\n"])
    ),
    max_size=8,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(SENDS, st.sampled_from((0, 10**9)), st.integers(1, 60), st.booleans())
def test_any_order_of_switches_keeps_the_accounting(
    page: CounterPage, tmp_path: Path, sends: list[tuple[bool, bytes]], rate: int, size: int, server_ends: bool
) -> None:
    pieces = [(side, data[at : at + size]) for side, data in sends for at in range(0, len(data), size)]
    require_rest(played(page, tmp_path, rate, pieces, server_ends))
