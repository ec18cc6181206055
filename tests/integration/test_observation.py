"""Recording and counting at their limits: rates, budgets, body limits, event streams, probes, route slots."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from pilotfish.sidecar.channel.record import EVENT_STREAM, REQUEST_TRUNCATED, RESPONSE_TRUNCATED
from tests.integration.case import answer, bare, chunked, head, post
from tests.integration.cases_http import TE
from tests.integration.conftest import Harness
from tests.integration.process import running_proxy, seen
from tests.integration.reader import reading
from tests.integration.wire import connected, listening
from tests.support.waiting import wait_until

MIB = 1 << 20
STREAM_BEGIN, STREAM_END = 4 * 1024, 8 * 1024


@contextmanager
def observed(tmp_path: Path, settings: str) -> Iterator[Harness]:
    """Run a proxy with the given settings, a scripted server and a reader."""
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "proxy.json").write_text(settings)
    with listening() as listener, reading(shared) as reader, running_proxy(listener.getsockname(), shared) as proxy:
        wait_until(lambda: reader.hellos, what="the handshake")
        yield Harness(listener, proxy, reader)


def records(harness: Harness, count: int) -> None:
    """Wait until exactly `count` records have arrived."""
    wait_until(lambda: len(harness.reader.records) >= count, what=f"{count} records")
    assert len(harness.reader.records) == count


def test_bodies_beyond_the_limit_are_truncated_and_flagged(tmp_path: Path) -> None:
    with (
        observed(tmp_path, '{"bodyLimit": 1000}') as harness,
        connected(harness.listener, harness.proxy.address) as wire,
    ):
        wire.up(post(b"u" * 1000))
        wire.down(answer(b"d" * 1001))
        wire.up(bare(b"POST", TE) + chunked(b"u" * 600, b"v" * 600))
        wire.down(answer(b"d"))
        wire.end()
        records(harness, 2)
        first, second = harness.reader.records
    assert (first.flags, first.request_bytes, first.response_bytes) == (RESPONSE_TRUNCATED, 1000, 1001)
    assert (first.request_body, first.response_body) == (b"u" * 1000, b"d" * 1001), "a response has its end, too"
    assert (second.flags, second.request_bytes, second.response_bytes) == (REQUEST_TRUNCATED, 1200, 1)
    assert second.request_body == b"u" * 600 + b"v" * 400


def test_event_streams_are_recorded_with_their_beginning_and_end(tmp_path: Path) -> None:
    events = [b"data: %06d\n\n" % number for number in range(10_000)]
    whole = b"".join(events)
    with observed(tmp_path, "{}") as harness, connected(harness.listener, harness.proxy.address) as wire:
        wire.up(post(b"prompt"))
        wire.down(head(b"200 OK", b"Content-Type: text/event-stream; charset=utf-8", TE))
        for at in range(0, len(events), 100):
            part = b"".join(events[at : at + 100])
            wire.down(b"%x\r\n" % len(part) + part + b"\r\n")
        wire.down(b"0\r\n\r\n")
        wire.end()
        records(harness, 1)
        record = harness.reader.records[0]
        route = next(route for route in harness.proxy.page().routes if route.route.startswith("POST"))
    assert record.flags == EVENT_STREAM | RESPONSE_TRUNCATED
    assert record.response_bytes == len(whole)
    assert record.response_body == whole[:STREAM_BEGIN] + whole[-STREAM_END:]
    assert route.histograms["first_event"].total == 1
    assert 1 <= route.histograms["event_gap"].total <= 100


@pytest.mark.parametrize(
    ("last", "fate"), [(b"data: [DONE]\n\n", "recorded"), (b"data: 2\n\n", "aborted")], ids=["done", "not done"]
)
def test_a_client_that_leaves_at_the_last_event_of_a_stream_is_recorded(tmp_path: Path, last: bytes, fate: str) -> None:
    with observed(tmp_path, "{}") as harness, connected(harness.listener, harness.proxy.address) as wire:
        wire.up(post(b"prompt"))
        wire.down(head(b"200 OK", b"Content-Type: text/event-stream", TE))
        for event in (b"data: 1\n\n", last):
            wire.down(b"%x\r\n" % len(event) + event + b"\r\n")
        wire.client.close()  # as some clients do, before the empty chunk that ends the response
        assert wire.server.recv(1) == b""
        wire.server.close()  # as some servers do then
        if fate == "recorded":
            records(harness, 1)
            assert harness.reader.records[0].response_body == b"data: 1\n\n" + last
        else:
            wait_until(lambda: harness.proxy.page().outcomes["dropped", "aborted"], what="the end of the exchange")
            assert not harness.reader.records


def test_captured_bodies_share_one_budget(tmp_path: Path) -> None:
    body = bytes(MIB)
    with observed(tmp_path, "{}") as harness, ExitStack() as stack:
        wires = [stack.enter_context(connected(harness.listener, harness.proxy.address)) for _ in range(12)]
        for wire in wires:
            wire.up(post(body)[:-1])
        for wire in wires:
            wire.up(body[-1:])
            wire.down(answer(b"ok"))
            wire.end()
        wait_until(lambda: seen(harness.proxy.page()) == 12, what="all exchanges to be counted")
        outcomes = harness.proxy.page().outcomes
        assert outcomes["dropped", "capture_budget"] == 4
        queued = outcomes["accepted", ""] + outcomes["dropped", "channel_full"]
        assert queued == 8
        records(harness, outcomes["accepted", ""])
        with connected(harness.listener, harness.proxy.address) as wire:
            wire.up(post(body))
            wire.down(answer(b"the budget is free again"))
            wire.end()
        wait_until(lambda: harness.proxy.page().accepted == outcomes["accepted", ""] + 1, what="the next record")


def test_settings_are_in_force_when_the_reader_is_connected(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    with listening() as listener, running_proxy(listener.getsockname(), shared) as proxy:
        (shared / "proxy.json").write_text('{"maxRecordsPerSecond": 0}')
        with reading(shared) as reader:
            wait_until(lambda: reader.hellos, what="the handshake")
            with connected(listener, proxy.address) as wire:
                wire.up(post(b"x"))
                wire.down(answer(b"y"))
                wire.end()
            wait_until(lambda: seen(proxy.page()) == 1, what="the exchange to be counted")
            assert proxy.page().outcomes["sampled_out", "rate"] == 1


def test_rate_bounds_the_records(tmp_path: Path) -> None:
    with (
        observed(tmp_path, '{"maxRecordsPerSecond": 20}') as harness,
        connected(harness.listener, harness.proxy.address) as wire,
    ):
        for _ in range(500):
            wire.up(post(b"x"))
            wire.down(answer(b"y"))
        wire.end()
        wait_until(lambda: seen(harness.proxy.page()) == 500, what="all exchanges to be counted")
        page = harness.proxy.page()
        records(harness, page.accepted)
        span = (harness.reader.records[-1].at_ns - harness.reader.records[0].at_ns) / 1e9
    assert 1 <= page.accepted <= 20 * span + 20 * 0.1 + 2
    assert page.outcomes["sampled_out", "rate"] == 500 - page.accepted


def test_probes_are_counted_separately_and_never_recorded(tmp_path: Path) -> None:
    with (
        observed(tmp_path, '{"probes": ["/v1/ping"]}') as harness,
        connected(harness.listener, harness.proxy.address) as wire,
    ):
        for request in (
            post(b"x", path=b"/v1/ping"),
            bare(b"GET", b"User-Agent: kube-probe/1.33", path=b"/any"),
            bare(b"GET", path=b"/v1/ping?deep=1"),
        ):
            wire.up(request)
            wire.down(answer(b"pong"))
        wire.up(post(b"x"))
        wire.down(answer(b"y"))
        wire.end()
        records(harness, 1)
        page = harness.proxy.page()
    probes = next(route for route in page.routes if route.route == "probes")
    assert probes.codes["2xx"] == page.outcomes["sampled_out", "route"] == 3
    assert page.accepted == 1


@pytest.mark.long
def test_times_are_taken_when_bytes_arrive(tmp_path: Path) -> None:
    with observed(tmp_path, "{}") as harness, connected(harness.listener, harness.proxy.address) as wire:
        wire.up(post(b"x" * 100)[:-50])
        first = wait_two_heartbeats(harness.proxy.page().heartbeat_ns, harness)
        wire.up(b"x" * 50)
        wire.down(answer(b"y" * 100)[:-50])
        wait_two_heartbeats(first, harness)
        wire.down(b"y" * 50)
        wire.end()
        records(harness, 1)
        record = harness.reader.records[0]
    assert record.first_byte_ns >= 400_000_000
    assert record.duration_ns - record.first_byte_ns >= 400_000_000


def wait_two_heartbeats(heartbeat: int, harness: Harness) -> int:
    """Wait for two more of the proxy's half-second heartbeats; return the time of the last one."""
    wait_until(lambda: harness.proxy.page().heartbeat_ns >= heartbeat + 900_000_000, what="two heartbeats")
    return harness.proxy.page().heartbeat_ns


def test_routes_beyond_the_slots_are_counted_as_other(tmp_path: Path) -> None:
    with (
        observed(tmp_path, '{"routes": ["/custom/{anything}/x"]}') as harness,
        connected(harness.listener, harness.proxy.address) as wire,
    ):
        for number in range(100):
            letters = bytes((97 + number // 26, 97 + number % 26))
            for path in (b"/custom/m%d/x" % number, b"/models/%d/predict" % number, b"/only/" + letters):
                wire.up(post(b"x", path=path))
                wire.down(answer(b"y"))
        wire.end()
        wait_until(lambda: seen(harness.proxy.page()) == 300, what="all exchanges to be counted")
        routes = {route.route: sum(route.codes.values()) for route in harness.proxy.page().routes}
    assert routes["POST /custom/{anything}/x"] == 100
    assert routes["POST /models/{number}/predict"] == 100
    assert sum(routes.values()) == 300
    assert routes["other"] > 0
