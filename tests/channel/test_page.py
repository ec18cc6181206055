"""The counter page: layout, restart, single writer, route slots, quantiles, and consistent copies."""

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.channel import layout as at
from pilotfish.sidecar.channel.page import CounterPage, LatencyHistogram, PageError, PageSnapshot, read_page, slot_name
from pilotfish.sidecar.errors import UsageError
from tests.support.examples import examples
from tests.support.limits import largest_file
from tests.support.sizes import size
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


@pytest.fixture
def sealed(path: Path) -> bytes:
    """The content of a page that a proxy left."""
    page = CounterPage.open(path, now_ns=5)
    slot = named(page, "POST /x")
    page.add(slot + at.SLOT_CODES + at.CODES.index("2xx"), 3)
    page.add(at.outcome_word("accepted"), 3)
    page.observe(slot + at.SLOT_DURATION, 10_001)
    page.add(slot + at.SLOT_BYTES_IN, 700)
    page.close()
    return path.read_bytes()


def counters(snapshot: PageSnapshot) -> PageSnapshot:
    """The snapshot without gauges, which a flipped bit may change until the next heartbeat."""
    routes = tuple(replace(route, in_flight=0) for route in snapshot.routes)
    connections = {name: snapshot.connections[name] for name in at.CONNECTIONS if name not in at.CONNECTION_GAUGES}
    counted = replace(snapshot, routes=routes, connections=connections)
    return replace(counted, heartbeat_ns=0, has_reader=False, draining_ns=0, captured_bytes=0, torn=False, read_ns=0)


def try_bits(path: Path, sealed: bytes, bits: Iterable[int]) -> None:
    whole = counters(read_page(path))
    for bit in bits:
        damaged = bytearray(sealed)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        try:
            assert counters(read_page(path)) == whole, f"bit {bit} changed a counter and is not reported"
        except PageError:
            page = CounterPage.open(path, now_ns=6)  # sets the page aside
            assert path.with_name("page.refused").read_bytes() == damaged
        else:
            page = CounterPage.open(path, now_ns=6)
        page.add(at.outcome_word("accepted"))
        page.close()
        assert read_page(path).accepted in (1, 4)


def test_a_flipped_bit_is_reported_or_changes_no_counter(path: Path, sealed: bytes) -> None:
    try_bits(path, sealed, [*range(0, at.AT_SLOTS * 64, 37), *range(at.AT_SLOTS * 64, at.SIZE * 8, 9001)])


@pytest.mark.long
@pytest.mark.timeout(3000)
def test_each_flipped_bit_is_reported_or_changes_no_counter(path: Path, sealed: bytes) -> None:
    try_bits(path, sealed, [*range(at.AT_SLOTS * 64), *range(at.AT_SLOTS * 64, at.SIZE * 8, size(501, 101))])


@pytest.mark.parametrize("length", [0, 1, 7, 8, 100, 4095, 4096, at.SIZE - 8, at.SIZE - 1, at.SIZE + 1, 1 << 40])
def test_a_page_that_was_cut_or_grown_is_set_aside(path: Path, sealed: bytes, length: int) -> None:
    os.truncate(path, length)
    if length < at.SIZE:
        with pytest.raises(PageError):
            read_page(path)
    else:
        assert read_page(path).accepted == 3
    CounterPage.open(path, now_ns=6).close()
    assert (read_page(path).accepted, path.stat().st_size) == (0, at.SIZE)
    assert path.with_name("page.refused").exists() == (length > 0)


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_what_is_no_page_is_set_aside_and_never_waited_for(path: Path, make: Callable[[Path], None]) -> None:
    make(path)
    with pytest.raises(PageError):
        read_page(path)
    CounterPage.open(path, now_ns=6).close()
    assert read_page(path).accepted == 0


def test_a_link_to_another_file_is_neither_read_nor_written(path: Path, sealed: bytes) -> None:
    target = path.with_name("target")
    path.rename(target)
    path.symlink_to(target)
    with pytest.raises(PageError):
        read_page(path)
    with pytest.raises(UsageError, match="symbolic link"):
        CounterPage.open(path, now_ns=6)
    assert target.read_bytes() == sealed


@pytest.mark.parametrize("word", [at.connection("accepted"), at.AT_SLOTS + at.SLOT_CODES])
def test_a_change_by_another_process_is_reported_until_the_proxy_starts_again(
    path: Path, word: int, caplog: pytest.LogCaptureFixture
) -> None:
    page = CounterPage.open(path, now_ns=5)
    page.add(word, 2)
    page.beat(6, 6)
    with path.open("r+b") as file:
        file.seek(8 * word)
        file.write((1000).to_bytes(8, "little"))
    with pytest.raises(PageError, match="checksum is wrong"):
        read_page(path)
    page.beat(7, 7)
    page.add(word)
    page.beat(8, 8)
    with pytest.raises(PageError, match="another process changed it; start the proxy again"):
        read_page(path)
    page.close()
    CounterPage.open(path, now_ns=9).close()
    assert read_page(path).accepted == 0
    assert len(caplog.records) == 2


def test_counting_between_two_seals_is_no_damage(path: Path) -> None:
    page = CounterPage.open(path, now_ns=5)
    for number in range(1, 50):
        page.add(at.outcome_word("accepted"))
        page.words[at.AT_READER] = number & 1  # a gauge: outside of the groups
        if number % 7 == 0:
            page.beat(number, number)
        assert read_page(path).accepted == number
    page.close()


def test_a_killed_writer_leaves_a_usable_page(path: Path) -> None:
    page = CounterPage.open(path, now_ns=5)
    page.add(at.outcome_word("accepted"), 3)
    page.beat(6, 6)
    page.words[at.AT_LOCK] += 1
    page.words[at.outcome_word("accepted")] += 1
    left = path.read_bytes()
    page.close()
    path.write_bytes(left)  # as a kill leaves it, without a last seal
    again = CounterPage.open(path, now_ns=9)
    again.add(at.outcome_word("accepted"))
    assert read_page(path).accepted == 5
    again.close()


@pytest.mark.parametrize("room", [0, 100, 4096])
def test_on_a_full_disk_the_proxy_counts_in_private_memory(
    path: Path, room: int, caplog: pytest.LogCaptureFixture
) -> None:
    with largest_file(room):
        page = CounterPage.open(path, now_ns=5)
    page.add(at.outcome_word("accepted"))
    page.beat(6, 6)
    page.close()
    assert "traffic is relayed and not measured" in caplog.text
    CounterPage.open(path, now_ns=7).close()
    assert read_page(path).accepted == 0


TRUNCATED = """
import os, sys
from pathlib import Path
from pilotfish.sidecar.channel.page import CounterPage
page = CounterPage.open(Path(sys.argv[1]), now_ns=1)
os.truncate(sys.argv[1], 0)
page.words[100] += 1
"""


def test_a_page_that_is_truncated_while_mapped_ends_the_writer_and_the_next_one_starts(path: Path) -> None:
    """Only this user and root can do this. The supervisor starts the proxy again; a reader copies and survives."""
    ended = subprocess.run([sys.executable, "-c", TRUNCATED, str(path)], check=False, timeout=patient(30))
    assert ended.returncode == -signal.SIGBUS
    with pytest.raises(PageError):
        read_page(path)
    CounterPage.open(path, now_ns=6).close()
    assert read_page(path).accepted == 0


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
    with suppress(PageError):
        read_page(path)
    page = CounterPage.open(path, now_ns=6)
    page.add(at.outcome_word("accepted"))
    page.observe(at.AT_SLOTS + at.SLOT_DURATION, 10_001)
    page.close()
    read_page(path)
