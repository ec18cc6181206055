"""Accepts clients within limits. Each client becomes a relay, or is refused with RST and counted.

A listener accepts on one socket and connects to one upstream; the ConnectionManager of connections.py counts the
connections of all listeners. Every accepted client must end in exactly one of the counters `ended`, `reset` or
`refused_*`.
"""

from __future__ import annotations

import os
import socket

from ..channel import layout as at
from ..system.limits import UNLIMITED, raise_descriptor_limit
from .connecting import Refusal, UpstreamConnect
from .connections import ConnectionManager
from .observer import ConnectionObserver, Observer
from .reactor import IN, SECOND, Reactor
from .refusals import DESCRIPTORS, LIMIT, WAITING, RefusalLog
from .relay import Relay
from .socket_state import reset_socket
from .sockets import BACKLOG
from .upstream import NO_DESCRIPTOR, Upstream

ACCEPTS_PER_ROUND = 4  # each takes 0.2 ms with its connect, and all open connections wait for them
OWN_DESCRIPTORS = 40  # standard streams, loop, page, channel, listeners, and the connections of the health address
_PAUSE = SECOND // 20

_ACCEPTED, _OPEN, _ENDED, _RESET, _LIMIT, _UPSTREAM, _DESCRIPTORS = (
    at.connection(name)
    for name in ("accepted", "open", "ended", "reset", "refused_limit", "refused_upstream", "refused_descriptors")
)
_REFUSED = {
    Refusal.CLIENT_LEFT: _ENDED,
    Refusal.CLIENT_RESET: _RESET,
    Refusal.DESCRIPTORS: _DESCRIPTORS,
    Refusal.UPSTREAM: _UPSTREAM,
    Refusal.UPSTREAM_RESET: _RESET,
}


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
        self._refusals = RefusalLog(reactor)
        self._reserve = _descriptor_reserve()
        self._is_accepting = False
        self._is_closed = False

    def start(self) -> None:
        """Start or resume accepting."""
        if not self._is_accepting and not self._is_closed:
            self._is_accepting = True
            self._reactor.register(self._sock.fileno(), IN, self._on_readable, self._pause)

    def close(self) -> None:
        """Accept the clients that wait in the backlog, then close the socket."""
        for _ in range(BACKLOG // ACCEPTS_PER_ROUND):
            if not self.accept_waiting():
                break
        if self._is_accepting:
            self._reactor.unregister(self._sock.fileno())
        self._is_accepting, self._is_closed = False, True
        self._sock.close()

    def _on_readable(self, _events: int) -> None:
        self.accept_waiting()

    def accept_waiting(self) -> bool:
        """Accept some of the clients that wait in the backlog; return whether more may wait."""
        for _ in range(0 if self._is_closed else ACCEPTS_PER_ROUND):
            try:
                client, _ = self._sock.accept()
            except (BlockingIOError, InterruptedError):
                return False
            except OSError as error:
                if error.errno in NO_DESCRIPTOR:
                    self._refuse_without_descriptor()
                    return False
                continue  # the client disconnected before it was accepted
            self._accept_client(client)
        return not self._is_closed

    def _accept_client(self, client: socket.socket) -> None:
        client.setblocking(False)
        page = self._connections.page
        page.add(_ACCEPTED)
        if self._connections.count >= self._connections.limit:
            page.add(_LIMIT)
            reset_socket(client)
            self._refusals.note(LIMIT)
            return
        page.add(_OPEN)
        connecting: UpstreamConnect

        def connected(server: socket.socket) -> None:
            self._pair(client, server)
            self._connections.remove(connecting)

        def refused(why: Refusal) -> None:
            reset_socket(client)
            self._count_end(_REFUSED[why])
            self._connections.remove(connecting)
            if why is Refusal.DESCRIPTORS:
                self._refusals.note(DESCRIPTORS)

        connecting = UpstreamConnect(self._reactor, self._upstream, client, connected, refused)
        self._connections.add(connecting)
        connecting.start()

    def _pair(self, client: socket.socket, server: socket.socket) -> None:
        relay = Relay(self._reactor, client, server, ConnectionObserver(self._observer, self._index), self._closed)
        self._connections.add(relay)
        relay.start()

    def _closed(self, relay: Relay, was_reset: bool) -> None:
        self._count_end(_RESET if was_reset else _ENDED)
        self._connections.remove(relay)

    def _count_end(self, how: int) -> None:
        """Count a connection as no longer open and as ended in the way of the word `how`, in one group of stores."""
        words = self._connections.page.words
        words[at.AT_LOCK] += 1
        words[_OPEN] -= 1
        words[how] += 1
        words[at.AT_LOCK] += 1

    def _refuse_without_descriptor(self) -> None:
        """Use the reserved descriptor to refuse one client with RST, then pause accepting for `_PAUSE` ns."""
        if self._reserve is not None:
            os.close(self._reserve)
        try:
            client, _ = self._sock.accept()
        except BlockingIOError:  # the client has disconnected
            client = None
        except OSError:  # another part took the descriptor, or the machine has none: the client waits
            client = None
            self._connections.page.add(_DESCRIPTORS)
            self._refusals.note(WAITING)
        if client is not None:
            reset_socket(client)
            self._connections.page.add(_DESCRIPTORS)
            self._refusals.note(DESCRIPTORS)
        self._reserve = _descriptor_reserve()
        self._pause()

    def _pause(self) -> None:
        if self._is_accepting:
            self._is_accepting = False
            self._reactor.unregister(self._sock.fileno())
            self._reactor.call_later(_PAUSE, self.start)


def connection_limit(wanted: int) -> int:
    """Raise the soft descriptor limit to the hard one. Return how many connections it allows, at most `wanted`."""
    hard = raise_descriptor_limit()
    fitting = max(1, (hard - OWN_DESCRIPTORS) // 2) if hard != UNLIMITED else 1 << 20
    return min(wanted, fitting)


def _descriptor_reserve() -> int | None:
    """Return a spare descriptor, to be closed when no other descriptor is free. None if none is free now."""
    try:
        return os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
