"""Sends the load of this pod to the controller every few seconds, from the counter page of the proxy.

A request that fails is not repeated, because the next one has newer numbers. The responses deliver labels.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from random import Random
from typing import Protocol

import msgspec

from ...channel import layout
from ...channel.in_flight import mean_in_flight
from ...channel.page import LatencyHistogram, PageSnapshot, RouteCounters
from ...errors import PilotfishError
from ...sync.messages import Signals, encode
from .labels import LabelCourier
from .options import SyncOptions
from .transport import Transport

_LOG = logging.getLogger("pilotfish.sync")

SIGNAL_SECONDS = 5.0
ERRORS = ("5xx", "none")


class ModelTimes(Protocol):
    """What is known of the model server; each returns what `TimeShare` takes, None if it is not known."""

    def throttled(self) -> tuple[int, int] | None: ...
    def gpu_time(self) -> tuple[int, int] | None: ...


class SignalSender:
    """Sends Signals until cancelled, and passes the responses on to `courier`.

    `now` returns epoch seconds, and `read` the counter page, None without a proxy.
    """

    def __init__(
        self,
        options: SyncOptions,
        transport: Transport,
        courier: LabelCourier,
        read: Callable[[], PageSnapshot | None],
        now: Callable[[], float],
        random: Random,
        times: ModelTimes,
    ) -> None:
        self._options = options
        self._transport = transport
        self._courier = courier
        self._read = read
        self._now = now
        self._random = random
        self._times = times
        self._problem = ""

    async def run(self) -> None:
        """Send the signals of each interval; the first one begins at a random time."""
        await asyncio.sleep(self._random.uniform(0.0, SIGNAL_SECONDS))
        quiet, throttled, busy = QuietTime(), TimeShare(), TimeShare()
        before, begun = self._read(), self._now()
        quiet.update(before, begun)
        throttled.update(self._times.throttled())
        busy.update(self._times.gpu_time())
        while True:
            await asyncio.sleep(SIGNAL_SECONDS)
            page, now = self._read(), self._now()
            found = signals_of(self._options, before, page, now - begun, now)
            signals = msgspec.structs.replace(
                found,
                quiet=quiet.update(page, now),
                throttled=throttled.update(self._times.throttled()),
                gpu_busy=busy.update(self._times.gpu_time()),
            )
            before, begun = page, now
            try:
                self._courier.offer(await self._transport.signals(encode(signals)))
                self._report("")
            except PilotfishError as error:
                self._report(str(error))
            except Exception:  # a defect here must not end the analyzer
                _LOG.exception("cannot send signals; this is a defect, please report it")

    def _report(self, problem: str) -> None:
        """Log that signals do not arrive when this begins, and its end."""
        if problem and not self._problem:
            _LOG.warning("the controller does not get the load of this pod, so it is not scaled by it: %s", problem)
        elif self._problem and not problem:
            _LOG.info("the controller gets the load of this pod again")
        self._problem = problem


class TimeShare:
    """The share of a time in which something happened, between the newest samples of two looks.

    It serves for the time in which the CPU limit stopped the model, and for that in which a kernel ran on its GPUs.
    Samples can come less often than looks, as with many pods on a node: a look without a new one changes nothing.
    """

    def __init__(self) -> None:
        self._before: tuple[int, int] | None = None
        self._share: float | None = None

    def update(self, sample: tuple[int, int] | None) -> float | None:
        """Return the share, None where it is not known.

        `sample` has for how many nanoseconds it happened so far, and the time in nanoseconds. For the CPU limit, the
        kernel adds up the CPUs, so that the first can exceed the second.
        """
        before, self._before = self._before, sample
        if before is None or sample is None:
            self._share = None
        elif sample[1] > before[1]:
            self._share = min(1.0, max(0, sample[0] - before[0]) / (sample[1] - before[1]))
        return self._share


class QuietTime:
    """For how long the proxy has seen nothing but probes. Bytes that are not parsed count as requests."""

    def __init__(self) -> None:
        self._seen: tuple[int, ...] | None = None
        self._since = 0.0

    def update(self, page: PageSnapshot | None, now: float) -> float:
        """Return the seconds until `now`, in epoch seconds; 0 without a proxy, and while a request is in flight."""
        if page is None:
            self._seen = None
            return 0.0
        routes = _measured(page)
        requests = sum(sum(route.codes.values()) for route in routes)
        opaque = (page.connections[name] for name in ("opaque", "opaque_bytes_in", "opaque_bytes_out"))
        seen = (page.epoch, requests, *opaque)
        if seen != self._seen or now < self._since or any(route.in_flight for route in routes):
            self._seen, self._since = seen, now
        return now - self._since


def _measured(page: PageSnapshot) -> list[RouteCounters]:
    """Return the routes of all requests but probes."""
    return [route for route in page.routes if route.route != layout.PROBES_ROUTE]


def signals_of(
    options: SyncOptions, before: PageSnapshot | None, page: PageSnapshot | None, seconds: float, now: float
) -> Signals:
    """Return the signals of the last `seconds`: the difference of two pages of the same proxy, else no load.

    Probes are no load. `QuietTime` has the field `quiet`, and `TimeShare` the fields `throttled` and `gpu_busy`.
    """
    found = Signals(pod=options.pod, monitor=options.monitor, at=now)
    if page is None:
        return found
    routes = _measured(page)
    in_flight = sum(route.in_flight for route in routes)
    concurrency = mean_in_flight(before, page) if before is not None else None
    if before is None or before.epoch != page.epoch or seconds <= 0:
        return Signals(pod=options.pod, monitor=options.monitor, at=now, in_flight=in_flight, concurrency=concurrency)
    earlier = {route.route: route for route in before.routes}
    requests = errors = 0
    for route in routes:
        grown = _grown(route, earlier.get(route.route))
        requests += sum(grown.values())
        errors += sum(grown[code] for code in ERRORS)
    durations = _durations(routes, earlier)
    return Signals(
        pod=options.pod,
        monitor=options.monitor,
        at=now,
        in_flight=in_flight,
        concurrency=concurrency,
        requests_per_second=requests / seconds,
        errors_per_second=errors / seconds,
        latency_p50=durations.quantile(0.5) or 0.0,
        latency_p95=durations.quantile(0.95) or 0.0,
        latency_p99=durations.quantile(0.99) or 0.0,
    )


def _grown(route: RouteCounters, earlier: RouteCounters | None) -> dict[str, int]:
    """Return the exchanges of a route by code since `earlier`; a route that replaced another one began at zero."""
    found = {code: route.codes[code] - (earlier.codes[code] if earlier else 0) for code in layout.CODES}
    return found if min(found.values()) >= 0 else dict(route.codes)


def _durations(routes: Sequence[RouteCounters], earlier: dict[str, RouteCounters]) -> LatencyHistogram:
    """Return the durations of all routes since `earlier`."""
    total = [0] * (len(layout.BOUNDS) + 1)
    for route in routes:
        now = route.histograms["duration"].counts
        known = earlier.get(route.route)
        then = known.histograms["duration"].counts if known else (0,) * len(now)
        for index, (count, past) in enumerate(zip(now, then, strict=True)):
            total[index] += max(0, count - past)
    return LatencyHistogram(tuple(total), 0)
