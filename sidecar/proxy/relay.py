"""Forwards bytes between a client connection and its own upstream connection, in both directions, with FIN and RST.

Bytes that were read are sent at once, and passed to the observer after that. If a socket does not accept all of them,
the rest is held and reading from the other side pauses, so a relay holds at most one read per direction. A FIN becomes
a shutdown. A RST becomes a close with SO_LINGER 0, after the bytes that came before it have been delivered. The
observer must not delay or change bytes, and its errors must not end a relay.
"""

from __future__ import annotations

import fcntl
import socket
import struct
import termios
from collections.abc import Callable
from contextlib import suppress
from time import monotonic_ns
from typing import Protocol, TypeAlias

from .reactor import ERR, FAILED, IN, OUT, SECOND, Reactor

BUFFER_BYTES = 64 * 1024
_BUFFER = bytearray(BUFFER_BYTES)  # shared by all relays: bytes that are not sent at once are copied
_VIEW = memoryview(_BUFFER)
_LINGER_RESET = struct.pack("ii", 1, 0)
_INT = struct.Struct("i")
RESET_TIMEOUT = 5 * SECOND  # ns that delivering the bytes before an RST may take
_RESET_POLL = SECOND // 200

# receives the bytes of one side; returns the callable for the next bytes, or None for the same one
ObserveBytes: TypeAlias = "Callable[[memoryview, int], ObserveBytes | None]"


class RelayObserver(Protocol):
    """Receives the bytes of a connection after they were forwarded. Times are monotonic ns.

    If one of its calls raises, the relay calls `on_error` and goes on.
    """

    @property
    def client(self) -> ObserveBytes:
        """Receives bytes from the client."""

    @property
    def server(self) -> ObserveBytes:
        """Receives bytes from the server."""

    @property
    def server_ended(self) -> Callable[[int], None]:
        """Handles the end of the server's direction."""

    def closed(self, now: int) -> None:
        """Handle the end of the connection."""

    def on_error(self, error: Exception) -> None:
        """Handle an exception that another call raised."""


class Endpoint:
    """One of the two sockets of a relay. It reads for its peer and holds the bytes that wait to be sent on it."""

    __slots__ = (
        "_mask",
        "_reactor",
        "_recv",
        "_registered",
        "fin_received",
        "fin_sent",
        "observe",
        "outgoing",
        "peer",
        "read_failed",
        "relay",
        "send",
        "sock",
        "write_failed",
    )

    def __init__(self, reactor: Reactor, sock: socket.socket, relay: Relay, observe: ObserveBytes) -> None:
        self._reactor = reactor
        self._recv = sock.recv_into
        self.send = sock.send
        self._mask = 0
        self._registered = False
        self.sock = sock
        self.relay = relay
        self.observe = observe
        self.peer: Endpoint
        self.outgoing: memoryview | None = None
        self.fin_received = False  # no more bytes come from it
        self.fin_sent = False  # no more bytes are sent on it
        self.write_failed = False  # it was reset; bytes that it sent before may still be readable
        self.read_failed = False  # reading failed, too

    def unregister(self) -> None:
        """Stop polling this socket, also for errors."""
        if self._registered:
            self._registered = False
            self._reactor.unregister(self.sock.fileno())

    def update_events(self) -> None:
        """Poll for the events that can be handled: reading unless the peer is full, writing while bytes wait."""
        peer = self.peer
        reads = not self.fin_received and not self.read_failed and peer.outgoing is None and not peer.write_failed
        mask = (IN if reads else 0) | (OUT if self.outgoing is not None else 0)
        if self._registered:
            if mask != self._mask:
                self._reactor.modify(self.sock.fileno(), mask)
        elif mask:
            self._registered = True
            self._reactor.register(self.sock.fileno(), mask, self.ready, self.relay.abort)
        self._mask = mask

    def ready(self, events: int) -> None:
        """Handle the events of this socket."""
        if events & OUT:
            self.flush()
            if not self._registered:
                return
        if events & IN and self._mask & IN:
            self.forward()
        elif events & FAILED:
            self._on_hangup(events)

    def forward(self) -> None:
        """Read once, send the bytes to the peer, then pass them to the observer."""
        try:
            size = self._recv(_BUFFER)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self.relay.reset(self)
            return
        if not size:
            self.relay.end(self)
            return
        peer, data = self.peer, _VIEW[:size]
        try:
            sent = peer.send(data)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError:
            peer.on_write_error()
            return
        if sent != size:
            peer.outgoing = memoryview(bytes(data[sent:]))
            self.update_events()
            peer.update_events()
        try:
            following = self.observe(data, monotonic_ns())
        except Exception as error:
            self.relay.observer.on_error(error)
            return
        if following is not None:
            self.observe = following

    def flush(self) -> None:
        """Send the bytes that wait. When all are sent, let the peer read again, or forward its end."""
        if self.outgoing is None:
            return
        try:
            sent = self.send(self.outgoing)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self.on_write_error()
            return
        self.outgoing = self.outgoing[sent:] if sent < len(self.outgoing) else None
        if self.outgoing is not None:
            return
        if self.peer.read_failed:
            self.relay.reset_when_sent(self)
        elif self.peer.fin_received:
            self.relay.finish(self)
        else:
            self.update_events()
            self.peer.update_events()

    def on_write_error(self) -> None:
        """Handle a failed send: keep reading what the socket sent before its reset, and send nothing more on it."""
        self.write_failed = True
        self.outgoing = None
        if self.fin_received:
            self.relay.reset(self)
            return
        self.peer.update_events()
        self.update_events()

    def _on_hangup(self, events: int) -> None:
        """Handle an error or a hang-up while this socket is not being read."""
        if self.peer.outgoing is not None and not self.fin_received:
            self.unregister()  # its bytes and its end are read when the peer accepts more
            if events & ERR:
                self.relay.start_reset_timeout()
        elif events & ERR or self.write_failed:
            self.relay.reset(self)
        else:
            self.unregister()  # both directions are shut; only bytes that wait for the peer remain


