"""Convert the counter page to metrics: traffic by route, connections, and the outcome of every exchange.

The page is a copy, so all its counters describe one moment.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate

from prometheus_client.core import HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Family

from ..channel import layout
from ..channel.page import LatencyHistogram, PageSnapshot, RouteCounters
from ..report.accounting import QUEUED, account_exchanges
from . import names
from .scrape import ScrapeInput

BUCKET_STEP = 2  # the page has eight bounds per decade; expose four
HEARTBEAT_TIMEOUT_SECONDS = 10.0  # without a heartbeat for this time, the proxy counts as down
EXPOSED = tuple(range(0, len(layout.BOUNDS), BUCKET_STEP))
LABELS = tuple(str(layout.BOUNDS[index] / 1e9) for index in EXPOSED)
HISTOGRAMS = {
    "duration": names.DURATION,
    "event_gap": names.EVENT_GAP,
    "first_event": names.FIRST_EVENT,
    "time_to_first_byte": names.FIRST_BYTE,
}


def collect(reading: ScrapeInput) -> Iterator[Family]:
    """Yield the families of the page; only `pilotfish_proxy_up` without a page."""
    up = names.PROXY_UP.gauge()
    page = reading.page
    up.add_metric((), float(page is not None and reading.now - page.heartbeat_ns / 1e9 < HEARTBEAT_TIMEOUT_SECONDS))
    yield up
    if page is not None:
        started = names.PROXY_START.gauge()
        started.add_metric((), page.started_ns / 1e9)
        yield started
        for metric, value in (
            (names.UPSTREAMS_UNREACHABLE, page.connections["upstreams_unreachable"]),
            (names.CAPTURED_BYTES, page.captured_bytes),
            (names.READER_CONNECTED, int(page.has_reader)),
        ):
            gauge = metric.gauge()
            gauge.add_metric((), value)
            yield gauge
        yield from _routes(page.routes)
        yield from _connections(page)
        yield from _accounting(reading, page)


def _routes(routes: tuple[RouteCounters, ...]) -> Iterator[Family]:
    requests, in_flight = names.REQUESTS.counter(), names.IN_FLIGHT.gauge()
    received, answered = names.REQUEST_BYTES.counter(), names.RESPONSE_BYTES.counter()
    for route in routes:
        for code, amount in route.codes.items():
            if amount:
                requests.add_metric((route.route, code), amount)
        in_flight.add_metric((route.route,), route.in_flight)
        received.add_metric((route.route,), route.bytes_in)
        answered.add_metric((route.route,), route.bytes_out)
    yield from (requests, in_flight, received, answered)
    for name, metric in HISTOGRAMS.items():
        family = metric.histogram()
        for route in routes:
            if route.histograms[name].total or metric is names.DURATION:
                _add_histogram(family, route.route, route.histograms[name])
        yield family


def _add_histogram(family: HistogramMetricFamily, route: str, histogram: LatencyHistogram) -> None:
    cumulative = tuple(accumulate(histogram.counts))
    buckets = [(label, cumulative[index]) for label, index in zip(LABELS, EXPOSED, strict=True)]
    family.add_metric((route,), [*buckets, ("+Inf", cumulative[-1])], histogram.sum_ns / 1e9)


def _connections(page: PageSnapshot) -> Iterator[Family]:
    counters = page.connections
    events, opened = names.CONNECTIONS.counter(), names.CONNECTIONS_OPEN.gauge()
    relayed, downgrades = names.OPAQUE_BYTES.counter(), names.DOWNGRADES.counter()
    for name, amount in counters.items():
        if name not in layout.CONNECTION_GAUGES and not name.startswith("opaque_bytes_"):
            events.add_metric((name,), amount)
    opened.add_metric(("all",), counters["open"])
    opened.add_metric(("opaque",), counters["opaque_open"])
    relayed.add_metric(("in",), counters["opaque_bytes_in"])
    relayed.add_metric(("out",), counters["opaque_bytes_out"])
    for reason, amount in page.downgrades.items():
        downgrades.add_metric((reason,), amount)
    yield from (events, opened, relayed, downgrades)


def _accounting(reading: ScrapeInput, page: PageSnapshot) -> Iterator[Family]:
    totals = account_exchanges(page, reading.report.counts)
    seen, queued, exchanges = names.SEEN.counter(), names.QUEUED.gauge(), names.EXCHANGES.counter()
    seen.add_metric((), totals.seen)
    queued.add_metric((), totals.queued)
    for outcome, amount in sorted({("measured", ""): 0, **totals.outcomes}.items()):
        if outcome != QUEUED:
            exchanges.add_metric(outcome, amount)
    yield from (seen, queued, exchanges)
