"""Both ends of one connection in one thread, so that a script determines the order of events.

`up` sends bytes from client to server, `down` from server to client. Both return when the other end has received the
bytes. `up_fin`, `down_fin`, `up_rst` and `down_rst` end a direction and return when the other end has seen that end. No
step depends on time. The same script runs on a direct connection and through the proxy.
"""

from __future__ import annotations

import select
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.integration.process import DEADLINE, Address, dial
from tests.support.waiting import patient

Cut = Callable[[bytes], list[bytes]]
LINGER_ZERO = struct.pack("ii", 1, 0)
PATIENCE_MS = int(DEADLINE * 1000)
# if no byte moves for this time, all buffers on the path are full
STALLED_MS = int(patient(0.25) * 1000)


def whole(data: bytes) -> list[bytes]:
    """Send in one piece."""
    return [data]


def bytewise(data: bytes) -> list[bytes]:
    """Send byte by byte; each byte arrives before the next one is sent."""
    return [data[at : at + 1] for at in range(len(data))]


def every(size: int) -> Cut:
    """Send in pieces of `size` bytes."""
    return lambda data: [data[at : at + size] for at in range(0, len(data), size)]


def reset(stream: socket.socket) -> None:
    """Close with a reset."""
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_ZERO)
    stream.close()


def ending(stream: socket.socket) -> str:
    """Return how the peer ended its direction: `fin`, `rst`, or a description of unexpected bytes."""
    try:
        rest = stream.recv(65536)
    except ConnectionResetError:
        return "rst"
    return "fin" if not rest else f"{len(rest)} bytes more: {rest[:80]!r}"


def drained(stream: socket.socket) -> tuple[int, str]:
    """Read to the end; return the number of bytes, and `fin` or `rst`."""
    total = 0
    while True:
        try:
            data = stream.recv(1 << 20)
        except ConnectionResetError:
            return total, "rst"
        if not data:
            return total, "fin"
        total += len(data)


def await_hang_up(stream: socket.socket) -> None:
    """Wait until the connection is closed in both directions, for instance by a reset."""
    poll = select.poll()
    poll.register(stream, 0)
    assert poll.poll(PATIENCE_MS), "the connection is still open, but a reset was expected"


def fill(stream: socket.socket, chunk: bytes) -> int:
    """Send until all buffers on the path are full; return the number of sent bytes."""
    poll, sent = select.poll(), 0
    poll.register(stream, select.POLLOUT)
    stream.setblocking(False)
    while poll.poll(STALLED_MS):
        sent += stream.send(chunk)
    stream.settimeout(DEADLINE)
    return sent


class Wire:
    """One connection: its sockets `client` and `server`, and the bytes sent from each, `sent_up` and `sent_down`."""

    def __init__(self, client: socket.socket, server: socket.socket, cut: Cut) -> None:
        self.client, self.server, self.cut = client, server, cut
        self.sent_up, self.sent_down = bytearray(), bytearray()
        self.was_reset = False

    def up(self, data: bytes) -> None:
        """Send from the client; the server must receive the same bytes."""
        self.sent_up += data
        for piece in self.cut(data):
            carry(self.client, self.server, piece)

    def down(self, data: bytes) -> None:
        """Send from the server; the client must receive the same bytes."""
        self.sent_down += data
        for piece in self.cut(data):
            carry(self.server, self.client, piece)

    def up_fin(self) -> None:
        """Send FIN from the client; the server must receive FIN."""
        self.client.shutdown(socket.SHUT_WR)
        assert ending(self.server) == "fin"

    def down_fin(self) -> None:
        """Send FIN from the server; the client must receive FIN."""
        self.server.shutdown(socket.SHUT_WR)
        assert ending(self.client) == "fin"

    def up_rst(self) -> None:
        """Reset the connection from the client; the server must see a reset."""
        self.was_reset = True
        reset(self.client)
        assert ending(self.server) == "rst"

    def down_rst(self) -> None:
        """Reset the connection from the server; the client must see a reset."""
        self.was_reset = True
        reset(self.server)
        assert ending(self.client) == "rst"

    def end(self) -> None:
        """Send FIN in both directions, from the client first."""
        self.up_fin()
        self.down_fin()


def carry(source: socket.socket, target: socket.socket, data: bytes) -> None:
    """Send `data` at one end and read at the other, until all bytes have arrived unchanged."""
    poll, sent, got = select.poll(), 0, bytearray()
    poll.register(target, select.POLLIN)
    source.setblocking(False)
    while len(got) < len(data):
        if sent < len(data):
            try:
                sent += source.send(data[sent : sent + (1 << 20)])
            except BlockingIOError:
                pass  # the path is full: read first
        if sent == len(data) or poll.poll(0):
            assert poll.poll(PATIENCE_MS), f"{len(data) - len(got)} of {len(data)} bytes did not arrive"
            piece = target.recv(1 << 20)
            assert piece, f"the connection ended, {len(data) - len(got)} of {len(data)} bytes did not arrive"
            got += piece
    source.settimeout(DEADLINE)
    assert got == data, "other bytes arrived than were sent"


class ScriptedListener(socket.socket):
    """A listening socket that skips the proxy's probes: connections that ended before they were accepted, empty."""

    def accept(self) -> tuple[socket.socket, Any]:
        """Return the next connection that is not a probe."""
        while True:
            stream, address = super().accept()
            if not _has_ended_empty(stream):
                return stream, address
            stream.close()


def _has_ended_empty(stream: socket.socket) -> bool:
    try:
        return not stream.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except OSError:  # no byte has arrived, or the connection was reset
        return False


@contextmanager
def listening(
    family: socket.AddressFamily = socket.AF_INET, address: Address = ("127.0.0.1", 0)
) -> Iterator[socket.socket]:
    """Open the listening socket of the scripted server."""
    with ScriptedListener(family) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(1024)
        listener.settimeout(DEADLINE)
        yield listener


@contextmanager
def connected(listener: socket.socket, target: Address, cut: Cut = whole) -> Iterator[Wire]:
    """Connect to `target` and accept the resulting connection at `listener`."""
    with dial(target) as client:
        server, _ = listener.accept()
        with server:
            server.settimeout(DEADLINE)
            if server.family != socket.AF_UNIX:
                server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            yield Wire(client, server, cut)


def refusal(target: Address) -> str:
    """Connect to `target` and return how the refused connection ended."""
    try:
        with dial(target) as stream:
            return ending(stream)
    except ConnectionResetError:  # before `connect` returned
        return "rst"
