"""Both directions of one connection in step: which response answers which request, and when each was.

The tracker is shown bytes after they were forwarded. It tells a Sink of each request's head, of each exchange's end,
and once, at most, that it gives up: then the connection is opaque and the tracker looks at nothing any more.
"""

from __future__ import annotations

from collections import deque
from typing import Protocol

from .errors import WireError
from .framer import Framer
from .heads import BODILESS, SWITCHING, RequestHead, ResponseHead, parse_request, parse_response

PIPELINE_LIMIT = 1024
_PREFACE = b"PRI * HTTP/2.0"
_METHOD = frozenset(b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
_LONGEST_METHOD = 32
_UNUSUAL = frozenset(("CONNECT", "HEAD"))


class Capture(Protocol):
    """Takes the bodies of one exchange, as decoded from the transfer coding."""

    def request(self, data: bytes) -> None:
        """Take the next bytes of the request's body."""

    def response(self, data: bytes) -> None:
        """Take the next bytes of the response's body."""


class Exchange:
    """One request and its response. Times are monotonic nanoseconds, 0 while unknown; sizes are of bodies, in bytes.

    `slot` and `fate` are the sink's own notes. What is not yet known stands on the class: most exchanges are short.
    """

    status = first_byte = ended = request_bytes = response_bytes = slot = fate = 0
    request_complete = response_complete = is_stream = False
    response_head = b""
    capture: Capture | None = None

    def __init__(self, head: RequestHead, raw: bytes, started: int) -> None:
        self.method = head.method
        self.target = head.target
        self.is_probe = head.is_probe
        self.request_head = raw
        self.started = started

    @property
    def complete(self) -> bool:
        """Return whether both messages were seen to their ends."""
        return self.request_complete and self.response_complete


class Sink(Protocol):
    """Who listens to a tracker."""

    def requested(self, exchange: Exchange) -> None:
        """A request's head is complete; may set `exchange.capture`."""

    def answered(self, exchange: Exchange) -> None:
        """The head of the final response came, and the exchange goes on; not told of those that came in one piece."""

    def streamed(self, exchange: Exchange, now: int, first: bool) -> None:
        """Bytes of an event stream came."""

    def finished(self, exchange: Exchange) -> None:
        """The exchange is over; see `exchange.complete` whether it was seen whole."""

    def went_opaque(self, reason: str) -> None:
        """The tracker gave up for `reason`; no call follows but `passed`, and `finished` of a tunnel's exchange."""

    def passed(self, from_client: int, from_server: int) -> None:
        """So many bytes passed on a connection that is opaque."""


class Tracker:
    """Follows one connection. `client` and `server` take the bytes that the named side sent, in order."""

    __slots__ = (
        "_now",
        "_pending",
        "_requesting",
        "_requests",
        "_responding",
        "_responses",
        "_sink",
        "_tunnel",
        "opaque",
    )

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._requests = Framer(self._request_head, self._request_end)
        self._responses = Framer(self._response_head, self._response_end)
        self._pending: deque[Exchange] = deque()
        self._requesting: Exchange | None = None
        self._responding: Exchange | None = None
        self._tunnel: Exchange | None = None
        self._now = 0
        self.opaque: str | None = None

    def client(self, seen: memoryview, now: int) -> None:
        """Look at bytes that came from the client at `now`."""
        requests = self._requests
        if self.opaque is not None:
            if self._tunnel is not None:
                self._tunnel.request_bytes += len(seen)
            self._sink.passed(len(seen), 0)
        elif not requests.state or not requests.skip(len(seen)):
            self._now = now
            data = bytes(seen)
            try:
                if requests.state or not self._whole_request(data):
                    requests.feed(data, now)
                    if not requests.state and not requests.held:
                        _check_request_start(requests.buffered)
            except WireError as error:
                self._give_up(error.reason)
                self._sink.passed(len(seen), 0)

    def server(self, seen: memoryview, now: int) -> None:
        """Look at bytes that came from the server at `now`."""
        responses = self._responses
        if self.opaque is not None:
            if self._tunnel is not None:
                self._tunnel.response_bytes += len(seen)
            self._sink.passed(0, len(seen))
        elif not responses.state or not responses.skip(len(seen)):
            self._now = now
            data = bytes(seen)
            try:
                if not self._pending and self._responding is None:
                    self._give_up("unmatched")
                elif responses.state or not self._whole_response(data):
                    responses.feed(data, now)
                    if self._tunnel is not None:
                        self._tunnel.response_bytes += responses.left
            except WireError as error:
                self._give_up(error.reason)
            if self.opaque is not None:  # the calls above may have set it
                self._sink.passed(0, len(seen))  # type: ignore[unreachable]

    def server_ended(self, now: int) -> None:
        """The server half-closed: this completes a response that lasts until close."""
        self._now = now
        try:
            self._responses.end_of_file()
        except WireError as error:  # what was held behind that response is looked at now
            self._give_up(error.reason)

    def closed(self, now: int) -> None:
        """The connection is gone both ways; what is still open ends here."""
        self._now = now
        if self._tunnel is not None:
            self._tunnel.request_complete = self._tunnel.response_complete = True
        self._finish_open()
        self._requests.stop()
        self._responses.stop()

    def abandon(self) -> None:
        """Look at nothing any more and tell nobody: what calls this has failed itself."""
        self.opaque = self.opaque or "internal"
        self._requests.stop()
        self._responses.stop()
        self._responding = self._requesting = self._tunnel = None
        self._pending.clear()

    def _whole_request(self, data: bytes) -> bool:
        """Take one request that came in one portion, which most do; return False, with nothing done, for all else."""
        end = self._requests.whole_head(data)
        if not end:
            return False
        raw = data[:end]
        try:
            head = parse_request(raw)
        except WireError:  # the way for all cases tells more exactly
            return False
        if head.holds or head.length != len(data) - end or len(self._pending) >= PIPELINE_LIMIT:
            return False
        exchange = Exchange(head, raw, self._now)
        exchange.request_bytes = head.length
        exchange.request_complete = True
        self._pending.append(exchange)
        self._sink.requested(exchange)
        if exchange.capture is not None and head.length:
            exchange.capture.request(data[end:])
        return True

    def _whole_response(self, data: bytes) -> bool:
        """Take one response that came in one portion, which most do; return False, with nothing done, for all else."""
        end = self._responses.whole_head(data)
        if not end or not self._pending or self._requests.held:
            return False
        raw = data[:end]
        try:
            head = parse_response(raw)
        except WireError:  # the way for all cases tells more exactly
            return False
        exchange = self._pending[0]
        if head.length != len(data) - end or not head.is_plain or exchange.method in _UNUSUAL:
            return False
        self._pending.popleft()
        exchange.status = head.status
        exchange.response_head = raw
        exchange.first_byte = exchange.ended = self._now
        exchange.response_bytes = head.length
        exchange.response_complete = True
        if exchange.capture is not None and head.length:
            exchange.capture.response(data[end:])
        if exchange.request_complete:
            self._sink.finished(exchange)
        return True

    def _request_head(self, raw: bytes) -> int:
        try:
            head = parse_request(raw)
        except WireError:
            _check_request_start(raw)  # it may say more exactly what this is
            raise
        if len(self._pending) >= PIPELINE_LIMIT:
            raise WireError("too_large")
        exchange = Exchange(head, raw, self._requests.began)
        self._requesting = exchange
        self._pending.append(exchange)
        self._requests.held = head.holds
        self._sink.requested(exchange)
        capture = exchange.capture
        self._requests.on_body = None if capture is None else capture.request
        return head.length

    def _request_end(self) -> None:
        exchange = self._requesting
        assert exchange is not None
        exchange.request_bytes = self._requests.body_bytes
        exchange.request_complete = True
        self._requesting = None
        if exchange.response_complete:
            self._finish(exchange)

    def _response_head(self, raw: bytes) -> int:
        head = parse_response(raw)
        if not self._pending:
            raise WireError("unmatched")
        exchange = self._pending[0]
        if head.is_interim:
            self._responding = None
            self._responses.on_body = None
            return 0
        exchange.status = head.status
        exchange.response_head = raw
        exchange.first_byte = self._responses.began
        self._sink.answered(exchange)
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
        exchange.ended = self._now
        self._responding = None
        if exchange.request_complete:
            self._finish(exchange)
        if self._requests.held and not self._pending:
            self._requests.release(self._now)

    def _response_length(self, exchange: Exchange, head: ResponseHead) -> int:
        return 0 if exchange.method == "HEAD" or head.status in BODILESS else head.length

    def _body_listener(self, exchange: Exchange) -> _BodyListener | None:
        capture = exchange.capture
        if not exchange.is_stream:
            return None if capture is None else capture.response
        first = True

        def listen(data: bytes) -> None:
            nonlocal first
            self._sink.streamed(exchange, self._now, first)
            first = False
            if capture is not None:
                capture.response(data)

        return listen

    def _open_tunnel(self, exchange: Exchange) -> None:
        self._pending.popleft()
        self._tunnel = exchange
        exchange.request_bytes = len(self._requests.buffered)  # sent without waiting for the answer
        self._give_up("connect" if exchange.method == "CONNECT" else "upgrade")

    def _finish(self, exchange: Exchange) -> None:
        if not exchange.ended:
            exchange.ended = self._now
        self._sink.finished(exchange)

    def _finish_open(self) -> None:
        """End what has begun: the one in its response first, then those that wait or still upload."""
        still_open = [self._responding, *self._pending, self._requesting, self._tunnel]
        if self._responding is not None:
            self._responding.response_bytes = self._responses.body_bytes
        if self._requesting is not None:
            self._requesting.request_bytes = self._requests.body_bytes
        self._responding = self._requesting = self._tunnel = None
        self._pending.clear()
        for exchange in dict.fromkeys(still_open):
            if exchange is not None:
                self._finish(exchange)

    def _give_up(self, reason: str) -> None:
        if self.opaque is not None:
            return
        self.opaque = reason
        tunnel, self._tunnel = self._tunnel, None
        self._finish_open()
        self._tunnel = tunnel
        self._requests.stop()
        self._responses.stop()
        self._sink.went_opaque(reason)


class _BodyListener(Protocol):
    def __call__(self, data: bytes, /) -> None: ...


def _check_request_start(begun: bytes) -> None:
    """Raise WireError as soon as what has begun cannot be an HTTP/1.1 request."""
    start = begun[: len(_PREFACE) + _LONGEST_METHOD].lstrip(b"\r\n")
    if not start:
        return
    if start[:1] == b"\x16":
        raise WireError("tls")
    if start.startswith(_PREFACE):
        raise WireError("http2")
    method, space, _ = start[: _LONGEST_METHOD + 1].partition(b" ")
    if not _METHOD.issuperset(method) or not method or (not space and len(start) > _LONGEST_METHOD):
        raise WireError("not_http")
