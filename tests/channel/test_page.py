"""The counter page: layout, restart, single writer, route slots, quantiles, and consistent copies."""

import multiprocessing
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.channel import layout as at
from pilotfish.sidecar.channel.page import CounterPage, LatencyHistogram, PageError, read_page, slot_name
from tests.support.examples import examples
from tests.support.waiting import patient


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "page"


def named(page: CounterPage, route: str) -> int:
    """Give the first slot to a route and return its first word."""
    page.replace_route(page.route_slots()[0], route)
    return page.routes()[slot_name(route)]


def test_layout_names_are_unique_and_buckets_span_the_documented_range() -> None:
    for names in (at.CONNECTIONS, at.DOWNGRADES, at.OUTCOMES, at.CODES, at.HISTOGRAMS):
        assert len(set(names)) == len(names)
    assert (at.BOUNDS[0], at.BOUNDS[-1]) == (10_000, 100_000_000_000)
    assert list(at.BOUNDS) == sorted(set(at.BOUNDS))


def test_counters_are_read_back(path: Path) -> None:
    page = CounterPage.open(path, now_ns=5)
    slot = named(page, "POST /x")
    page.add(slot + at.SLOT_CODES + at.CODES.index("2xx"), 3)
    page.add(at.outcome_word("dropped", "channel_full"))
    page.observe(slot + at.SLOT_DURATION, 10_001)
    snapshot = read_page(path)
    route = next(route for route in snapshot.routes if route.route == "POST /x")
    assert (route.codes["2xx"], snapshot.outcomes["dropped", "channel_full"]) == (3, 1)
    assert route.histograms["duration"].counts[1] == 1
    assert route.histograms["duration"].sum_ns == 10_001
    assert {r.route for r in snapshot.routes} == {"probes", "POST /x", "other"}
    page.close()


def test_next_proxy_continues_counters_and_resets_gauges(path: Path) -> None:
    first = CounterPage.open(path, now_ns=5)
    slot = named(first, "POST /x")
    first.add(slot + at.SLOT_IN_FLIGHT, 2)
    first.add(slot + at.SLOT_BYTES_IN, 7)
    first.add(at.connection("open"), 4)
    first.words[at.AT_LOCK] += 1  # killed inside a group
    epoch = first.words[at.AT_EPOCH]
    first.close()
    second = CounterPage.open(path, now_ns=3)
    snapshot = read_page(path)
    route = next(route for route in snapshot.routes if route.route == "POST /x")
    assert (route.bytes_in, route.in_flight, snapshot.connections["open"]) == (7, 0, 0)
    assert snapshot.epoch > epoch
    assert second.routes() == {"POST /x": slot}
    second.close()


def test_second_writer_is_rejected(path: Path) -> None:
    page = CounterPage.open(path, now_ns=5)
    with pytest.raises(PageError, match="another proxy"):
        CounterPage.open(path, now_ns=6)
    page.close()


