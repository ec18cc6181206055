"""From exchanges to the counter page and, for the sampled ones, to the channel.

One Observer serves all connections of a proxy; a `ConnectionObserver` listens to the tracker of one.
"""

from __future__ import annotations

import logging
import time
from time import monotonic_ns
from typing import Protocol

from ..channel import layout as at
from ..channel.page import CounterPage
from ..channel.record import EVENT_STREAM, REQUEST_TRUNCATED, RESPONSE_TRUNCATED, Record
from ..errors import raised_at
from ..settings.proxy import ProxySettings
from ..wire.routes import RouteTemplates
from ..wire.tracker import Exchange, Tracker
from .capture import BodyCapture, Budget
from .sampler import Sampler

_LOG = logging.getLogger(__name__)

CANDIDATES = frozenset(("POST", "PUT", "PATCH"))
_UNKNOWN_ROUTE = frozenset((404, 405))
_ROUTE_MEMO = 4096
_CLOCK_STEP = 1_000_000_000

# module names are cheaper than attributes of a module, and these are used in every exchange
_LOCK, _IN_FLIGHT = at.AT_LOCK, at.SLOT_IN_FLIGHT
# by status; one beyond 599 is to be taken for a 5xx (RFC 9110, 15)
_CODE = tuple(at.SLOT_CODES + min(status // 100, 5) for status in range(1000))
_BYTES_IN, _BYTES_OUT = at.SLOT_BYTES_IN, at.SLOT_BYTES_OUT
_FIRST_BYTE, _DURATION = at.SLOT_FIRST_BYTE, at.SLOT_DURATION
_OTHER = at.AT_SLOTS + at.OTHER * at.SLOT_WORDS
_ACCEPTED = at.fate("accepted")
_RATE, _ROUTE, _METHOD = (at.fate("sampled_out", reason) for reason in ("rate", "route", "method"))
_ABORTED, _BUDGET, _FULL, _DOWNGRADED, _NO_READER = (
    at.fate("dropped", reason) for reason in ("aborted", "capture_budget", "channel_full", "downgraded", "no_reader")
)
_OPAQUE, _OPAQUE_OPEN = at.connection("opaque"), at.connection("opaque_open")
_OPAQUE_IN, _OPAQUE_OUT = at.connection("opaque_bytes_in"), at.connection("opaque_bytes_out")


class Outlet(Protocol):
    """Where records go; it never waits."""

    @property
    def connected(self) -> bool:
        """Return whether anybody reads."""

    def offer(self, record: Record) -> bool:
        """Take the record, or return False."""


class Observer:
    """Counts every exchange and hands over the sampled ones."""

    def __init__(self, page: CounterPage, outlet: Outlet, settings: ProxySettings) -> None:
        self.page = page
        self._outlet = outlet
        self._budget = Budget()
        self._sampler = Sampler(settings.max_records_per_second)
        self._wall_offset = time.time_ns() - monotonic_ns()
        self._memo: dict[tuple[str, str], tuple[str, bool]] = {}
        self._slots: dict[str, int] = {}
        self.apply(settings)

    def apply(self, settings: ProxySettings) -> None:
        """Go on with other settings."""
        self._settings = settings
        self._sampler.set_rate(settings.max_records_per_second)
        self._templates = RouteTemplates(settings.routes)
        self._probes = frozenset(settings.probes)
        self._memo.clear()

    def follow_wall_clock(self) -> None:
        """Take up a step of the wall clock or a sleep of the machine; drift below a second is left alone."""
        offset = time.time_ns() - monotonic_ns()
        if abs(offset - self._wall_offset) > _CLOCK_STEP:
            self._wall_offset = offset

    @property
    def next_sequence(self) -> int:
        """Return the number of the next record."""
        return self.page.words[_ACCEPTED] + 1

    def begin(self, exchange: Exchange) -> None:
        """Count a request in; decide, before any of its content is seen, whether it is recorded."""
        route, excluded = self._route(exchange)
        base = self.page.probes if excluded else self._slots.get(route, _OTHER)
        exchange.slot = base
        self.page.words[base + _IN_FLIGHT] += 1
        if excluded:
            exchange.fate = _ROUTE
        elif exchange.method not in CANDIDATES:
            exchange.fate = _METHOD
        elif not self._sampler.take(exchange.started):
            exchange.fate = _RATE
        elif not self._outlet.connected:
            exchange.fate = _NO_READER
        else:
            exchange.capture = BodyCapture(self._budget, self._settings.body_limit)

    def place(self, exchange: Exchange) -> None:
        """Give an exchange whose status is known the slot of its route; paths that nobody serves use none up."""
        if exchange.slot != _OTHER or exchange.status in _UNKNOWN_ROUTE:
            return
        slot = self._slot(self._route(exchange)[0])
        self.page.words[_OTHER + _IN_FLIGHT] -= 1
        self.page.words[slot + _IN_FLIGHT] += 1
        exchange.slot = slot

    def end(self, exchange: Exchange, listener: int, *, is_opaque: bool) -> None:
        """Count an exchange out, with its fate."""
        status = exchange.status
        if exchange.slot == _OTHER and status:
            self.place(exchange)
        slot = exchange.slot
        fate = exchange.fate or self._hand_over(exchange, listener, is_opaque=is_opaque)
        page = self.page
        words = page.words
        words[_LOCK] += 1
        words[slot + _IN_FLIGHT] -= 1
        words[slot + _CODE[status]] += 1
        words[fate] += 1
        if exchange.request_bytes:
            words[slot + _BYTES_IN] += exchange.request_bytes
        if exchange.response_bytes:
            words[slot + _BYTES_OUT] += exchange.response_bytes
        if exchange.first_byte:
            page.observe(slot + _FIRST_BYTE, exchange.first_byte - exchange.started)
            page.observe(slot + _DURATION, exchange.ended - exchange.started)
        words[_LOCK] += 1

    def streamed(self, exchange: Exchange, elapsed: int, first: bool) -> None:
        """Count the arrival of an event: since the request for the first, since the one before for others, in ns."""
        words = self.page.words
        words[_LOCK] += 1
        self.page.observe(exchange.slot + (at.SLOT_FIRST_EVENT if first else at.SLOT_EVENT_GAP), elapsed)
        words[_LOCK] += 1

    def _slot(self, route: str) -> int:
        slot = self._slots.get(route)
        if slot is None:
            slot = self._slots[route] = self.page.slot(route)
            if slot == _OTHER:
                del self._slots[route]
        return slot

    def _route(self, exchange: Exchange) -> tuple[str, bool]:
        """Return the route and whether it is excluded (a probe)."""
        key = (exchange.method, exchange.target)
        found = self._memo.get(key)
        if found is None:
            path = exchange.target.partition("?")[0]
            found = self._templates.route(*key), path in self._probes
            if len(self._memo) >= _ROUTE_MEMO:
                self._memo.clear()
            if len(exchange.target) <= 512:
                self._memo[key] = found
        return found if not exchange.is_probe else (found[0], True)

    def _hand_over(self, exchange: Exchange, listener: int, *, is_opaque: bool) -> int:
        """Offer the record of a captured exchange; return the word of its fate."""
        capture = exchange.capture
        if not isinstance(capture, BodyCapture):
            raise TypeError("an exchange without a fate has a capture")
        if is_opaque:
            fate = _DOWNGRADED
        elif not exchange.complete:
            fate = _ABORTED
        elif capture.exhausted:
            fate = _BUDGET
        elif self._outlet.offer(self._record(exchange, capture, listener)):
            fate = _ACCEPTED
        else:
            fate = _FULL if self._outlet.connected else _NO_READER
        capture.release()
        return fate

    def _record(self, exchange: Exchange, capture: BodyCapture, listener: int) -> Record:
        flags = REQUEST_TRUNCATED * capture.request_truncated | RESPONSE_TRUNCATED * capture.response_truncated
        return Record(
            sequence=self.next_sequence,
            at_ns=exchange.started + self._wall_offset,
            first_byte_ns=exchange.first_byte - exchange.started,
            duration_ns=exchange.ended - exchange.started,
            status=exchange.status,
            flags=flags | EVENT_STREAM * exchange.is_stream,
            request_bytes=exchange.request_bytes,
            response_bytes=exchange.response_bytes,
            listener=listener,
            method=exchange.method,
            route=self._route(exchange)[0],
            request_head=exchange.request_head,
            response_head=exchange.response_head,
            request_body=capture.request_body,
            response_body=capture.response_body,
        )


class ConnectionObserver:
    """The sink of one connection's tracker, and the relay's witness of it (which is why some calls go straight on)."""

    __slots__ = (
        "_event_at",
        "_listener",
        "_observer",
        "_opaque",
        "_tracker",
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
        self.requested, self.answered = observer.begin, observer.place
        self._tracker = tracker = Tracker(self)
        self.client, self.server, self.server_ended = tracker.client, tracker.server, tracker.server_ended

    def closed(self, now: int) -> None:
        """The connection is gone."""
        self._tracker.closed(now)
        if self._opaque:
            self._observer.page.add(_OPAQUE_OPEN, -1)
            self._opaque = False

    def defect(self, error: Exception) -> None:
        """Count and name an error of our own, once a connection; the connection goes on unobserved."""
        words = self._observer.page.words
        words[_LOCK] += words[_LOCK] & 1
        self._tracker.abandon()
        if not self._opaque:
            self.went_opaque("internal")
        _LOG.error("observer: %s at %s; the connection goes on unobserved", type(error).__name__, raised_at(error))

    def streamed(self, exchange: Exchange, now: int, first: bool) -> None:
        """See `wire.tracker.Sink`."""
        if first and isinstance(exchange.capture, BodyCapture):
            exchange.capture.is_stream = True
        self._observer.streamed(exchange, now - (exchange.started if first else self._event_at), first)
        self._event_at = now

    def finished(self, exchange: Exchange) -> None:
        """See `wire.tracker.Sink`."""
        self._observer.end(exchange, self._listener, is_opaque=self._tracker.opaque is not None)

    def went_opaque(self, reason: str) -> None:
        """See `wire.tracker.Sink`."""
        self._opaque = True
        page = self._observer.page
        words = page.words
        words[_LOCK] += 1
        for word in (_OPAQUE, _OPAQUE_OPEN, at.downgrade(reason)):
            words[word] += 1
        words[_LOCK] += 1

    def passed(self, from_client: int, from_server: int) -> None:
        """See `wire.tracker.Sink`."""
        self._observer.page.add(_OPAQUE_IN, from_client)
        self._observer.page.add(_OPAQUE_OUT, from_server)
