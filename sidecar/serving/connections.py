"""The connections of a server: their number, their time limits, and what they may send.

When the limit is reached, the oldest idle connection is closed, so idle clients cannot block a scrape or a health
check. A connection with a complete request is never closed to make room. One address has at most a part of the
connections. The limits are lower where the process has few descriptors, since it needs some for its own files.
`gate.py` refuses what is not a request.

One timer bounds each state of a connection in which nothing else does: until the first head, between a response and
the end of the next head, and while the last bytes are sent. `server.py` bounds the time of a request.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any

import msgspec
from aiohttp import web

from .gate import RefusedBytesError, RequestGate
from .headers import HEADERS

MAX_CONNECTIONS = 128
MAX_PER_ADDRESS = 96
BACKLOG = 64  # connections that wait to be accepted
UNBOUNDED = 1 << 20
OWN_DESCRIPTORS = 32  # for files, the channel, deliveries and child processes; 16 are in use at rest
READ_BYTES = 16 * 1024  # of one read; asyncio would read 256 KiB
HEAD_SECONDS = 5.0  # for the head of a connection's first request
IDLE_SECONDS = 20.0  # from a response to the end of the next head
CLOSE_SECONDS = 5.0  # for a client to take the last bytes
JSON = "application/json; charset=utf-8"
BAD_REQUEST = "cannot parse this as an HTTP request"
INTERNAL_ERROR = "the server failed to answer this request"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionBounds:
    """The bounds of one server; None means the constant of this module, which suits a sidecar.

    Attributes:
        connections: how many may be open.
        per_address: how many of them one client address may have; the rest stays free for a scrape from elsewhere.
        idle_seconds: from a response to the end of the next head.
    """

    connections: int | None = None
    per_address: int | None = None
    idle_seconds: float | None = None


def share_descriptors(limit: int) -> tuple[int, int]:
    """Return the backlog, and how many connections `limit` descriptors allow; a negative limit allows any number.

    asyncio accepts a whole backlog before the first of these connections can be closed, so it needs a share, too.
    """
    if limit < 0:
        return BACKLOG, UNBOUNDED
    room = max(2, limit - OWN_DESCRIPTORS)
    backlog = min(BACKLOG, room // 2)
    return backlog, room - backlog


def abort_transport(transport: asyncio.WriteTransport) -> None:
    """Abort a connection.

    A TLS transport that was closed twice has forgotten its protocol (asyncio, Python 3.11), and cannot be aborted. Its
    own shutdown timeout then ends it.
    """
    with suppress(AttributeError):
        transport.abort()


class BoundedConnection(web.RequestHandler):
    """One connection. Its error responses contain neither the request nor internal details."""

    def __init__(self, manager: BoundedConnections, **options: Any) -> None:
        super().__init__(manager, **options)
        self._bounded = manager
        self._bounds = manager.bounds
        self._gate = RequestGate()
        self._closing = False
        self._paused_reading = False
        self._timer: asyncio.TimerHandle | None = None
        self.address = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the connection with small reads."""
        transport.max_size = READ_BYTES  # type: ignore[attr-defined]  # of asyncio's socket transports
        peer = transport.get_extra_info("peername")
        self.address = str(peer[0]) if peer else ""
        super().connection_made(transport)
        self.bound_time(HEAD_SECONDS)

    def connection_lost(self, exc: BaseException | None) -> None:
        """End the timer with the connection."""
        self.unbound_time()
        if isinstance(exc, ssl.SSLError):  # with TLS 1.3, a client refuses the certificate after the handshake
            self._bounded.on_alert(exc)
        super().connection_lost(exc)

    def bound_time(self, seconds: float) -> None:
        """Abort the connection after `seconds`, unless its state changes before."""
        self.unbound_time()
        if isinstance(self.transport, asyncio.Transport):
            self._timer = asyncio.get_running_loop().call_later(seconds, abort_transport, self.transport)

    def unbound_time(self) -> None:
        """End the time limit of the current state."""
        if self._timer is not None:
            self._timer.cancel()

    def force_close(self) -> None:
        """Close the connection after the bytes that are written, if the client takes them in time."""
        if not self._closing:
            self._closing = True
            self.bound_time(CLOSE_SECONDS)
        super().force_close()

    def data_received(self, data: bytes) -> None:
        """Parse what the gate passes on; answer and close if it refuses the bytes."""
        if data:
            self._pass_on(self._gate.receive(data))
        else:  # aiohttp continues with bytes that its parser holds
            super().data_received(data)

    def answered(self) -> None:
        """Continue with the next request, after the current one has been answered."""
        if self.transport is None or self.transport.is_closing():
            return
        if self._gate.last:
            self.force_close()
            return
        self.bound_time(self._bounds.idle_seconds or IDLE_SECONDS)
        self._pass_on(self._gate.answered())

    def refuse(self, status: int, reason: str) -> None:
        """Answer with an error and close the connection."""
        if self.transport is not None:
            body = msgspec.json.encode({"error": reason}) + b"\n"
            fields = {"Content-Type": JSON, "Content-Length": str(len(body)), "Connection": "close", **HEADERS}
            lines = (f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", *map(": ".join, fields.items()), "", "")
            self.transport.write("\r\n".join(lines).encode() + body)
        self.force_close()

    def _pass_on(self, portions: Iterable[bytes]) -> None:
        try:
            for portion in portions:
                super().data_received(portion)
        except RefusedBytesError as refused:
            self.refuse(refused.status, str(refused))
            return
        self._hold_reading()

    def resume_reading(self, *options: Any, **more: Any) -> None:
        """Continue to read, after a view has taken a part of the body; aiohttp calls it."""
        super().resume_reading(*options, **more)
        self._hold_reading()

    def _hold_reading(self) -> None:
        """Read nothing while the gate holds bytes behind the current request, whatever aiohttp asks for."""
        if self.transport is not None and self._gate.holds:
            self._paused_reading = True
            self.transport.pause_reading()
        elif self.transport is not None and self._paused_reading:
            self._paused_reading = False
            self.transport.resume_reading()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,  # not used, it may contain the request
        message: str | None = None,  # not used, it may contain the request
    ) -> web.StreamResponse:
        """Return a short error response that closes the connection."""
        if request.writer.output_size > 0:
            raise ConnectionError("a part of the response has already been sent")
        body = msgspec.json.encode({"error": BAD_REQUEST if status < 500 else INTERNAL_ERROR})
        response = web.Response(status=status, body=body + b"\n", content_type="application/json", charset="utf-8")
        response.force_close()
        return response


