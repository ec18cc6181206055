"""Signals are the difference of two counter pages of one proxy."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.analyzer.sync import signals
from pilotfish.sidecar.analyzer.sync.labels import LabelCourier, Submit
from pilotfish.sidecar.analyzer.sync.signals import QuietTime, SignalSender, TimeShare, signals_of
from pilotfish.sidecar.analyzer.sync.transport import Transport
from pilotfish.sidecar.channel import layout
from pilotfish.sidecar.channel.page import LatencyHistogram, PageSnapshot, RouteCounters
from pilotfish.sidecar.errors import PilotfishError
from pilotfish.sidecar.sync.messages import MAX_SIGNALS_BYTES, Signals, decode, encode
from tests.analyzer.sync.pods import OPTIONS
from tests.support.examples import examples
from tests.telemetry.made import page

CODES = st.dictionaries(st.sampled_from(layout.CODES), st.integers(0, 10**6))
ROUTES = st.dictionaries(st.sampled_from(["a", "b", "c"]), CODES, max_size=3)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> PageSnapshot:
    return replace(page(Path(tmp_path_factory.mktemp("page")) / "page"), routes=())


def with_routes(found: PageSnapshot, routes: Mapping[str, Mapping[str, int]], bucket: int = 3) -> PageSnapshot:
    def route(name: str, codes: Mapping[str, int]) -> RouteCounters:
        every = {code: codes.get(code, 0) for code in layout.CODES}
        counts = [0] * (len(layout.BOUNDS) + 1)
        counts[bucket] = sum(every.values())
        histograms = {"duration": LatencyHistogram(tuple(counts), 0)}
        return RouteCounters(name, every, (0,) * layout.GRPC_CODES, 0, 0, 2, histograms)

    return replace(found, routes=tuple(route(name, codes) for name, codes in routes.items()))


def test_rates_errors_and_latency_are_those_of_the_interval(empty: PageSnapshot) -> None:
    before = with_routes(empty, {"a": {"2xx": 100, "5xx": 7}})
    now = with_routes(empty, {"a": {"2xx": 140, "5xx": 12, "none": 5}, "b": {"2xx": 10}})
    found = signals_of(OPTIONS, before, now, 5.0, 1.7e9)
    assert found.requests_per_second == pytest.approx((40 + 5 + 5 + 10) / 5)
    assert found.errors_per_second == pytest.approx(10 / 5)
    assert found.in_flight == 4
    assert found.latency_p50 == found.latency_p99 == layout.BOUNDS[3] / 1e9


def test_the_concurrency_is_the_mean_over_the_interval_and_not_that_of_its_end(empty: PageSnapshot) -> None:
    def at(seconds: float, busy: float, probes: float) -> PageSnapshot:
        named = with_routes(empty, {"a": {"2xx": 1}, "probes": {"2xx": 1}})
        times = (int(busy * 1e9), int(probes * 1e9))
        routes = tuple(
            replace(route, in_flight=0, in_flight_ns=spent) for route, spent in zip(named.routes, times, strict=True)
        )
        return replace(named, routes=routes, read_ns=int(seconds * 1e9))

    found = signals_of(OPTIONS, at(10.0, 7.0, 0.0), at(15.0, 22.0, 4.0), 5.0, 1.7e9)
    assert (found.concurrency, found.in_flight) == (3.0, 0)
    assert signals_of(OPTIONS, None, at(15.0, 22.0, 4.0), 5.0, 1.7e9).concurrency is None


def test_without_a_proxy_or_after_its_restart_there_is_no_rate(empty: PageSnapshot) -> None:
    now = with_routes(empty, {"a": {"2xx": 140}})
    other = replace(now, epoch=now.epoch + 1)
    for before, after in ((None, None), (now, None), (None, now), (other, now)):
        found = signals_of(OPTIONS, before, after, 5.0, 1.7e9)
        assert (found.requests_per_second, found.latency_p99) == (0.0, 0.0)
        assert found.in_flight == (2 if after else 0)


@given(ROUTES, ROUTES, st.floats(-1, 1e6))
@settings(max_examples=examples(100), deadline=None)
def test_any_two_pages_give_numbers_that_are_not_negative(
    empty: PageSnapshot, one: dict[str, dict[str, int]], other: dict[str, dict[str, int]], seconds: float
) -> None:
    found = signals_of(OPTIONS, with_routes(empty, one), with_routes(empty, other), seconds, 1.7e9)
    assert min(found.requests_per_second, found.errors_per_second, found.latency_p50, found.latency_p99) >= 0
    assert found.errors_per_second <= found.requests_per_second
    assert len(encode(found)) <= MAX_SIGNALS_BYTES


def test_probes_are_no_load(empty: PageSnapshot) -> None:
    before = with_routes(empty, {"probes": {"2xx": 1}})
    now = with_routes(empty, {"probes": {"2xx": 100, "5xx": 9}, "a": {"2xx": 5}})
    found = signals_of(OPTIONS, before, now, 5.0, 1.7e9)
    assert (found.requests_per_second, found.errors_per_second, found.in_flight) == (1.0, 0.0, 2)


def idle(found: PageSnapshot, requests: int, probes: int, **connections: int) -> PageSnapshot:
    made = with_routes(found, {"a": {"2xx": requests}, "probes": {"2xx": probes}})
    routes = tuple(replace(route, in_flight=0) for route in made.routes)
    return replace(made, routes=routes, connections={**made.connections, **connections})


def test_the_quiet_time_ends_with_a_request_with_unparsed_bytes_and_with_another_proxy(empty: PageSnapshot) -> None:
    busy = with_routes(empty, {"a": {"2xx": 7}})  # in flight
    restarted = replace(idle(empty, 7, 9), epoch=empty.epoch + 1)
    opaque = idle(restarted, 7, 9, opaque_bytes_in=1)
    steps = [
        (idle(empty, 5, 0), 0.0), (idle(empty, 5, 3), 5.0), (idle(empty, 5, 9), 10.0), (idle(empty, 6, 9), 0.0),
        (idle(empty, 6, 9), 5.0), (busy, 0.0), (busy, 0.0), (None, 0.0), (idle(empty, 7, 9), 0.0),
        (idle(empty, 7, 9), 5.0), (restarted, 0.0), (restarted, 5.0), (opaque, 0.0), (opaque, 5.0),
    ]  # fmt: skip
    quiet = QuietTime()
    assert [quiet.update(page, 1.7e9 + 5 * step) for step, (page, _) in enumerate(steps)] == [one for _, one in steps]
    assert quiet.update(opaque, 1.6e9) == 0.0  # the clock was set back


SECOND = 10**9


@pytest.mark.parametrize(
    ("samples", "share"),
    [
        ([(SECOND, 0), (2 * SECOND, 5 * SECOND)], 0.2),
        ([(0, 0), (40 * SECOND, 5 * SECOND)], 1.0),  # eight CPUs were stopped
        ([(2 * SECOND, 0), (SECOND, 5 * SECOND)], 0.0),  # another container began
        ([None, (SECOND, 5 * SECOND)], None),
        ([(SECOND, 0), None], None),
        ([(0, 0), (SECOND, 5 * SECOND), None, (2 * SECOND, 9 * SECOND)], None),  # the source changed
    ],
)
def test_throttling_is_the_share_of_the_time_between_two_samples(
    samples: list[tuple[int, int] | None], share: float | None
) -> None:
    throttled = TimeShare()
    assert [throttled.update(sample) for sample in samples][-1] == share


@given(st.lists(st.integers(1, 4), min_size=2, max_size=9), st.integers(1, 30))
@settings(max_examples=examples(50), deadline=None)
def test_looks_without_a_new_sample_do_not_change_the_share(looks: list[int], seconds: int) -> None:
    throttled = TimeShare()
    shares = [
        throttled.update((number * seconds * SECOND // 4, number * seconds * SECOND))
        for number, times in enumerate(looks)
        for _ in range(times)
    ]
    assert shares[looks[0] :] == pytest.approx([0.25] * sum(looks[1:]))


class Times:
    """What is known of a model server: a second more of throttling, and two of its GPU's four, with each look."""

    def __init__(self) -> None:
        self.looks = 0

    def throttled(self) -> tuple[int, int] | None:
        self.looks += 1
        return self.looks * SECOND, self.looks * 4 * SECOND

    def gpu_time(self) -> tuple[int, int] | None:
        return self.looks * 2 * SECOND, self.looks * 4 * SECOND


