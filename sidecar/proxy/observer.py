"""Counts exchanges on the counter page and sends the sampled ones to the channel.

One Observer serves all connections of a proxy. A `ConnectionObserver` connects the relay and the parser of one
connection to it. Every exchange must be counted with exactly one outcome, in the same group of stores as its route: the
analyzer checks that both totals agree.
"""

from __future__ import annotations

import logging
import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from time import monotonic_ns
from typing import Protocol

from ..channel import layout as at
from ..channel.page import CounterPage
from ..channel.record import EVENT_STREAM, REQUEST_TRUNCATED, RESPONSE_TRUNCATED, Piece, Record
from ..errors import error_location
from ..settings.proxy import ProxySettings
from ..wire.budget import ParseBudget
from ..wire.exchange import Exchange, Parser
from ..wire.routes import RouteTemplates
from .capture import BodyCapture, CaptureBudget
from .protocols import ProtocolDetector
from .route_slots import RouteSlots, reserved_routes
from .sampler import Sampler

_LOG = logging.getLogger(__name__)

RECORDED_METHODS = frozenset(("POST", "PUT", "PATCH"))
# prefixes of the User-Agent of probes: kubelet; load balancers of Google and AWS; Envoy
_PROBE_AGENTS = ("kube-probe/", "GoogleHC/", "ELB-HealthChecker/", "Envoy/HC")
_ROUTE_CACHE_ENTRIES = 4096
_CLOCK_STEP = 1_000_000_000
_CLOCK_READINGS = 5