@pytest.mark.parametrize("content", [b"", b"short", bytes(at.SIZE), b"x" * at.SIZE])
def test_invalid_page_is_rejected_by_readers_and_replaced_by_a_writer(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(PageError, match="--shared"):
        read_page(path)
    CounterPage.open(path, now_ns=1).close()
    assert read_page(path).accepted == 0


def test_counters_of_a_replaced_route_are_added_to_other(path: Path) -> None:
    page = CounterPage.open(path, now_ns=1)
    for route, gone in (("GET /a", 3), ("GET /b", 4)):
        slot = named(page, route)
        page.add(slot + at.SLOT_CODES + at.CODES.index("2xx"), gone)
        page.observe(slot + at.SLOT_DURATION, 10_001)
    named(page, "GET /c")
    routes = {route.route: route for route in read_page(path).routes}
    assert set(routes) == {"probes", "GET /c", "other"}
    assert (routes["GET /c"].codes["2xx"], routes["GET /c"].histograms["duration"].total) == (0, 0)
    assert (routes["other"].codes["2xx"], routes["other"].histograms["duration"].total) == (7, 2)
    assert page.words[at.AT_LOCK] % 2 == 0
    page.close()


def test_long_route_names_are_truncated_between_characters(path: Path) -> None:
    page = CounterPage.open(path, now_ns=1)
    named(page, "GET /" + "é" * 200)
    page.close()
    (route,) = [r.route for r in read_page(path).routes if r.route.startswith("GET")]
    assert route == "GET /" + "é" * 61


@given(st.lists(st.integers(0, 10**12), min_size=1), st.floats(0, 1))
def test_quantile_bounds_the_value_at_its_rank(values: list[int], q: float) -> None:
    counts = [0] * at.BUCKETS
    for value in values:
        counts[next((i for i, bound in enumerate(at.BOUNDS) if value <= bound), len(at.BOUNDS))] += 1
    bound = LatencyHistogram(tuple(counts), sum(values)).quantile(q)
    exact = sorted(values)[max(0, -int(-q * len(values) // 1) - 1)]
    assert bound is not None
    assert bound * 1e9 >= min(exact, at.BOUNDS[-1]) - 1


def _count_pairs(path: Path, started: Event, stop: Event) -> None:
    page = CounterPage.open(path, now_ns=1)
    started.set()
    words, first, second = page.words, at.outcome_word("accepted"), at.outcome_word("sampled_out", "rate")
    while not stop.is_set():
        for _ in range(1000):
            words[at.AT_LOCK] += 1
            words[first] += 1
            words[second] += 1
            words[at.AT_LOCK] += 1
            sum(range(2000))  # other work of an exchange; without it, no copy would ever fall between two groups


def test_reader_in_another_process_never_reads_half_a_group(path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    started, stop = context.Event(), context.Event()
    writer = context.Process(target=_count_pairs, args=(path, started, stop))
    writer.start()
    try:
        assert started.wait(patient(20))
        for _ in range(300):
            outcomes = read_page(path).outcomes
            assert outcomes["accepted", ""] == outcomes["sampled_out", "rate"]
    finally:
        stop.set()
        writer.join(patient(20))
    assert writer.exitcode == 0
    assert outcomes["accepted", ""] > 0


@pytest.mark.parametrize("word", [at.AT_EPOCH, at.AT_LOCK, at.connection("accepted"), at.AT_SLOTS + at.SLOT_CODES])
@pytest.mark.parametrize("number", [2**63, 2**64 - 1])
def test_a_damaged_page_is_set_aside_and_counted_on(
    path: Path, word: int, number: int, caplog: pytest.LogCaptureFixture
) -> None:
    CounterPage.open(path, now_ns=5).close()
    raw = bytearray(path.read_bytes())
    raw[8 * word : 8 * word + 8] = number.to_bytes(8, "little")
    path.write_bytes(raw)
    page = CounterPage.open(path, now_ns=6)
    page.add(at.connection("accepted"))
    page.close()
    assert "page.refused" in caplog.text
    assert path.with_name("page.refused").read_bytes() == raw
    assert read_page(path).connections["accepted"] == 1
    CounterPage.open(path, now_ns=7).close()
    assert len(caplog.records) == 1


@settings(max_examples=examples(100), deadline=None)
@given(place=st.integers(16, at.SIZE - 1), content=st.binary(min_size=1, max_size=200))
def test_no_bytes_in_a_page_stop_reader_or_writer(
    place: int, content: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("damaged") / "page"
    CounterPage.open(path, now_ns=5).close()
    raw = bytearray(path.read_bytes())
    raw[place : place + len(content)] = content[: at.SIZE - place]
    path.write_bytes(raw)
    read_page(path)
    page = CounterPage.open(path, now_ns=6)
    page.add(at.outcome_word("accepted"))
    page.observe(at.AT_SLOTS + at.SLOT_DURATION, 10_001)
    page.close()
    read_page(path)
