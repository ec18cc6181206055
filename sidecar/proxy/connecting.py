"""The time of a client between being accepted and being relayed: the proxy connects to the upstream for it."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from enum import Enum

from .attempt import ConnectAttempt
from .reactor import ERR, HUP, RDHUP, Reactor
from .socket_state import unread_bytes
from .sockets import Target
from .upstream import NO_DESCRIPTOR, Upstream


class Refusal(Enum):
    """Why a client got no connection to the upstream."""

    UPSTREAM = "upstream"  # the upstream cannot be reached
    DESCRIPTORS = "descriptors"  # this process has no descriptor for a connection
    CLIENT_LEFT = "client left"  # it sent FIN and no byte
    CLIENT_RESET = "client reset"
    UPSTREAM_RESET = "upstream reset"  # it accepted and sent RST at once


class UpstreamConnect:
    """The attempts to connect for one client. They end with `on_connected(socket)` or `on_refused(why)`.

    The client's bytes stay in the kernel until then. A client that sent bytes and then FIN still expects an answer; one
    that sent FIN alone, or RST, is released at once.
    """

    def __init__(
        self,
        reactor: Reactor,
        upstream: Upstream,
        client: socket.socket,
        on_connected: Callable[[socket.socket], None],
        on_refused: Callable[[Refusal], None],
    ) -> None:
        self._reactor = reactor
        self._upstream = upstream
        self._client = client
        self._on_connected = on_connected
        self._on_refused = on_refused
        self._attempt: ConnectAttempt | None = None
        self._is_done = False
        now = reactor.now()
        self._retry_until = now + upstream.patience()
        self._until = now + upstream.connect_limit()

    def start(self) -> None:
        """Start to connect."""
        self._reactor.register(self._client.fileno(), RDHUP, self._on_client_event, self.cancel)
        if self._upstream.targets:
            self.attempt()
        else:
            self._wait_or_refuse()

    def cancel(self) -> None:
        """End the attempts and refuse the client."""
        if not self._is_done:
            self._refuse(Refusal.UPSTREAM)

    def attempt(self) -> None:
        """Try to connect now."""
        if self._is_done:
            return
        self._upstream.deadlines.discard(self.cancel)
        self._attempt = ConnectAttempt(
            self._reactor,
            self._upstream.deadlines,
            self._upstream.targets,
            self._upstream.attempt_until(self._until),
            self._connected,
            self._failed,
        )
        self._attempt.start()

    def adopt(self, server: socket.socket) -> None:
        """Use a connection that a probe has opened."""
        self._end()
        self._on_connected(server)

    def refuse_unless_patient(self) -> None:
        """Refuse the client, unless it may wait longer."""
        if self._reactor.now() >= self._retry_until:
            self.cancel()

    def _connected(self, server: socket.socket, target: Target) -> None:
        self._attempt = None
        self.adopt(server)
        self._upstream.reached(target)

    def _failed(self, error: OSError) -> None:
        self._attempt = None
        self._upstream.failed(error)
        if error.errno in NO_DESCRIPTOR:
            self._refuse(Refusal.DESCRIPTORS)
        elif error.errno == errno.ECONNRESET:
            self._refuse(Refusal.UPSTREAM_RESET)
        else:
            self._wait_or_refuse()

    def _wait_or_refuse(self) -> None:
        """Wait for the next attempt of all clients, or for the lookup of a name, which may have a new address."""
        now = self._reactor.now()
        if now < self._retry_until or (self._upstream.is_looking_up and now < self._until):
            self._upstream.deadlines.set(self.cancel, max(self._retry_until, self._until))
            self._upstream.wait(self)
        else:
            self._refuse(Refusal.UPSTREAM)

    def _on_client_event(self, events: int) -> None:
        """Release a client that has left. If the upstream has just accepted it, the relay forwards its end instead."""
        if self._attempt is not None and self._attempt.settle():
            return
        is_unix = self._client.family == socket.AF_UNIX
        if events & ERR or (events & HUP and not is_unix):  # HUP of a Unix socket is not a reset: its bytes can be read
            self._refuse(Refusal.CLIENT_RESET)
        elif not unread_bytes(self._client):
            self._refuse(Refusal.CLIENT_LEFT)
        elif is_unix:
            self._reactor.unregister(self._client.fileno())  # HUP cannot be masked
        else:
            self._reactor.modify(self._client.fileno(), 0)  # still reports a reset

    def _refuse(self, why: Refusal) -> None:
        self._end()
        self._on_refused(why)

    def _end(self) -> None:
        self._is_done = True
        self._upstream.leave(self)
        self._upstream.deadlines.discard(self.cancel)
        if self._attempt is not None:
            self._attempt.cancel()
        self._reactor.unregister(self._client.fileno())
