"""In-flight times: exact at any moment, across slow request heads, replaced routes, restarts and kills."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import accumulate, pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.channel import layout as at
from pilotfish.sidecar.channel.in_flight import in_flight_growth, mean_in_flight
from pilotfish.sidecar.channel.page import SILENT_NS, CounterPage, PageSnapshot, read_page
from pilotfish.sidecar.channel.record import Piece, Record
from pilotfish.sidecar.proxy.observer import ConnectionObserver, Observer
from pilotfish.sidecar.settings.proxy import ProxySettings
from tests.support.examples import examples

SECOND = 10**9
FIRST, SECOND_SLOT = (at.AT_SLOTS + (at.FIRST_ROUTE + index) * at.SLOT_WORDS for index in range(2))


class NoReader:
    """Has no reader, in place of the ChannelWriter."""

    connected = False
    queued_bytes = 0

    def offer(self, _record: Record, _request_body: Sequence[Piece], _response_body: Sequence[Piece]) -> bool:
        return False


def snapshot(path: Path, now: int) -> PageSnapshot:
    """The page as it is read at `now`."""
    return replace(read_page(path), read_ns=now)


def change(page: CounterPage, base: int, step: int, now: int) -> None:
    page.words[at.AT_LOCK] += 1
    page.change_in_flight(base, step, now)
    page.words[at.AT_LOCK] += 1


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "page"


class Client:
    """One exchange on its own connection. Its steps: half of the request, the rest, the response head and its body."""

    def __init__(self, observer: Observer, path: str, status: int, times: Sequence[int]) -> None:
        self.path = path
        self.began = times[0]
        self.ended = times[3]
        self._connection = ConnectionObserver(observer, 0)
        request = f"POST {path} HTTP/1.1\r\nContent-Length: 0\r\n\r\n".encode()
        response = f"HTTP/1.1 {status} X\r\nContent-Length: 1\r\n\r\n".encode()
        self.steps = list(zip(times, (request[:9], request[9:], response, b"."), range(4), strict=True))

    def step(self, now: int, data: bytes, number: int) -> None:
        """Send or answer a part."""
        (self._connection.client if number < 2 else self._connection.server)(memoryview(data), now)

    def time(self, now: int) -> int:
        """The time in flight until `now`, which is known once the head is complete."""
        return min(now, self.ended) - self.began if now >= self.steps[1][0] else 0


exchanges = st.lists(
    st.tuples(
        st.sampled_from(["/a", "/b", "/healthz", "/c"]),
        st.sampled_from([200, 404, 500]),
        st.lists(st.integers(0, SECOND), min_size=4, max_size=4),  # time until each step
    ),
    max_size=12,
)


@settings(max_examples=examples(100), deadline=None)
@given(exchanges, st.lists(st.integers(0, 5 * SECOND), min_size=2, max_size=6))
def test_in_flight_time_between_any_two_moments_is_that_of_the_exchanges(
    tmp_path_factory: pytest.TempPathFactory, made: list[tuple[str, int, list[int]]], moments: list[int]
) -> None:
    path = tmp_path_factory.mktemp("page") / "page"
    page = CounterPage.open(path, now_ns=1)
    observer = Observer(page, NoReader(), ProxySettings(0, probes=("/healthz",)))
    clients = [
        Client(observer, target, status, list(accumulate(delays, initial=SECOND))[1:])
        for target, status, delays in made
    ]
    events: list[tuple[int, int, Callable[[], None]]] = []
    for order, client in enumerate(clients):
        events += [(step[0], order, partial(client.step, *step)) for step in client.steps]
    events += [(now, -1, partial(page.beat, now, now)) for now in range(SECOND, 7 * SECOND, SECOND // 2)]
    seen: list[tuple[int, PageSnapshot]] = []
    for moment in moments:
        now = SECOND + moment
        events.append((now, 1000, partial(lambda now: seen.append((now, snapshot(path, now))), now)))
    for _, _, act in sorted(events, key=lambda event: event[:2]):
        act()
    for (then, before), (now, after) in pairwise(seen):
        growth = in_flight_growth(before, after)
        times = {client: client.time(now) - client.time(then) for client in clients}
        assert growth[at.PROBES_ROUTE] == sum(grown for client, grown in times.items() if client.path == "/healthz")
        assert sum(growth.values()) == sum(times.values())
    page.close()


def test_mean_in_flight_counts_exchanges_that_have_not_ended_and_no_probes(path: Path) -> None:
    page = CounterPage.open(path, now_ns=1)
    change(page, FIRST, 1, 2 * SECOND)
    page.replace_route(FIRST, "POST /a")
    before = snapshot(path, 2 * SECOND)
    change(page, FIRST, 1, 3 * SECOND)
    change(page, at.AT_SLOTS, 1, 3 * SECOND)
    after = snapshot(path, 4 * SECOND)
    assert mean_in_flight(before, after) == (2 + 1) / 2
    assert mean_in_flight(after, after) is None
    page.close()


def test_the_total_of_a_replaced_route_is_no_growth_of_other(path: Path) -> None:
    page = CounterPage.open(path, now_ns=1)
    page.replace_route(FIRST, "POST /old")
    change(page, FIRST, 1, SECOND)
    change(page, FIRST, -1, 101 * SECOND)
    before = snapshot(path, 101 * SECOND)
    page.replace_route(FIRST, "POST /new")
    change(page, FIRST, 1, 101 * SECOND)
    growth = in_flight_growth(before, snapshot(path, 102 * SECOND))
    assert growth == {"probes": 0, "POST /new": SECOND, "other": 0}
    page.close()


def test_a_kill_loses_at_most_the_time_since_the_last_heartbeat(path: Path) -> None:
    page = CounterPage.open(path, now_ns=1)
    page.replace_route(FIRST, "POST /a")
    change(page, FIRST, 3, SECOND)
    page.beat(2, 2 * SECOND)
    left = path.read_bytes()
    page.close()
    path.write_bytes(left)
    before = snapshot(path, 2 * SECOND + SECOND // 4)
    again = CounterPage.open(path, now_ns=3)
    after = snapshot(path, SECOND // 2)  # the machine started again: its clock began at zero
    assert in_flight_growth(before, after)["POST /a"] == 0
    (route,) = (item for item in after.routes if item.route == "POST /a")
    assert (route.in_flight, route.in_flight_ns) == (0, 3 * SECOND)
    change(again, FIRST, 1, SECOND)
    assert in_flight_growth(after, snapshot(path, 2 * SECOND))["POST /a"] == SECOND
    again.close()


def test_a_new_page_counts_from_its_beginning(path: Path) -> None:
    page = CounterPage.open(path, now_ns=1)
    for base, name in ((FIRST, "POST /a"), (SECOND_SLOT, "POST /b")):
        page.replace_route(base, name)
        change(page, base, 1, SECOND)
        change(page, base, -1, 100 * SECOND)
    before = snapshot(path, 100 * SECOND)
    page.close()
    path.unlink()
    page = CounterPage.open(path, now_ns=2)
    page.replace_route(FIRST, "POST /a")
    change(page, FIRST, 1, 101 * SECOND)
    assert in_flight_growth(before, snapshot(path, 103 * SECOND)) == {"probes": 0, "POST /a": 2 * SECOND, "other": 0}
    page.close()


def test_in_flight_time_of_a_proxy_that_is_gone_ends(path: Path) -> None:
    page = CounterPage.open(path, now_ns=1)
    change(page, at.AT_SLOTS, 1, SECOND)
    (probes, _) = snapshot(path, SECOND).routes
    assert probes.in_flight_time(3600 * SECOND) == SILENT_NS
    assert probes.in_flight_time(0) == 0
    page.close()
