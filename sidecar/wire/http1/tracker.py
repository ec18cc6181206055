"""Both directions of one HTTP/1.1 connection: pairs requests with responses and takes their times.

The tracker receives bytes after the relay has forwarded them. It reports each request head and each end of an exchange
to an ExchangeListener. When it cannot parse the bytes with certainty, the connection becomes opaque and parsing ends.
`exchange_states.py` has the states of one exchange as a table. Most messages arrive whole in one read; `_whole_request`
and `_whole_response` handle them without the framers and must give the same result.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Generic

from ..budget import ParseBudget
from ..errors import ProtocolError
from ..exchange import E, ExchangeListener
from .framer import Framer
from .heads import BODILESS, SWITCHING, ResponseHead, parse_request, parse_response

PROTOCOL = "http/1.1"
PIPELINE_LIMIT = 256  # when a connection ends or becomes opaque, all of them end at once, in 3 us each
PIPELINE_BYTES = 256 * 1024  # of the heads that wait for their responses; the limits of one head allow 16 MiB
_SMALL_HEAD = PIPELINE_BYTES // PIPELINE_LIMIT
_METHOD_BYTES = frozenset(b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
_LONGEST_METHOD = 32
_SPECIAL_METHODS = frozenset(("CONNECT", "HEAD"))


class Tracker(Generic[E]):
    """Parses one connection, see `wire.exchange.Parser`. Exchanges are of the class `exchange_type`.

    All connections of a proxy share one `budget`.
    """

    protocol = PROTOCOL

    __slots__ = (
        "_budget",
        "_exchange_type",
        "_listener",
        "_now",
        "_pending",
        "_requesting",
        "_requests",
        "_responding",
        "_responses",
        "_tunnel",
        "opaque",
    )

    def __init__(self, listener: ExchangeListener[E], exchange_type: type[E], budget: ParseBudget) -> None:
        self._listener = listener
        self._exchange_type = exchange_type
        self._budget = budget
        self._requests = Framer(self._request_head, self._request_end, budget)
        self._responses = Framer(self._response_head, self._response_end, budget)
        self._pending: deque[E] = deque()
        self._requesting: E | None = None
        self._responding: E | None = None
        self._tunnel: E | None = None
        self._now = 0
        self.opaque: str | None = None

    @property
    def idle(self) -> bool:
        """Return whether no exchange is open, and no part of a request head has arrived."""
        is_open = self._pending or self._responding is not None or self._requesting is not None
        return self.opaque is None and not is_open and not self._requests.buffered

    def client(self, view: memoryview, now: int) -> None:
        """Parse bytes that arrived from the client at `now`."""
        requests = self._requests
        if self.opaque is not None:
            if self._tunnel is not None:
                self._tunnel.request_bytes += len(view)
            self._listener.opaque_bytes(len(view), 0)
        elif not requests.state or not requests.skip(len(view)):
            self._now = now
            data = bytes(view)
            try:
                if requests.state or not self._whole_request(data):
                    requests.feed(data, now)
                    if not requests.state and not requests.paused:
                        _check_request_start(requests.buffered)
            except ProtocolError as error:
                self._go_opaque(error.reason)
                self._listener.opaque_bytes(len(view), 0)

    def server(self, view: memoryview, now: int) -> None:
        """Parse bytes that arrived from the server at `now`."""
        responses = self._responses
        if self.opaque is not None:
            if self._tunnel is not None:
                self._tunnel.response_bytes += len(view)
            self._listener.opaque_bytes(0, len(view))
        elif not responses.state or not responses.skip(len(view)):
            self._now = now
            data = bytes(view)
            try:
                if not self._pending and self._responding is None:
                    self._go_opaque("unmatched")
                elif responses.state or not self._whole_response(data):
                    responses.feed(data, now)
                    if self._tunnel is not None:
                        self._tunnel.response_bytes += responses.unread
            except ProtocolError as error:
                self._go_opaque(error.reason)
            if self.opaque is not None:  # the calls above may have set it
                self._listener.opaque_bytes(0, len(view))  # type: ignore[unreachable]

    def server_ended(self, now: int) -> None:
        """Handle the end of the server's direction, which completes a response that lasts until close."""
        self._now = now
        try:
            self._responses.end_of_file()
        except ProtocolError as error:  # bytes buffered behind that response are parsed now
            self._go_opaque(error.reason)

    def closed(self, now: int) -> None:
        """Handle the end of the connection: finish every exchange that is still open."""
        self._now = now
        if self._tunnel is not None:
            self._tunnel.request_complete = self._tunnel.response_complete = True
        self._finish_open()
        self._requests.stop()
        self._responses.stop()

    def abandon(self) -> None:
        """Stop parsing and make no more calls, because the parser or its listener has failed."""
        self.opaque = self.opaque or "internal"
        self._requests.stop()
        self._responses.stop()
        self._responding = self._requesting = self._tunnel = None
        self._pending.clear()

    def _whole_request(self, data: bytes) -> bool:
        """Handle `data` if it is exactly one request, the common case. Otherwise change nothing and return False."""
        end = self._requests.whole_head(data)
        if not end:
            return False
        raw = data[:end]
        try:
            head = parse_request(raw)
        except ProtocolError:  # the framer parses it again and raises with the precise reason
            return False
        if head.may_switch_protocol or head.length != len(data) - end or (self._pending and not self._has_room(end)):
            return False
        exchange = self._exchange_type(head.method, head.target, head.user_agent, head.headers, self._now)
        exchange.request_bytes = head.length
        exchange.request_complete = True
        self._pending.append(exchange)
        bodies = self._listener.requested(exchange)
        if bodies is not None:
            exchange.bodies = bodies
            if head.length:
                bodies.request(data[end:])
        return True

    def _whole_response(self, data: bytes) -> bool:
        """Handle `data` if it is exactly one response, the common case. Otherwise change nothing and return False."""
        end = self._responses.whole_head(data)
        if not end or not self._pending or self._requests.paused:
            return False
        raw = data[:end]
        try:
            head = parse_response(raw)
        except ProtocolError:  # the framer parses it again and raises with the precise reason
            return False
        exchange = self._pending[0]
        if head.length != len(data) - end or not head.is_plain or exchange.method in _SPECIAL_METHODS:
            return False
        self._pending.popleft()
        exchange.status = head.status
        exchange.response_headers = head.headers
        exchange.first_byte = exchange.ended = self._now
        exchange.response_bytes = head.length
        exchange.response_complete = True
        if exchange.bodies is not None and head.length:
            exchange.bodies.response(data[end:])
        if exchange.request_complete:
            self._listener.finished(exchange)
        return True

    def _has_room(self, size: int) -> bool:
        """Return whether a request with a head of `size` bytes may wait for its response, too."""
        if len(self._pending) >= PIPELINE_LIMIT:
            return False
        waiting = 0 if size <= _SMALL_HEAD else sum(len(exchange.request_headers) for exchange in self._pending)
        return size + waiting <= PIPELINE_BYTES

    def _request_head(self, raw: bytes) -> int:
        try:
            head = parse_request(raw)
        except ProtocolError:
            _check_request_start(raw)  # may raise with a more precise reason
            raise
        if self._pending and not self._has_room(len(raw)):
            raise ProtocolError("too_large")
        started = self._requests.started
        exchange = self._exchange_type(head.method, head.target, head.user_agent, head.headers, started)
        self._requesting = exchange
        self._pending.append(exchange)
        self._requests.paused = head.may_switch_protocol
        bodies = self._listener.requested(exchange)
        exchange.bodies = bodies
        self._requests.on_body = None if bodies is None else bodies.request
        return head.length

    def _request_end(self) -> None:
        exchange = self._requesting
        assert exchange is not None
        exchange.request_bytes = self._requests.body_bytes
        exchange.request_complete = True
        if self._requests.trailers:
            exchange.request_trailers, self._requests.trailers = self._requests.trailers, b""
        self._requesting = None
        if exchange.response_complete:
            self._finish(exchange)

    def _response_head(self, raw: bytes) -> int:
        head = parse_response(raw)
        if not self._pending:
            raise ProtocolError("unmatched")
        exchange = self._pending[0]
        if head.is_interim:
            self._responding = None
            self._responses.on_body = None
            return 0
        exchange.status = head.status
        exchange.response_headers = head.headers
        exchange.first_byte = self._responses.started
        self._listener.answered(exchange)
        if head.status == SWITCHING or (exchange.method == "CONNECT" and 200 <= head.status < 300):
            self._open_tunnel(exchange)
            return 0
        self._responding = self._pending.popleft()
        exchange.is_stream = head.is_stream
        self._responses.on_body = self._body_listener(exchange)
        return self._response_length(exchange, head)

    def _response_end(self) -> None:
        exchange = self._responding
        if exchange is None:  # an interim response
            return
        exchange.response_bytes = self._responses.body_bytes
        exchange.response_complete = True
        if self._responses.trailers:
            exchange.response_trailers, self._responses.trailers = self._responses.trailers, b""
        exchange.ended = self._now
        self._responding = None
        if exchange.request_complete:
            self._finish(exchange)
        if self._requests.paused and not self._pending:
            self._requests.release(self._now)

    def _response_length(self, exchange: E, head: ResponseHead) -> int:
        return 0 if exchange.method == "HEAD" or head.status in BODILESS else head.length

    def _body_listener(self, exchange: E) -> Callable[[bytes], None] | None:
        bodies = exchange.bodies
        if not exchange.is_stream:
            return None if bodies is None else bodies.response
        first = True

        def on_body(data: bytes) -> None:
            nonlocal first
            self._listener.streamed(exchange, self._now, first, self._responses.chunks)
            first = False
            if bodies is not None:
                bodies.response(data)

        return on_body

    def _open_tunnel(self, exchange: E) -> None:
        self._pending.popleft()
        self._tunnel = exchange
        exchange.request_bytes = len(self._requests.buffered)  # the client sent these before the response
        if self._requesting is exchange:  # the switch cuts off the request body; the exchange ends with the tunnel
            self._requesting = None
            exchange.request_bytes += self._requests.body_bytes
        self._go_opaque("connect" if exchange.method == "CONNECT" else "upgrade")

    def _finish(self, exchange: E) -> None:
        if not exchange.ended:
            exchange.ended = self._now
        self._listener.finished(exchange)

    def _finish_open(self) -> None:
        """Finish all open exchanges: first the one in its response, then those that wait or still upload."""
        still_open = [self._responding, *self._pending, self._requesting, self._tunnel]
        if self._responding is not None:
            self._responding.response_bytes = self._responses.body_bytes
        if self._requesting is not None:
            self._requesting.request_bytes = self._requests.body_bytes
        self._responding = self._requesting = self._tunnel = None
        self._pending.clear()
        self._budget.charge_ends(len(still_open))
        for exchange in dict.fromkeys(still_open):
            if exchange is not None:
                self._finish(exchange)

    def _go_opaque(self, reason: str) -> None:
        if self.opaque is not None:
            return
        self.opaque = reason
        tunnel, self._tunnel = self._tunnel, None
        self._finish_open()
        self._tunnel = tunnel
        self._requests.stop()
        self._responses.stop()
        self._listener.went_opaque(reason)


def _check_request_start(prefix: bytes | bytearray) -> None:
    """Raise ProtocolError if no HTTP/1.1 request can begin with `prefix`."""
    start = bytes(prefix[: 2 * _LONGEST_METHOD]).lstrip(b"\r\n")
    if not start:
        return
    method, space, _ = start[: _LONGEST_METHOD + 1].partition(b" ")
    if not _METHOD_BYTES.issuperset(method) or not method or (not space and len(start) > _LONGEST_METHOD):
        raise ProtocolError("not_http")
