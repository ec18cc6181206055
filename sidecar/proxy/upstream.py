"""Connecting to the model: a refusal is retried until the first success ever, afterwards it is passed on at once."""

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
SYN_RETRIES = 3  # an address that does not answer at all is given up after about 15 s


class Upstream:
    """One model server's address, whether it ever answered, and who waits for that: one of them tries for all."""

    def __init__(self, reactor: Reactor, address: Address) -> None:
        self.targets = resolve(address)
        self.has_connected = False
        self._reactor = reactor
        self._waiting: deque[UpstreamConnect] = deque()
        self._scheduled = False

    def mark_connected(self) -> None:
        """It answered: all that waited try now."""
        self.has_connected = True
        while self._waiting:
            self._waiting.popleft().attempt()

    def wait(self, connecting: UpstreamConnect) -> None:
        """Let `connecting` attempt again, as the one that tries or after the first success."""
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
    """One attempt after another to connect for one client; ends in `on_connected(socket)` or `on_refused(client_left)`.

    The client is watched meanwhile: when it leaves, the attempts end, and `left` is true.
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
        """Begin to connect."""
        self._reactor.register(self._client.fileno(), 0, self._on_client_event, self.cancel)
        self.attempt()

    def cancel(self) -> None:
        """Give up: the client is refused."""
        if not self.is_done:
            self._refuse()

    def attempt(self) -> None:
        """Try the next of the upstream's addresses."""
        if self.is_done:
            return
        family, target = next(self._targets)
        self._targets_left -= 1
        try:
            self._server = server = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        except OSError:  # no descriptor is left
            self._refuse()
            return
        if family != socket.AF_UNIX:
            server.setsockopt(socket.IPPROTO_TCP, socket.TCP_SYNCNT, SYN_RETRIES)
        failure = server.connect_ex(target)  # type: ignore[arg-type]  # as `resolve` gave it for this family
        if failure == 0:
            self._connected()
        elif failure == errno.EINPROGRESS:
            self._reactor.register(server.fileno(), OUT, self._progress, self.cancel)
        elif failure == errno.EAGAIN:  # a Unix socket whose backlog is full: where others wait, it refuses to
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
    """Return a descriptor that can be given up for a moment when all others are taken."""
    return os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
