"""Attackers that send bytes which are expensive to parse, through the same proxy as the measured neighbour.

As a program, `proxy_attacks.py PORT UPSTREAM PATTERN SECONDS`, it plays both ends: the attacking clients on PORT and
the model server behind them on UPSTREAM, which reads everything and sends what the pattern requires.
"""

from __future__ import annotations

import selectors
import socket
import sys
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic, sleep

CONNECTIONS = 20
READ = 64 * 1024
_CHUNKED = b"POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
_UPLOAD = b"POST /x HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n"
_GET = b"GET /s HTTP/1.1\r\n\r\n"
_EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def _filled(unit: bytes, size: int = READ) -> bytes:
    """Return as many repetitions of `unit` as fit into `size` bytes."""
    return unit * (size // len(unit))


@dataclass(frozen=True, slots=True)
class Pattern:
    """What each attacker sends: `opening` once a connection, `burst` every `interval` seconds.

    renewed     each burst opens a connection, so an earlier verdict on the connection does not help the proxy
    answer      the server's opening; `answers` is its burst
    """

    opening: bytes
    burst: bytes = b""
    answer: bytes = b""
    answers: bytes = b""
    interval: float = 0.1
    renewed: bool = False


QUIET = "nobody else"
PATTERNS = {
    "plain uploads": Pattern(_UPLOAD, bytes(READ)),
    "plain uploads, new connections": Pattern(_UPLOAD, bytes(READ), renewed=True),
    "64 KiB of LF, then single bytes": Pattern(_filled(b"\n", 65_000) + b"GET /", b"a", interval=0.01),
    "a head byte by byte": Pattern(b"GET / HTTP/1.1\r\nX: " + _filled(b"x", 60_000), b"x", interval=0.01),
    "one-byte chunks": Pattern(_CHUNKED, _filled(b"1\r\nx\r\n")),
    "one-byte chunks, new connections": Pattern(_CHUNKED, _filled(b"1\r\nx\r\n"), renewed=True),
    "one-byte chunks, 400 a read": Pattern(_CHUNKED, _filled(b"1\r\nx\r\n", 2400), interval=0.01),
    "tiny header lines": Pattern(b"", b"GET / HTTP/1.1\r\n" + _filled(b"a:\n", 65_000) + b"\n", renewed=True),
    "folded lines": Pattern(b"", b"GET / HTTP/1.1\r\na:\n" + _filled(b" \n", 65_000) + b"\n", renewed=True),
    "paths /a/a/a": Pattern(b"", b"GET " + _filled(b"/a", 65_000) + b" HTTP/1.1\r\n\r\n", renewed=True),
    "paths /a1/a1, pipelined": Pattern(
        b"", _filled(b"GET " + _filled(b"/a1", 500) + b" HTTP/1.1\r\n\r\n"), renewed=True
    ),
    "small pipelined requests": Pattern(b"", _filled(b"GET / HTTP/1.1\r\n\r\n"), renewed=True),
    "100 pipelined requests, then a close": Pattern(b"", b"GET / HTTP/1.1\r\n\r\n" * 100, renewed=True),
    "trailer lines": Pattern(_CHUNKED + b"0\r\n", _filled(b"a:\n")),
    "tiny events": Pattern(_GET, b"", _EVENTS, _filled(b"3\r\na\n\n\r\n")),
    "interim responses": Pattern(_GET, b"", b"", _filled(b"HTTP/1.1 102 P\r\n\r\n")),
    "encoded paths": Pattern(b"", _filled(b"GET /" + _filled(b"%3A", 450) + b" HTTP/1.1\r\n\r\n"), renewed=True),
}


class End:
    """One end of a connection and the bytes that wait to be sent on it."""

    def __init__(self, sock: socket.socket, opening: bytes) -> None:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = sock
        self._waiting = b""
        self.send(opening)

    def send(self, data: bytes) -> None:
        """Send, and keep what the socket does not take now. A burst waits until the one before it is sent."""
        self._waiting = self._waiting or data
        with suppress(BlockingIOError):
            while self._waiting:
                self._waiting = self._waiting[self.sock.send(self._waiting) :]


class Attack:
    """All attackers of one pattern, and the server behind them."""

    def __init__(self, port: int, upstream: int, pattern: Pattern) -> None:
        self._port = port
        self._pattern = pattern
        self._selector = selectors.DefaultSelector()
        self._listener = socket.create_server(("127.0.0.1", upstream), backlog=1024)
        self._listener.setblocking(False)
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._clients: list[End] = []
        self._servers: list[End] = []

    def run(self, seconds: float) -> None:
        """Attack for the given time."""
        end, due = monotonic() + seconds, monotonic()
        while due < end:
            if self._pattern.renewed or not self._clients:
                self._connect()
            for side, burst in ((self._clients, self._pattern.burst), (self._servers, self._pattern.answers)):
                for one in side:
                    with suppress(OSError):
                        one.send(burst)
            due += self._pattern.interval
            while (left := due - monotonic()) > 0:
                self._read(left)
            due = max(due, monotonic())  # on a busy machine, late bursts are left out

    def _connect(self) -> None:
        for client in self._clients:
            self._close(client.sock)
        sockets = [socket.create_connection(("127.0.0.1", self._port)) for _ in range(CONNECTIONS)]
        self._clients = [End(sock, self._pattern.opening) for sock in sockets]
        for client in self._clients:
            self._selector.register(client.sock, selectors.EVENT_READ)

    def _read(self, timeout: float) -> None:
        for key, _ in self._selector.select(timeout):
            sock = key.fileobj
            assert isinstance(sock, socket.socket)
            if sock is self._listener:
                server, _ = sock.accept()
                self._servers.append(End(server, self._pattern.answer))
                self._selector.register(server, selectors.EVENT_READ)
                continue
            try:
                data = sock.recv(1 << 20)
            except OSError:
                data = b""
            if not data:
                self._close(sock)
                self._servers = [one for one in self._servers if one.sock is not sock]

    def _close(self, sock: socket.socket) -> None:
        if sock.fileno() >= 0:
            self._selector.unregister(sock)
            sock.close()


if __name__ == "__main__":
    if sys.argv[3] == QUIET:
        sleep(float(sys.argv[4]))
    else:
        Attack(int(sys.argv[1]), int(sys.argv[2]), PATTERNS[sys.argv[3]]).run(float(sys.argv[4]))
