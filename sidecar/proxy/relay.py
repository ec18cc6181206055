"""Forwards bytes between a client connection and its own upstream connection, in both directions, with FIN and RST.

Bytes that were read are sent at once, and passed to the observer after that. If a socket does not accept all of them,
the rest is held and reading from the other side pauses, so a relay holds at most one read per direction. A FIN becomes
a shutdown. A RST becomes a close with SO_LINGER 0, after the bytes and the FIN that came before it have been delivered.
The observer must not delay or change bytes, and its errors must not end a relay.

A peer that closes while bytes are on their way to it sends FIN, and then answers those bytes with RST. Linux reports
the order: after a FIN, an RST fails the next send with EPIPE, and what the peer sent can be read up to its FIN. Without
a FIN, the send fails with ECONNRESET.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from functools import partial
from time import monotonic_ns
from typing import Protocol, TypeAlias

from .reactor import ERR, FAILED, IN, OUT, SECOND, Reactor
from .socket_state import queued_bytes, reset_socket, unacknowledged_bytes, unread_bytes

BUFFER_BYTES = 64 * 1024
_BUFFER = bytearray(BUFFER_BYTES)  # shared by all relays: bytes that are not sent at once are copied
_VIEW = memoryview(_BUFFER)
RESET_TIMEOUT = 5 * SECOND  # ns without progress after which the bytes before an RST are not delivered any more
_RESET_POLL, _LONGEST_RESET_POLL = SECOND // 200, SECOND // 4  # doubles from the first to the second

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

    @property
    def idle(self) -> bool:
        """Return whether the connection is between two exchanges. False if that is not known."""

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
        "reset_first",
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
        self.write_failed = False  # sending failed; bytes that it sent before may still be readable
        self.reset_first = False  # its RST came without a FIN before it
        self.read_failed = False  # nothing more can be read from it

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
        except OSError as error:
            peer.on_write_error(error)
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
        except OSError as error:
            self.on_write_error(error)
            return
        self.outgoing = self.outgoing[sent:] if sent < len(self.outgoing) else None
        if self.outgoing is not None:
            return
        if self.peer.fin_received or self.peer.read_failed:
            self.relay.end_sink(self)
        else:
            self.update_events()
            self.peer.update_events()

    def on_write_error(self, error: OSError) -> None:
        """Handle a failed send: keep reading what the socket sent before its reset, and send nothing more on it."""
        self.write_failed = True
        self.reset_first = error.errno != errno.EPIPE
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
                self.relay.start_reset_timeout(self.peer)
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

    @property
    def is_still(self) -> bool:
        """Return whether both sockets work and no byte is on its way, so that FIN can end the relay without loss."""
        return not self.is_closed and not any(
            end.outgoing is not None or end.write_failed or unread_bytes(end.sock) for end in (self.client, self.server)
        )

    @property
    def is_idle(self) -> bool:
        """Return whether the connection is still, between two exchanges."""
        try:
            return self.observer.idle and self.is_still
        except Exception as error:
            self.observer.on_error(error)
            return False

    def end(self, source: Endpoint) -> None:
        """Forward a FIN of `source`, after the bytes before it. After a reset that came without a FIN, forward that."""
        if source.reset_first:
            self.reset(source)
            return
        source.fin_received = True
        if source is self.server:
            self._notify(self.observer.server_ended)
        if source.peer.outgoing is None:
            self.end_sink(source.peer)
        else:
            source.update_events()

    def end_sink(self, sink: Endpoint) -> None:
        """Send on `sink` how the other side has ended, now that all bytes before that end are sent."""
        if sink.peer.fin_received and not sink.fin_sent:
            self._finish(sink)
        elif sink.peer.read_failed:
            self._reset_when_sent(sink)

    def _finish(self, sink: Endpoint) -> None:
        """Send FIN on `sink`. If the other side has had its FIN, close both sockets; if it was reset, forward that."""
        sink.fin_sent = True
        source = sink.peer
        if source.fin_sent and not source.write_failed:
            self.close()
            return
        try:
            sink.sock.shutdown(socket.SHUT_WR)
        except OSError:  # it has been reset
            self.reset(sink)
            return
        if source.read_failed:
            self._reset_when_sent(sink)
        elif source.write_failed:
            self.reset(source)
        else:
            sink.update_events()
            source.update_events()

    def reset(self, source: Endpoint) -> None:
        """Forward a reset of `source`, after the bytes and the FIN before it have been delivered."""
        if self.is_closed or source.read_failed:
            return
        source.write_failed = source.read_failed = True
        source.outgoing = None
        source.unregister()
        sink = source.peer
        sink.update_events()
        if sink.outgoing is None:
            self.end_sink(sink)
        self.start_reset_timeout(sink)

    def start_reset_timeout(self, sink: Endpoint) -> None:
        """Limit the time that a reset waits for the delivery of the bytes before it to `sink`."""
        if not self._limited and not self.is_closed:
            self._limited = True
            self._reactor.call_later(RESET_TIMEOUT, partial(self._require_progress, sink, _undelivered(sink)))

    def _require_progress(self, sink: Endpoint, before: int) -> None:
        if self.is_closed:
            return
        left = _undelivered(sink)
        if left < before:
            self._reactor.call_later(RESET_TIMEOUT, partial(self._require_progress, sink, left))
        else:
            self.abort()

    def _reset_when_sent(self, sink: Endpoint, poll: int = _RESET_POLL) -> None:
        """Close with RST once the kernel has delivered all bytes that were sent on `sink`, and its FIN."""
        if self.is_closed:
            return
        if sink.read_failed or not unacknowledged_bytes(sink.sock):
            self.abort()
        else:
            sink.update_events()
            self._reactor.call_later(poll, partial(self._reset_when_sent, sink, min(2 * poll, _LONGEST_RESET_POLL)))

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

    def close(self) -> None:
        """Close both sockets with FIN. Bytes are lost unless the connection is still."""
        for endpoint in (self.client, self.server):
            endpoint.unregister()
            endpoint.sock.close()
        self._closed(was_reset=False)

    def _closed(self, *, was_reset: bool) -> None:
        self.is_closed = True
        self._notify(self.observer.closed)
        self._on_close(self, was_reset)


def _undelivered(sink: Endpoint) -> int:
    """Return the number of bytes on their way to the peer of `sink`, within this machine."""
    held = 0 if sink.outgoing is None else len(sink.outgoing)
    return unread_bytes(sink.peer.sock) + held + queued_bytes(sink.sock)
