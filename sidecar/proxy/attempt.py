"""One attempt to connect to the model server: its addresses in turn, within a time limit."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable, Sequence

from .deadlines import Deadlines
from .reactor import OUT, SECOND, Reactor
from .sockets import Target, configure_tcp

_SYN_SENT = 2  # a state in TCP_INFO, from Linux' tcp_states.h
BACKLOG_RETRY, LONGEST_BACKLOG_RETRY = SECOND // 200, SECOND // 10  # doubles from the first to the second


class ConnectAttempt:
    """Connects to the first of `targets` that accepts, until the monotonic time `until`, in ns.

    Ends with one call of `on_connected(socket, target)` or `on_failed(error)`, unless it is cancelled.
    """

    __slots__ = (
        "_backlog_retry",
        "_deadlines",
        "_left",
        "_on_connected",
        "_on_failed",
        "_reactor",
        "_server",
        "_until",
    )

    def __init__(
        self,
        reactor: Reactor,
        deadlines: Deadlines,
        targets: Sequence[Target],
        until: int,
        on_connected: Callable[[socket.socket, Target], None],
        on_failed: Callable[[OSError], None],
    ) -> None:
        self._reactor = reactor
        self._deadlines = deadlines
        self._left = list(targets)
        self._until = until
        self._on_connected = on_connected
        self._on_failed = on_failed
        self._server: socket.socket | None = None
        self._backlog_retry = BACKLOG_RETRY

    def start(self) -> None:
        """Connect to the first target that is left. There must be one."""
        family, address = self._left[0]
        try:
            self._server = server = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
            if family != socket.AF_UNIX:
                configure_tcp(server)
        except OSError as error:  # no descriptor is free
            self._left = self._left[:1]
            self._fail(error.errno or errno.EMFILE)
            return
        failure = server.connect_ex(address)
        if failure == 0:
            self._succeed()
        elif failure == errno.EINPROGRESS:
            now = self._reactor.now()
            self._deadlines.set(self._timed_out, now + (self._until - now) // len(self._left))
            self._reactor.register(server.fileno(), OUT, self._progress, self._timed_out)
        elif failure == errno.EAGAIN:  # the backlog of a Unix socket is full; a non-blocking connect does not wait
            self._retry_full_backlog()
        else:
            self._fail(failure)

    def settle(self) -> bool:
        """Handle an answer of the target that has arrived but is not reported yet. Return whether there is one."""
        server = self._server
        if server is None or server.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == _SYN_SENT:
            return False
        self._progress(OUT)
        return True

    def cancel(self) -> None:
        """End the attempt without a call."""
        self._left = []
        self._deadlines.discard(self._timed_out)
        if self._server is not None:
            server, self._server = self._server, None
            self._reactor.unregister(server.fileno())
            server.close()

    def _progress(self, _: int) -> None:
        assert self._server is not None
        failure = self._server.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if failure:
            self._fail(failure)
        elif is_connected_to_itself(self._server):
            self._fail(errno.ECONNREFUSED)
        else:
            self._succeed()

    def _succeed(self) -> None:
        server, self._server = self._server, None
        assert server is not None
        self._deadlines.discard(self._timed_out)
        self._reactor.unregister(server.fileno())
        self._on_connected(server, self._left[0])

    def _timed_out(self) -> None:
        self._fail(errno.ETIMEDOUT)

    def _fail(self, failure: int) -> None:
        # a target that was reset had accepted before, so the others are not tried
        targets = [] if failure == errno.ECONNRESET else self._left[1:]
        self.cancel()
        self._left = targets
        if targets:
            self.start()
        else:
            self._on_failed(OSError(failure, os.strerror(failure)))

    def _retry_full_backlog(self) -> None:
        assert self._server is not None
        self._server.close()
        self._server = None
        if self._reactor.now() + self._backlog_retry >= self._until:
            self._fail(errno.EAGAIN)
            return
        self._reactor.call_later(self._backlog_retry, self._start_again)
        self._backlog_retry = min(2 * self._backlog_retry, LONGEST_BACKLOG_RETRY)

    def _start_again(self) -> None:
        if self._left:  # not cancelled
            self.start()


def is_connected_to_itself(sock: socket.socket) -> bool:
    """Return whether a TCP socket is its own peer, by simultaneous open (RFC 9293, 3.5).

    A connect to an ephemeral port of this machine without a listener may pick the same port as its source. The
    connection then succeeds, and keeps the model server from binding its port.
    """
    try:
        return bool(sock.getsockname() == sock.getpeername())
    except OSError:  # it has been reset already
        return False
