"""Connects to the model server.

Until the first connection succeeds, refused attempts are retried, because a model may start later than the proxy. After
that, a refusal is passed on to the client at once.
"""

from __future__ import annotations

import errno
import os
import socket
from collections import deque
from collections.abc import Callable
from itertools import cycle

from ..system.addresses import Address
from .reactor import FAILED, OUT, SECOND, Reactor
from .relay import reset_socket
from .sockets import resolve

RETRY = SECOND // 10
BACKLOG_RETRY = SECOND // 200
SYN_RETRIES = 3  # an address that does not answer fails after about 15 s


class Upstream:
    """The address of one model server, and the clients that wait for its first answer. One of them retries for all."""

    def __init__(self, reactor: Reactor, address: Address) -> None:
        self.targets = resolve(address)
        self.has_connected = False
        self._reactor = reactor
        self._waiting: deque[UpstreamConnect] = deque()
        self._scheduled = False

    def mark_connected(self) -> None:
        """Record the first success and let all waiting clients connect."""
        self.has_connected = True
        while self._waiting:
            self._waiting.popleft().attempt()

    def wait(self, connecting: UpstreamConnect) -> None:
        """Retry `connecting` later: as the client that retries for all, or after the first success."""
        self._waiting.append(connecting)
        self._schedule()

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._reactor.call_later(RETRY, self._retry_next)

    def _retry_next(self) -> None:
        self._scheduled = False
        while self._waiting:
            connecting = self._waiting.popleft()
            if not connecting.is_done:
                connecting.attempt()
                break
        if self._waiting:
            self._schedule()


class UpstreamConnect:
    """The attempts to connect for one client. They end in `on_connected(socket)` or `on_refused(client_left)`.

    If the client disconnects before that, the attempts end and `client_left` is true.
    """

    def __init__(
        self,
        reactor: Reactor,
        upstream: Upstream,
        client: socket.socket,
        on_connected: Callable[[socket.socket], None],
        on_refused: Callable[[bool], None],
    ) -> None:
        self._reactor = reactor
        self._upstream = upstream
        self._client = client
        self._on_connected = on_connected
        self._on_refused = on_refused
        self._targets = cycle(upstream.targets)
        self._targets_left = len(upstream.targets)
        self._server: socket.socket | None = None
        self.is_done = False

    def start(self) -> None:
        """Start connecting."""
        self._reactor.register(self._client.fileno(), 0, self._on_client_event, self.cancel)
        self.attempt()

    def cancel(self) -> None:
        """End the attempts and refuse the client."""
        if not self.is_done:
            self._refuse()

    def attempt(self) -> None:
        """Connect to the next address of the upstream."""
        if self.is_done:
            return
        family, target = next(self._targets)
        self._targets_left -= 1
        try:
            self._server = server = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        except OSError:  # no descriptor is free
            self._refuse()
            return
        if family != socket.AF_UNIX:
            server.setsockopt(socket.IPPROTO_TCP, socket.TCP_SYNCNT, SYN_RETRIES)
        failure = server.connect_ex(target)  # type: ignore[arg-type]  # `resolve` returns the type that belongs to the family
        if failure == 0:
            self._connected()
        elif failure == errno.EINPROGRESS:
            self._reactor.register(server.fileno(), OUT, self._progress, self.cancel)
        elif failure == errno.EAGAIN:  # the backlog of a Unix socket is full; a non-blocking connect does not wait
            self._close_server()
            self._targets_left += 1
            self._reactor.call_later(BACKLOG_RETRY, self.attempt)
        else:
            self._failed()

    def _progress(self, _: int) -> None:
        assert self._server is not None
        if self._server.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self._failed()
        else:
            self._connected()

    def _connected(self) -> None:
        server, self._server = self._server, None
        assert server is not None
        self._reactor.unregister(server.fileno())
        self._end()
        self._on_connected(server)
        if not self._upstream.has_connected:
            self._upstream.mark_connected()

    def _failed(self) -> None:
        self._close_server()
        if self._targets_left > 0:
            self.attempt()
        elif self._upstream.has_connected:
            self._refuse()
        else:
            self._targets_left = len(self._upstream.targets)
            self._upstream.wait(self)

    def _on_client_event(self, events: int) -> None:
        if events & FAILED:
            self._refuse(client_left=True)

    def _refuse(self, *, client_left: bool = False) -> None:
        self._end()
        self._on_refused(client_left)

    def _end(self) -> None:
        self.is_done = True
        self._close_server()
        self._reactor.unregister(self._client.fileno())

    def _close_server(self) -> None:
        if self._server is not None:
            self._reactor.unregister(self._server.fileno())
            reset_socket(self._server)
            self._server = None


def descriptor_reserve() -> int:
    """Return a spare descriptor, to be closed when no other descriptor is free."""
    return os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