class Recording:
    """A controller that keeps the first signals, and then ends the sender."""

    def __init__(self) -> None:
        self.taken: list[Signals] = []

    async def signals(self, raw: bytes) -> bytes:
        if self.taken:
            raise asyncio.CancelledError
        self.taken.append(decode(raw, Signals))
        return b""


@pytest.mark.asyncio
async def test_throttling_and_the_time_of_gpus_are_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signals, "SIGNAL_SECONDS", 0.0)
    recording = Recording()
    controller = cast("Transport", recording)
    courier = LabelCourier(OPTIONS, controller, cast("Submit", None))
    with pytest.raises(asyncio.CancelledError):
        await SignalSender(OPTIONS, controller, courier, lambda: None, time.time, Random(), Times()).run()
    (sent,) = recording.taken
    assert (sent.throttled, sent.gpu_busy) == (0.25, 0.5)


class Unreachable:
    """A controller that refuses signals until `problem` is empty, and then ends the sender."""

    def __init__(self, *problems: str) -> None:
        self.problems = list(problems)

    async def signals(self, _: bytes) -> bytes:
        if not self.problems:
            raise asyncio.CancelledError
        if problem := self.problems.pop(0):
            raise PilotfishError(problem)
        return b""


@pytest.mark.asyncio
async def test_signals_that_do_not_arrive_are_logged_at_the_begin_and_the_end(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "pilotfish.sync")
    monkeypatch.setattr(signals, "SIGNAL_SECONDS", 0.0)
    controller = cast("Transport", Unreachable("status 413", "status 413", "", ""))
    courier = LabelCourier(OPTIONS, controller, cast("Submit", None))
    sender = SignalSender(OPTIONS, controller, courier, lambda: None, time.time, Random(), Times())
    with pytest.raises(asyncio.CancelledError):
        await sender.run()
    assert caplog.messages == [
        "the controller does not get the load of this pod, so it is not scaled by it: status 413",
        "the controller gets the load of this pod again",
    ]
