"""Which routes have counters of their own, while clients make up routes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.channel import layout as at
from pilotfish.sidecar.channel.page import CounterPage, PageSnapshot, read_page
from pilotfish.sidecar.channel.record import Piece, Record
from pilotfish.sidecar.proxy.observer import ConnectionObserver, Observer, wall_offset
from pilotfish.sidecar.proxy.route_slots import RouteSlots
from pilotfish.sidecar.settings.proxy import ProxySettings, parse_proxy_settings, render_proxy_settings

SECOND = 1_000_000_000
SLOTS = at.OTHER - at.FIRST_ROUTE
REAL = "POST /v2/models/real/infer"


class NoReader:
    """Has no reader, in place of the ChannelWriter."""

    connected = False
    queued_bytes = 0

    def offer(self, _record: Record, _request_body: Sequence[Piece], _response_body: Sequence[Piece]) -> bool:
        return False


class Proxy:
    """An observer with a clock; each exchange has a connection of its own."""

    def __init__(self, folder: Path, settings: ProxySettings) -> None:
        self.path = folder / "page"
        self.page = CounterPage.open(self.path, now_ns=1)
        self.observer = Observer(self.page, NoReader(), settings)
        self.now = SECOND
        self.asked = 0

    def ask(self, model: str, status: int = 200) -> ConnectionObserver:
        """Send one request and its response."""
        connection = self.begin(model)
        connection.server(memoryview(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % status), self.now)
        return connection

    def begin(self, model: str) -> ConnectionObserver:
        """Send one request."""
        connection = ConnectionObserver(self.observer, 0)
        self.asked += 1
        head = b"POST /v2/models/%b/infer HTTP/1.1\r\nContent-Length: 0\r\n\r\n" % model.encode()
        connection.client(memoryview(head), self.now)
        return connection

    def read(self) -> PageSnapshot:
        return read_page(self.path)

    def counts(self) -> dict[str, int]:
        """Return the number of exchanges by route."""
        return {route.route: sum(route.codes.values()) for route in self.read().routes}


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[Proxy]:
    proxy = Proxy(tmp_path, ProxySettings(0))
    yield proxy
    proxy.page.close()


def test_routes_that_only_fail_at_the_client_get_no_slot(proxy: Proxy) -> None:
    for status in (400, 401, 403, 404, 405, 422, 429):
        for number in range(10):
            proxy.ask(f"made-up-{status}-{number}", status)
    assert set(proxy.counts()) == {"probes", "other"}
    proxy.ask("real", 500)
    proxy.ask("real", 422)
    assert proxy.counts()[REAL] == 2


@pytest.mark.long
def test_made_up_models_do_not_replace_a_busy_one(proxy: Proxy) -> None:
    for number in range(10_000):
        proxy.now += SECOND // 1000
        proxy.ask(f"made-up-{number}")
        if number % 100 == 0:
            proxy.ask("real")
    counts = proxy.counts()
    assert counts[REAL] == 100
    assert sum(counts.values()) == proxy.asked
    assert len(counts) == SLOTS + 2


def test_busy_model_gets_a_slot_after_made_up_ones_took_all(proxy: Proxy) -> None:
    for number in range(40):
        proxy.ask(f"made-up-{number}")
    for _ in range(30):
        proxy.now += SECOND
        proxy.ask("real")
    counts = proxy.counts()
    assert counts[REAL] > 20
    assert sum(counts.values()) == proxy.asked


def test_model_of_the_document_always_gets_a_slot(tmp_path: Path) -> None:
    proxy = Proxy(tmp_path, ProxySettings(0, model="real", routes=("/v2/models/mine-{x}/infer",)))
    for number in range(40):
        proxy.ask(f"made-up-{number}")
    proxy.ask("real")
    proxy.ask("mine-1")
    for number in range(200):
        proxy.now += SECOND
        for _ in range(5):
            proxy.ask(f"late-{number % 50}")
    counts = proxy.counts()
    assert (counts[REAL], counts["POST /v2/models/mine-{x}/infer"]) == (1, 1)
    assert sum(counts.values()) == proxy.asked
    proxy.page.close()


def test_equally_busy_routes_do_not_replace_each_other(proxy: Proxy) -> None:
    names = []
    for _ in range(100):
        proxy.now += SECOND
        for number in range(2 * SLOTS):
            proxy.ask(f"m{number}")
        names.append(frozenset(proxy.counts()))
    assert len(set(names)) == 1


def test_slot_with_an_exchange_in_flight_is_kept(proxy: Proxy) -> None:
    for number in range(SLOTS):
        proxy.ask(f"made-up-{number}")
    slow = [proxy.begin(f"made-up-{number}") for number in range(SLOTS)]
    for _ in range(300):
        proxy.now += SECOND
        proxy.ask("real")
    assert REAL not in proxy.counts()
    for connection in slow:
        connection.closed(proxy.now)
    for _ in range(3):
        proxy.now += SECOND
        proxy.ask("real")
    assert REAL in proxy.counts()
    assert all(route.in_flight == 0 for route in proxy.read().routes)


def test_next_proxy_continues_a_full_page(tmp_path: Path) -> None:
    first = Proxy(tmp_path, ProxySettings(0))
    for number in range(40):
        first.ask(f"made-up-{number}")
    before = first.counts()
    first.page.close()
    second = Proxy(tmp_path, ProxySettings(0))
    second.ask("made-up-0")
    assert second.counts() == before | {"POST /v2/models/made-up-0/infer": 2}
    for _ in range(5):
        second.now += SECOND
        second.ask("real")
    assert REAL in second.counts()
    assert sum(second.counts().values()) == first.asked + second.asked
    second.page.close()


def test_route_whose_name_is_truncated_keeps_its_slot_after_a_restart(tmp_path: Path) -> None:
    page = CounterPage.open(tmp_path / "page", now_ns=1)
    route = "POST /" + "ä" * 200
    slot = RouteSlots(page).assign(route, 1)
    assert RouteSlots(page).assign(route, 1) == slot
    assert len(page.routes()) == 1
    page.close()


steps = st.lists(
    st.tuples(st.integers(0, 60), st.sampled_from((200, 200, 404, 500)), st.integers(0, 90), st.booleans()),
    max_size=200,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(steps)
def test_sums_over_routes_never_decrease_and_names_are_unique(
    tmp_path: Path, steps: list[tuple[int, int, int, bool]]
) -> None:
    (tmp_path / "page").unlink(missing_ok=True)
    proxy = Proxy(tmp_path, ProxySettings(0, model="m1"))
    opened = []
    for model, status, seconds, ends in steps:
        proxy.now += seconds * SECOND
        if ends:
            proxy.ask(f"m{model}", status)
        else:
            opened.append(proxy.begin(f"m{model}"))
    for connection in opened:
        connection.closed(proxy.now)
    routes = proxy.read().routes
    assert len({route.route for route in routes}) == len(routes)
    assert sum(sum(route.codes.values()) for route in routes) == proxy.asked
    assert all(route.in_flight == 0 for route in routes)
    proxy.page.close()


def test_settings_of_an_older_or_newer_analyzer_are_read() -> None:
    assert parse_proxy_settings(b'{"routes": ["/a"], "later": 3}', "x") == ProxySettings(routes=("/a",))
    settings = ProxySettings(5, 6, ("/a",), ("/b",), "m")
    assert parse_proxy_settings(render_proxy_settings(settings), "x") == settings


def test_wall_offset_uses_the_reading_that_was_not_interrupted() -> None:
    wall = iter([5_000_000, 1_000_300, 1_000_500, 9_000_000, 9_100_000])
    clock = iter([0, 4_500_000, 200, 400, 450, 4_000_000, 4_100_000, 8_500_000, 8_600_000, 9_000_000])
    assert wall_offset(lambda: next(wall), lambda: next(clock)) == 1_000_300 - 300