class Relay:
    """A client socket paired with an upstream socket; forwards how each direction ends.

    Calls `on_close(relay, was_reset)` once, after both sockets are closed.
    """

    __slots__ = ("_limited", "_on_close", "_reactor", "client", "is_closed", "observer", "server")

    def __init__(
        self,
        reactor: Reactor,
        client: socket.socket,
        server: socket.socket,
        observer: RelayObserver,
        on_close: Callable[[Relay, bool], None],
    ) -> None:
        self._reactor = reactor
        self.observer = observer
        self._on_close = on_close
        self._limited = False
        self.is_closed = False
        self.client = Endpoint(reactor, client, self, observer.client)
        self.server = Endpoint(reactor, server, self, observer.server)
        self.client.peer, self.server.peer = self.server, self.client

    def start(self) -> None:
        """Start to relay. The upstream socket must be connected."""
        self.client.update_events()
        self.server.update_events()

    def end(self, source: Endpoint) -> None:
        """Forward a FIN of `source`, after the bytes before it. After a failed send, it counts as a reset."""
        if source.write_failed:
            self.reset(source)
            return
        source.fin_received = True
        if source is self.server:
            self._notify(self.observer.server_ended)
        if source.peer.outgoing is None:
            self.finish(source.peer)
        else:
            source.update_events()

    def finish(self, sink: Endpoint) -> None:
        """Send FIN on `sink`. If the other side has had its FIN, close both sockets."""
        sink.fin_sent = True
        if sink.peer.fin_sent:
            self._close()
            return
        try:
            sink.sock.shutdown(socket.SHUT_WR)
        except OSError:  # it has been reset
            self.reset(sink)
            return
        sink.update_events()
        sink.peer.update_events()

    def reset(self, source: Endpoint) -> None:
        """Forward a reset of `source`, after the bytes before it have been delivered."""
        if self.is_closed:
            return
        source.write_failed = source.read_failed = True
        source.outgoing = None
        source.unregister()
        peer = source.peer
        peer.update_events()
        if peer.outgoing is None:
            self.reset_when_sent(peer)
        if not self.is_closed:
            self.start_reset_timeout()

    def start_reset_timeout(self) -> None:
        """Limit the time that a reset waits for the delivery of the bytes before it."""
        if not self._limited:
            self._limited = True
            self._reactor.call_later(RESET_TIMEOUT, self.abort)

    def reset_when_sent(self, sink: Endpoint) -> None:
        """Close with RST once the kernel has delivered all bytes that were sent on `sink`."""
        if self.is_closed:
            return
        if not sink.read_failed and _undelivered(sink.sock):
            self._reactor.call_later(_RESET_POLL, lambda: self.reset_when_sent(sink))
        else:
            self.abort()

    def abort(self) -> None:
        """Close both sockets with RST, now."""
        if self.is_closed:
            return
        for endpoint in (self.client, self.server):
            endpoint.unregister()
            reset_socket(endpoint.sock)
        self._closed(was_reset=True)

    def _notify(self, call: Callable[[int], None]) -> None:
        try:
            call(monotonic_ns())
        except Exception as error:
            self.observer.on_error(error)

    def _close(self) -> None:
        for endpoint in (self.client, self.server):
            endpoint.unregister()
            endpoint.sock.close()
        self._closed(was_reset=False)

    def _closed(self, *, was_reset: bool) -> None:
        self.is_closed = True
        self._notify(self.observer.closed)
        self._on_close(self, was_reset)


def reset_socket(sock: socket.socket) -> None:
    """Close `sock` with RST, if its address family supports it."""
    with suppress(OSError):  # a dead socket needs no RST
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_RESET)
    sock.close()


def _undelivered(sock: socket.socket) -> int:
    """Return the number of sent bytes that the peer has not acknowledged (SIOCOUTQ)."""
    if sock.family == socket.AF_UNIX:
        return 0
    return int(_INT.unpack(fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(_INT.size)))[0])
