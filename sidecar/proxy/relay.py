"""One client connection and its own upstream connection: bytes over, in both directions, and their ends as they came.

What was read goes out at once; only then is it shown to the observer. Where a socket does not take all of it, the rest
waits and nothing more is read from the other side (at most one portion a direction is held). FIN travels as a shutdown,
RST as a close with SO_LINGER 0, after what came before it has gone out.
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
_BUFFER = bytearray(BUFFER_BYTES)  # shared: what is not sent at once is copied out of it
_VIEW = memoryview(_BUFFER)
_LINGER_RESET = struct.pack("ii", 1, 0)
_INT = struct.Struct("i")
RESET_TIMEOUT = 5 * SECOND  # how long the bytes before an RST may take
_RESET_POLL = SECOND // 200

# takes the bytes of one side; returns the callable that takes the bytes after these, where that changes
ObserveBytes: TypeAlias = "Callable[[memoryview, int], ObserveBytes | None]"


class RelayObserver(Protocol):
    """Sees the bytes of a connection after they were forwarded. Times are monotonic ns.

    Whatever it raises is a defect of its own: it is told so by `defect`, and the relay goes on.
    """

    @property
    def client(self) -> ObserveBytes:
        """Takes bytes that came from the client."""

    @property
    def server(self) -> ObserveBytes:
        """Takes bytes that came from the server."""

    @property
    def server_ended(self) -> Callable[[int], None]:
        """Takes the news that the server half-closed."""

    def closed(self, now: int) -> None:
        """The connection is gone."""

    def on_error(self, error: Exception) -> None:
        """One of the other calls raised."""


class Endpoint:
    """One of the two sockets: reads for its peer, and holds what still has to go out on itself."""

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
        self.fin_received = False  # it sent FIN: nothing more comes from it
        self.fin_sent = False  # we sent FIN: nothing more goes out on it
        self.write_failed = False  # sending failed, so it was reset; what it sent before may still be there to be read
        self.read_failed = False  # reading failed too

    def unregister(self) -> None:
        """Ask for no event, not even of errors."""
        if self._registered:
            self._registered = False
            self._reactor.unregister(self.sock.fileno())

    def update_events(self) -> None:
        """Watch for just what can be acted on: reading unless the peer is full, writing while something waits."""
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
        """Act on the events of this socket."""
        if events & OUT:
            self.flush()
            if not self._registered:
                return
        if events & IN and self._mask & IN:
            self.forward()
        elif events & FAILED:
            self._on_hangup(events)

    def forward(self) -> None:
        """Read a portion and send it on; then show it."""
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
        peer, seen = self.peer, _VIEW[:size]
        try:
            sent = peer.send(seen)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError:
            peer.on_write_error()
            return
        if sent != size:
            peer.outgoing = memoryview(bytes(seen[sent:]))
            self.update_events()
            peer.update_events()
        try:
            following = self.observe(seen, monotonic_ns())
        except Exception as error:
            self.relay.observer.on_error(error)
            return
        if following is not None:
            self.observe = following

    def flush(self) -> None:
        """Send what waits; when all has gone, let the peer read again or pass on its end."""
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
        """Sending failed: read on what came before the reset, and take nothing more for this socket."""
        self.write_failed = True
        self.outgoing = None
        if self.fin_received:
            self.relay.reset(self)
            return
        self.peer.update_events()
        self.update_events()

    def _on_hangup(self, events: int) -> None:
        """An error or a hang-up came while this socket is not being read."""
        if self.peer.outgoing is not None and not self.fin_received:
            self.unregister()  # what it sent before is read when the peer takes more, and then its end
            if events & ERR:
                self.relay.start_reset_timeout()
        elif events & ERR or self.write_failed:
            self.relay.reset(self)
        else:
            self.unregister()  # both ways are shut; what waits for the peer is all that is left


class Relay:
    """Pairs a client's socket with one of the server's and carries the ends over."""

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
        """Begin to relay; the server's socket is connected."""
        self.client.update_events()
        self.server.update_events()

    def end(self, source: Endpoint) -> None:
        """`source` sent FIN: pass it on after what came before. After a failed send it stands for a reset."""
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
        """Send FIN on `sink`; close when that was the second one."""
        sink.fin_sent = True
        if sink.peer.fin_sent:
            self._close()
            return
        try:
            sink.sock.shutdown(socket.SHUT_WR)
        except OSError:  # it was reset meanwhile
            self.reset(sink)
            return
        sink.update_events()
        sink.peer.update_events()

    def reset(self, source: Endpoint) -> None:
        """`source` was reset: pass it on after what came before it has gone out."""
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
        """A reset waits for the bytes before it; from now on not without end."""
        if not self._limited:
            self._limited = True
            self._reactor.call_later(RESET_TIMEOUT, self.abort)

    def reset_when_sent(self, sink: Endpoint) -> None:
        """Close with RST as soon as the kernel has delivered what `sink` was given."""
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
    """Close `sock` so that its peer sees RST, where its family knows that."""
    with suppress(OSError):  # a socket that is dead already needs no RST
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_RESET)
    sock.close()


def _undelivered(sock: socket.socket) -> int:
    """Return the bytes that the kernel holds and the other end has not acknowledged (SIOCOUTQ)."""
    if sock.family == socket.AF_UNIX:
        return 0
    return int(_INT.unpack(fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(_INT.size)))[0])
