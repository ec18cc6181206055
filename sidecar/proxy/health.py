"""The health endpoint of the proxy, on its own address.

/healthz and /livez report that the event loop runs. They depend neither on the model nor on the analyzer, whose failure
must not restart the proxy. /readyz also reports whether the proxy should get new traffic.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from contextlib import suppress

from .reactor import FAILED, IN, SECOND, Reactor

PATHS = (b"/healthz", b"/livez", b"/readyz")
REQUEST_LIMIT = 8 * 1024
REQUEST_TIMEOUT = 5 * SECOND
MAX_CONNECTIONS = 16
_PAUSE = SECOND // 20


class HealthServer:
    """Answers one request per connection with the dictionary that `describe` returns, as JSON.

    /readyz has status 503 if the value of `ready` in that dictionary is false.
    """

    def __init__(self, reactor: Reactor, sock: socket.socket, describe: Callable[[], dict[str, object]]) -> None:
        self._reactor = reactor
        self._sock = sock
        self._describe = describe
        self._connections: dict[int, _HealthConnection] = {}  # oldest first
        self._sweeping = False

    def start(self) -> None:
        """Start to accept connections."""
        self._reactor.register(self._sock.fileno(), IN, self._accept, self._pause)

    def answer(self, request: bytes) -> bytes:
        """Return the response to the request with this head."""
        method, _, rest = request.partition(b" ")
        path = rest.partition(b" ")[0].partition(b"?")[0]
        if method not in (b"GET", b"HEAD"):
            return _response("405 Method Not Allowed", {"error": "only GET and HEAD are answered"}, method)
        if path not in PATHS:
            return _response("404 Not Found", {"error": "unknown path; use /healthz, /livez or /readyz"}, method)
        document = self._describe()
        is_unready = path == b"/readyz" and not document["ready"]
        return _response("503 Service Unavailable" if is_unready else "200 OK", document, method)

    def _accept(self, _: int) -> None:
        try:
            sock, _ = self._sock.accept()
        except BlockingIOError:
            return
        except OSError:  # the client has left, or no descriptor is free: relayed traffic has priority
            self._pause()
            return
        if len(self._connections) >= MAX_CONNECTIONS:
            next(iter(self._connections.values())).close()  # the oldest connection that has not sent its request
        connection = _HealthConnection(self, self._reactor, sock, self._connections)
        self._reactor.register(sock.fileno(), IN, connection.ready, connection.close)
        if not self._sweeping:  # a timer of each connection would keep it in memory after its end
            self._sweeping = True
            self._reactor.call_at(connection.deadline, self._sweep)

    def _sweep(self) -> None:
        """Close the connections whose time is over."""
        now = self._reactor.now()
        for connection in [each for each in self._connections.values() if each.deadline <= now]:
            connection.close()
        self._sweeping = bool(self._connections)
        if self._sweeping:
            self._reactor.call_at(next(iter(self._connections.values())).deadline, self._sweep)

    def _pause(self) -> None:
        self._reactor.unregister(self._sock.fileno())
        self._reactor.call_later(_PAUSE, self.start)


class _HealthConnection:
    def __init__(
        self,
        server: HealthServer,
        reactor: Reactor,
        sock: socket.socket,
        open_connections: dict[int, _HealthConnection],
    ) -> None:
        self._server = server
        self._reactor = reactor
        self._sock = sock
        self._connections = open_connections
        self._request = b""
        self.deadline = reactor.now() + REQUEST_TIMEOUT
        self._key = sock.fileno()
        sock.setblocking(False)
        open_connections[self._key] = self

    def ready(self, events: int) -> None:
        """Read the request. When its head is complete, answer and close."""
        try:
            portion = self._sock.recv(REQUEST_LIMIT)
        except BlockingIOError:
            return
        except OSError:
            portion = b""
        self._request += portion
        if b"\r\n\r\n" in self._request:
            with suppress(OSError):  # the client has left; the short answer always fits into the socket buffer
                self._sock.send(self._server.answer(self._request))
        elif portion and len(self._request) < REQUEST_LIMIT and not events & FAILED:
            return
        self.close()

    def close(self) -> None:
        """Close the connection. Later calls do nothing."""
        if self._connections.get(self._key) is self:
            del self._connections[self._key]
            self._reactor.unregister(self._key)
            self._sock.close()


def _response(status: str, document: dict[str, object], method: bytes) -> bytes:
    body = json.dumps(document).encode() + b"\n"
    fields = ("Content-Type: application/json", f"Content-Length: {len(body)}", "Connection: close")
    head = "\r\n".join((f"HTTP/1.1 {status}", *fields, "", "")).encode()
    return head if method == b"HEAD" else head + body