class BoundedConnections(web.Server):
    """All open connections. At the limit, a new connection closes the one that has been idle for longest.

    The limit is that of `bounds`, or `allowed` if that is lower. One address has at most its part of `bounds`, or three
    quarters of `allowed`; at this limit, its new connection closes its own oldest one. A connection is idle until its
    request is complete, and again after the response is sent. When no connection is idle, the new one is closed.
    """

    def __init__(
        self,
        handler: Any,
        request_factory: Any,
        allowed: int,
        bounds: ConnectionBounds = ConnectionBounds(),
        **options: Any,
    ) -> None:
        super().__init__(handler, request_factory=request_factory, **options)
        self.bounds = bounds
        self.on_alert: Callable[[ssl.SSLError], None] = lambda _: None
        self._allowed = allowed
        self._options = options
        self._open: set[BoundedConnection] = set()
        self._addresses: Counter[str] = Counter()
        self._idle: dict[BoundedConnection, None] = {}
        self._busy: set[BoundedConnection] = set()

    @property
    def open_connections(self) -> int:
        """How many connections are open."""
        return len(self._open)

    def __call__(self) -> BoundedConnection:
        """Return the protocol of a new connection."""
        return BoundedConnection(self, loop=asyncio.get_running_loop(), **self._options)

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        """Register a new connection; at the limit, close the oldest idle one."""
        super().connection_made(handler, transport)
        assert isinstance(handler, BoundedConnection)
        if not self._make_room(handler):
            return
        self._open.add(handler)
        self._addresses[handler.address] += 1
        self._idle[handler] = None

    def connection_lost(self, handler: web.RequestHandler, exc: BaseException | None = None) -> None:
        """Remove a closed connection."""
        assert isinstance(handler, BoundedConnection)
        self._remove(handler)
        super().connection_lost(handler, exc)

    @contextmanager
    def serving(self, request: web.BaseRequest) -> Iterator[None]:
        """Protect the request's connection from being closed while its complete request is answered."""
        handler = request.protocol
        assert isinstance(handler, BoundedConnection)
        handler.unbound_time()
        self._busy.add(handler)
        request.content.on_eof(partial(self._request_complete, handler))
        try:
            yield
        finally:
            self._busy.discard(handler)
            if handler in self._open:
                self._idle.pop(handler, None)
                self._idle[handler] = None  # last in the order, because it has just been active
                handler.answered()

    def _make_room(self, handler: BoundedConnection) -> bool:
        """Close the oldest idle connection if a limit is reached; return whether the new one `handler` may stay."""
        candidates: Iterable[BoundedConnection] = ()
        if self._addresses[handler.address] >= min(
            self.bounds.per_address or MAX_PER_ADDRESS, max(1, self._allowed * 3 // 4)
        ):
            candidates = (idle for idle in self._idle if idle.address == handler.address)
        elif len(self._open) >= min(self.bounds.connections or MAX_CONNECTIONS, self._allowed):
            candidates = self._idle
        else:
            return True
        evicted = next(iter(candidates), handler)
        self._drop(evicted)
        return evicted is not handler

    def _request_complete(self, handler: BoundedConnection) -> None:
        if handler in self._busy:
            self._idle.pop(handler, None)

    def _drop(self, handler: BoundedConnection) -> None:
        self._remove(handler)
        transport = handler.transport
        handler.force_close()
        if isinstance(transport, asyncio.Transport):
            abort_transport(transport)

    def _remove(self, handler: BoundedConnection) -> None:
        if handler in self._open:
            self._open.discard(handler)
            self._addresses[handler.address] -= 1
            if not self._addresses[handler.address]:
                del self._addresses[handler.address]
        self._idle.pop(handler, None)
