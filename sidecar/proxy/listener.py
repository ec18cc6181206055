"""Accepts clients within limits. Each client becomes a relay, or is refused with RST and counted.

A listener accepts on one socket and connects to one upstream; one ConnectionManager counts the connections of all
listeners. Every accepted client must end in exactly one of the counters `ended`, `reset` or `refused_*`.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable

from ..channel import layout as at
from ..channel.page import CounterPage
from ..system.limits import UNLIMITED, raise_descriptor_limit
from .observer import ConnectionObserver, Observer
from .reactor import IN, SECOND, Reactor
from .relay import Relay, reset_socket
from .upstream import Upstream, UpstreamConnect, descriptor_reserve

ACCEPTS_PER_ROUND = 64
OWN_DESCRIPTORS = 32
_PAUSE = SECOND // 20
_NO_DESCRIPTOR = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)

_ACCEPTED, _OPEN, _ENDED, _RESET, _LIMIT, _UPSTREAM, _DESCRIPTORS = (
    at.connection(name)
    for name in ("accepted", "open", "ended", "reset", "refused_limit", "refused_upstream", "refused_descriptors")
)


class ConnectionManager:
    """All connections of all listeners. Calls `on_idle` when the last one has ended; listeners enforce `limit`."""

    def __init__(self, page: CounterPage, limit: int, on_idle: Callable[[], None]) -> None:
        self.page = page
        self.limit = limit
        self._on_idle = on_idle
        self._open: set[Relay | UpstreamConnect] = set()

    @property
    def count(self) -> int:
        """Return the number of open connections."""
        return len(self._open)

    def add(self, connection: Relay | UpstreamConnect) -> None:
        """Add an open connection."""
        self._open.add(connection)

    def remove(self, connection: Relay | UpstreamConnect) -> None:
        """Remove a connection that has ended."""
        self._open.discard(connection)
        if not self._open:
            self._on_idle()

    def abort_all(self) -> None:
        """Close every connection with RST."""
        for connection in list(self._open):
            if isinstance(connection, Relay):
                connection.abort()
            else:
                connection.cancel()


class Listener:
    """Accepts clients on one socket for one upstream. `index` is the number of the listen/upstream pair."""

    def __init__(
        self,
        reactor: Reactor,
        sock: socket.socket,
        upstream: Upstream,
        observer: Observer,
        connections: ConnectionManager,
        index: int,
    ) -> None:
        self._reactor = reactor
        self._sock = sock
        self._upstream = upstream
        self._observer = observer
        self._connections = connections
        self._index = index
        self._reserve = descriptor_reserve()

    def start(self) -> None:
        """Start or resume accepting."""
        self._reactor.register(self._sock.fileno(), IN, self._ready, self._pause)

    def _ready(self, _: int) -> None:
        for _ in range(ACCEPTS_PER_ROUND):
            try:
                client, _ = self._sock.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                if error.errno in _NO_DESCRIPTOR:
                    self._refuse_without_descriptor()
                    return
                continue  # the client disconnected before it was accepted
            self._accept_client(client)

    def _accept_client(self, client: socket.socket) -> None:
        client.setblocking(False)
        page = self._connections.page
        page.add(_ACCEPTED)
        if self._connections.count >= self._connections.limit:
            page.add(_LIMIT)
            reset_socket(client)
            return
        page.add(_OPEN)
        connecting: UpstreamConnect

        def connected(server: socket.socket) -> None:
            self._pair(client, server)
            self._connections.remove(connecting)

        def refused(client_left: bool) -> None:
            reset_socket(client)
            page.add(_OPEN, -1)
            page.add(_RESET if client_left else _UPSTREAM)
            self._connections.remove(connecting)

        connecting = UpstreamConnect(self._reactor, self._upstream, client, connected, refused)
        self._connections.add(connecting)
        connecting.start()

    def _pair(self, client: socket.socket, server: socket.socket) -> None:
        for sock in (client, server):
            if sock.family != socket.AF_UNIX:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        relay = Relay(self._reactor, client, server, ConnectionObserver(self._observer, self._index), self._closed)
        self._connections.add(relay)
        relay.start()

    def _closed(self, relay: Relay, was_reset: bool) -> None:
        page = self._connections.page
        page.add(_OPEN, -1)
        page.add(_RESET if was_reset else _ENDED)
        self._connections.remove(relay)

    def _refuse_without_descriptor(self) -> None:
        """Use the reserved descriptor to refuse one client with RST, then pause accepting for `_PAUSE` ns."""
        os.close(self._reserve)
        try:
            client, _ = self._sock.accept()
        except OSError:  # another process took the descriptor, or the client disconnected
            client = None
        if client is not None:
            reset_socket(client)
            self._connections.page.add(_DESCRIPTORS)
        self._reserve = descriptor_reserve()
        self._pause()

    def _pause(self) -> None:
        self._reactor.unregister(self._sock.fileno())
        self._reactor.call_later(_PAUSE, self.start)


def connection_limit(wanted: int) -> int:
    """Raise the soft descriptor limit to the hard one. Return how many connections it allows, at most `wanted`."""
    hard = raise_descriptor_limit()
    fitting = max(1, (hard - OWN_DESCRIPTORS) // 2) if hard != UNLIMITED else 1 << 20
    return min(wanted, fitting)