# globals are faster than attributes of a module, and every exchange uses these
_LOCK = at.AT_LOCK
# counter by status; a status above 599 counts as 5xx (RFC 9110, 15)
_CODE = tuple(at.SLOT_CODES + min(status // 100, 5) for status in range(1000))
_BYTES_IN, _BYTES_OUT = at.SLOT_BYTES_IN, at.SLOT_BYTES_OUT
_FIRST_BYTE, _DURATION = at.SLOT_FIRST_BYTE, at.SLOT_DURATION
_BOUNDS, _FIRST_BYTE_SUM, _DURATION_SUM = at.BOUNDS, _FIRST_BYTE + at.BUCKETS, _DURATION + at.BUCKETS
_OTHER, _PROBES = at.AT_SLOTS + at.OTHER * at.SLOT_WORDS, at.AT_SLOTS + at.PROBES * at.SLOT_WORDS
_ACCEPTED = at.outcome_word("accepted")
_RATE, _ROUTE, _METHOD = (at.outcome_word("sampled_out", reason) for reason in ("rate", "route", "method"))
_ABORTED, _BUDGET, _FULL, _DOWNGRADED, _NO_READER = (
    at.outcome_word("dropped", reason)
    for reason in ("aborted", "capture_budget", "channel_full", "downgraded", "no_reader")
)
_OPAQUE, _OPAQUE_OPEN = at.connection("opaque"), at.connection("opaque_open")
_OPAQUE_IN, _OPAQUE_OUT = at.connection("opaque_bytes_in"), at.connection("opaque_bytes_out")


def wall_offset(wall: Callable[[], int] = time.time_ns, clock: Callable[[], int] = monotonic_ns) -> int:
    """Return the difference between wall clock and monotonic clock, in ns.

    The process may be preempted between two readings, for milliseconds. So the wall clock is read between two readings
    of the monotonic clock, several times, and the closest pair is used.
    """
    readings = []
    for _ in range(_CLOCK_READINGS):
        before = clock()
        now = wall()
        after = clock()
        readings.append((after - before, now - (before + after) // 2))
    return min(readings)[1]


class RecordSink(Protocol):
    """Accepts records without waiting."""

    @property
    def connected(self) -> bool:
        """Return whether a reader is connected."""

    @property
    def queued_bytes(self) -> int:
        """Return the size of the records that wait to be sent."""

    def offer(self, record: Record, request_body: Sequence[Piece], response_body: Sequence[Piece]) -> bool:
        """Queue the record and the pieces of its bodies, or return False."""


class ObservedExchange(Exchange):
    """An exchange with the proxy's own attributes.

    route       method and path template
    slot        first word of its route slot on the counter page
    outcome     word of the counter page that will count it, or 0 if a record may be sent
    """

    route = ""
    slot = outcome = 0


class Observer:
    """Counts every exchange and sends the sampled ones to `sink`."""

    def __init__(self, page: CounterPage, sink: RecordSink, settings: ProxySettings) -> None:
        self.page = page
        self._sink = sink
        self.parse_budget = ParseBudget()
        self._budget = CaptureBudget()
        self._sampler = Sampler(settings.max_records_per_second)
        self._wall_offset = wall_offset()
        self._route_cache: dict[tuple[str, str, str], tuple[str, bool]] = {}
        self._slots = RouteSlots(page)
        self._bases = self._slots.bases
        self.apply(settings)

    def apply(self, settings: ProxySettings) -> None:
        """Replace the settings."""
        self._settings = settings
        self._sampler.set_rate(settings.max_records_per_second)
        self._templates = RouteTemplates(settings.routes)
        self._probes = frozenset(settings.probes)
        self._slots.reserve(reserved_routes(settings, self._templates))
        self._route_cache.clear()

    def update(self) -> None:
        """Publish the memory of captured bodies, and follow steps of the wall clock and sleeps of the machine.

        Drift of the clock below a second is ignored. Call this about twice a second.
        """
        self.page.words[at.AT_CAPTURED] = self._budget.used + self._sink.queued_bytes
        offset = wall_offset()
        if abs(offset - self._wall_offset) > _CLOCK_STEP:
            self._wall_offset = offset

    @property
    def next_sequence(self) -> int:
        """Return the sequence number of the next record."""
        return self.page.words[_ACCEPTED] + 1

    def begin(self, exchange: ObservedExchange) -> BodyCapture | None:
        """Count a request as in flight. Return a capture if it is recorded; the body has no influence on that."""
        route, excluded = self._route(exchange)
        base = _PROBES if excluded else self._bases.get(route, _OTHER)
        exchange.route, exchange.slot = route, base
        page = self.page
        words = page.words
        lock = words[_LOCK]
        words[_LOCK] = lock + 1
        page.change_in_flight(base, 1, exchange.started)
        words[_LOCK] = lock + 2
        if excluded:
            exchange.outcome = _ROUTE
        elif exchange.method not in RECORDED_METHODS:
            exchange.outcome = _METHOD
        elif not self._sampler.admit(exchange.started):
            exchange.outcome = _RATE
        elif not self._sink.connected:
            exchange.outcome = _NO_READER
        else:
            return BodyCapture(self._budget, self._settings.body_limit)
        return None

    def assign_route_slot(self, exchange: ObservedExchange) -> None:
        """Assign the slot of the route, once the status is known. Client errors (4xx) stay in `other`."""
        if exchange.slot != _OTHER or 400 <= exchange.status < 500:
            return
        slot = self._slots.assign(exchange.route, exchange.first_byte)
        if slot == _OTHER:
            return
        words = self.page.words
        words[_LOCK] += 1
        self.page.change_in_flight(_OTHER, -1, exchange.first_byte)
        self.page.change_in_flight(slot, 1, exchange.first_byte)
        words[_LOCK] += 1
        exchange.slot = slot

    def end(self, exchange: ObservedExchange, listener: int, parser: Parser) -> None:
        """Count the end of an exchange and its outcome."""
        status = exchange.status
        if exchange.slot == _OTHER and status:
            self.assign_route_slot(exchange)
        slot = exchange.slot
        outcome = exchange.outcome or self._offer_record(exchange, listener, parser)
        page = self.page
        words = page.words
        lock = words[_LOCK]
        words[_LOCK] = lock + 1
        page.change_in_flight(slot, -1, exchange.ended)
        words[slot + _CODE[status]] += 1
        words[outcome] += 1
        if exchange.request_bytes:
            words[slot + _BYTES_IN] += exchange.request_bytes
        if exchange.response_bytes:
            words[slot + _BYTES_OUT] += exchange.response_bytes
        if exchange.first_byte:
            elapsed = exchange.ended - exchange.started
            if elapsed < 0:  # noqa: PLR1730 - a comparison is cheaper than a call
                elapsed = 0
            bucket = bisect_left(_BOUNDS, elapsed)
            words[slot + _DURATION + bucket] += 1
            words[slot + _DURATION_SUM] += elapsed
            if exchange.first_byte != exchange.ended:
                page.observe(slot + _FIRST_BYTE, exchange.first_byte - exchange.started)
            else:  # the whole response arrived in one read, as usual
                words[slot + _FIRST_BYTE + bucket] += 1
                words[slot + _FIRST_BYTE_SUM] += elapsed
        words[_LOCK] = lock + 2

    def streamed(self, exchange: ObservedExchange, elapsed: int, first: bool, events: int) -> None:
        """Count events that arrived at once, so that the gaps between them are 0.

        `elapsed` is ns since the request for the first event of the exchange, else since the previous event.
        """
        words = self.page.words
        words[_LOCK] += 1
        self.page.observe(exchange.slot + (at.SLOT_FIRST_EVENT if first else at.SLOT_EVENT_GAP), elapsed)
        if events > 1:
            words[exchange.slot + at.SLOT_EVENT_GAP] += events - 1
        words[_LOCK] += 1

    def _route(self, exchange: ObservedExchange) -> tuple[str, bool]:
        """Return the route, and whether it is a probe, by its path or its User-Agent."""
        method, target, agent = key = (exchange.method, exchange.target, exchange.user_agent)
        found = self._route_cache.get(key)
        if found is None:
            is_probe = target.partition("?")[0] in self._probes or agent.startswith(_PROBE_AGENTS)
            found = self._templates.route(method, target), is_probe
            if len(self._route_cache) >= _ROUTE_CACHE_ENTRIES:
                self._route_cache.clear()
            if len(target) + len(agent) <= 512:
                self._route_cache[key] = found
        return found

    def _offer_record(self, exchange: ObservedExchange, listener: int, parser: Parser) -> int:
        """Offer the record of a captured exchange; return the word that counts its outcome."""
        capture = exchange.bodies
        if not isinstance(capture, BodyCapture):
            raise TypeError("exchange has neither an outcome nor a capture")
        if parser.opaque is not None:
            outcome = _DOWNGRADED
        elif not exchange.complete and not (exchange.request_complete and capture.is_stream_done):
            outcome = _ABORTED
        elif capture.exhausted:
            outcome = _BUDGET
        elif self._sink.offer(
            self._record(exchange, capture, listener, parser.protocol), capture.request_body, capture.response_body
        ):
            outcome = _ACCEPTED
        else:
            outcome = _FULL if self._sink.connected else _NO_READER
        capture.release()
        return outcome

    def _record(self, exchange: ObservedExchange, capture: BodyCapture, listener: int, protocol: str) -> Record:
        flags = REQUEST_TRUNCATED * capture.request_truncated | RESPONSE_TRUNCATED * capture.response_truncated
        return Record(  # positional arguments take half the time of keywords
            self.next_sequence,
            exchange.started + self._wall_offset,
            exchange.first_byte - exchange.started,
            exchange.ended - exchange.started,
            exchange.status,
            flags | EVENT_STREAM * exchange.is_stream,
            exchange.request_bytes,
            exchange.response_bytes,
            listener,
            protocol,
            exchange.method,
            exchange.target,
            exchange.route,
            exchange.request_headers,
            b"",
            exchange.request_trailers,
            exchange.response_headers,
            b"",
            exchange.response_trailers,
        )


class ConnectionObserver:
    """The listener of one connection's parser, and the observer of its relay.

    Some of its methods are bound methods of other objects, which saves a call per read or exchange.
    """

    __slots__ = (
        "_detector",
        "_event_at",
        "_listener",
        "_observer",
        "_opaque",
        "answered",
        "client",
        "requested",
        "server",
        "server_ended",
    )

    def __init__(self, observer: Observer, listener: int) -> None:
        self._observer = observer
        self._listener = listener
        self._opaque = False
        self._event_at = 0
        self.requested, self.answered = observer.begin, observer.assign_route_slot
        self._detector = detector = ProtocolDetector(self, ObservedExchange, observer.parse_budget)
        self.client, self.server, self.server_ended = detector.client, detector.server, detector.server_ended

    @property
    def idle(self) -> bool:
        """Return whether the connection is between two exchanges. False if it is not parsed."""
        return self._detector.idle

    def closed(self, now: int) -> None:
        """Handle the end of the connection."""
        self._detector.closed(now)
        if self._opaque:
            self._observer.page.add(_OPAQUE_OPEN, -1)
            self._opaque = False

    def on_error(self, error: Exception) -> None:
        """Log an internal error and make the connection opaque. The relay goes on."""
        words = self._observer.page.words
        words[_LOCK] += words[_LOCK] & 1
        self._detector.abandon()
        if not self._opaque:
            self.went_opaque("internal")
        _LOG.error(
            "observer failed: %s at %s; the connection is relayed without being parsed",
            type(error).__name__,
            error_location(error),
        )

    def streamed(self, exchange: ObservedExchange, now: int, first: bool, events: int) -> None:
        """See `wire.exchange.ExchangeListener`."""
        if first and isinstance(exchange.bodies, BodyCapture):
            exchange.bodies.is_stream = True
        self._observer.streamed(exchange, now - (exchange.started if first else self._event_at), first, events)
        self._event_at = now

    def finished(self, exchange: ObservedExchange) -> None:
        """See `wire.exchange.ExchangeListener`."""
        parser = self._detector.parser
        assert parser is not None
        self._observer.end(exchange, self._listener, parser)

    def went_opaque(self, reason: str) -> None:
        """See `wire.exchange.ExchangeListener`."""
        self._opaque = True
        page = self._observer.page
        words = page.words
        words[_LOCK] += 1
        for word in (_OPAQUE, _OPAQUE_OPEN, at.downgrade(reason)):
            words[word] += 1
        words[_LOCK] += 1

    def opaque_bytes(self, from_client: int, from_server: int) -> None:
        """See `wire.exchange.ExchangeListener`."""
        self._observer.page.add(_OPAQUE_IN, from_client)
        self._observer.page.add(_OPAQUE_OUT, from_server)
