"""At every moment of a proxy, a reader gets the counters of its page, and a kill does not lose them."""

from __future__ import annotations

from pathlib import Path

import pytest

from pilotfish.sidecar.channel import layout as at
from pilotfish.sidecar.channel import page as page_module
from pilotfish.sidecar.channel.page import CounterPage, PageSnapshot, read_page
from pilotfish.sidecar.channel.page_reader import PageReader
from tests.support.lines import visit_lines

ROUTE = at.AT_SLOTS + at.FIRST_ROUTE * at.SLOT_WORDS
ACCEPTED = at.outcome_word("accepted")


def count(page: CounterPage) -> None:
    page.add(ROUTE + at.SLOT_CODES + at.CODES.index("2xx"), 3)
    page.add(ACCEPTED, 3)
    page.add(at.connection("accepted"), 2)
    page.add(at.connection("opaque_bytes_in"), 100)
    page.add(at.downgrade("tls"))


def live(path: Path) -> None:
    """Do all that a proxy does with its page."""
    page = CounterPage.open(path, now_ns=9)
    count(page)
    page.beat(10, 10)
    page.replace_route(ROUTE, "POST /y")
    count(page)
    page.close()


def totals(snapshot: PageSnapshot) -> tuple[int, ...]:
    """The sums of the counters that are exported."""
    codes = sum(sum(route.codes.values()) for route in snapshot.routes)
    connections = (snapshot.connections[name] for name in at.CONNECTIONS if name not in at.CONNECTION_GAUGES)
    return (codes, *snapshot.outcomes.values(), *snapshot.downgrades.values(), *connections)


def decreased(before: tuple[int, ...], after: tuple[int, ...]) -> list[int]:
    """The indices of the counters that decreased."""
    return [index for index, (old, new) in enumerate(zip(before, after, strict=True)) if new < old]


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A page that an earlier proxy left. Readers do not wait for the end of a group, as the writer waits for them."""
    monkeypatch.setattr(page_module, "ATTEMPTS", 1)
    path = tmp_path / "page"
    page = CounterPage.open(path, now_ns=5)
    page.replace_route(ROUTE, "POST /x")
    count(page)
    page.close()
    return path


def test_no_counter_decreases_at_any_moment_of_a_proxy_nor_after_a_kill_at_that_moment(path: Path) -> None:
    reader, killed, content = PageReader(path), path.with_name("killed"), b""
    found = [totals(reader.read())]

    def look() -> None:
        nonlocal content
        if (now := path.read_bytes()) == content:
            return
        content = now
        found.append(totals(reader.read()))
        assert decreased(*found[-2:]) == []
        killed.write_bytes(content)
        CounterPage.open(killed, now_ns=20).close()
        assert decreased(found[-1], totals(read_page(killed))) == []

    visit_lines(page_module, lambda: live(path), look)
    assert len(found) > 30
    assert found[-1] == tuple(3 * amount for amount in found[0])
    assert sorted(file.name for file in path.parent.iterdir()) == ["killed", "page"]  # no page was set aside


def occupy(path: Path) -> None:
    """Have exchanges in flight, across heartbeats and a replaced route."""
    page = CounterPage.open(path, now_ns=9)
    for now, step in ((1, 1), (2, 1), (3, -1), (5, 0), (8, -1)):
        page.words[at.AT_LOCK] += 1
        page.change_in_flight(ROUTE, step, now)
        page.words[at.AT_LOCK] += 1
        page.beat(now, now)
    page.replace_route(ROUTE, "POST /y")
    page.close()


def test_no_in_flight_time_falls_at_any_moment_of_a_proxy_nor_after_a_kill_at_that_moment(path: Path) -> None:
    reader, killed, content = PageReader(path), path.with_name("killed"), b""
    found = [0]

    def look() -> None:
        nonlocal content
        if (now := path.read_bytes()) == content:
            return
        content = now
        found.append(sum(route.in_flight_ns for route in reader.read().routes))
        assert found[-1] >= found[-2]
        killed.write_bytes(content)
        CounterPage.open(killed, now_ns=20).close()
        after = read_page(killed)
        assert sum(route.in_flight_ns for route in after.routes) >= found[-1]
        assert all(route.in_flight == 0 for route in after.routes)

    visit_lines(page_module, lambda: occupy(path), look)
    assert found[-1] == 1 + 2 + 5  # one from 1 to 2, two until 3, one until 8
