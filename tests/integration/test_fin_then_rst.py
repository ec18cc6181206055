"""A peer that ends with FIN and then refuses the bytes under way with RST: the other side gets all bytes and the FIN.

The proxy is stopped while both ends act, so that it handles the events together.
"""

from __future__ import annotations

import fcntl
import signal
import socket
import struct
import termios
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.integration.case import answer, bare, head, post
from tests.integration.process import DEADLINE, Proxy, running_proxy
from tests.integration.test_hostile import stop
from tests.integration.wire import Wire, await_hang_up, connected, drained, fill, listening
from tests.support.waiting import wait_until

KIB = 1024
UPLOAD = bare(b"POST", b"Content-Length: 1073741824")
BODY = b"y" * 60 * KIB


@contextmanager
def wire_through(tmp_path: Path) -> Iterator[tuple[Wire, Proxy]]:
    with (
        listening() as listener,
        running_proxy(listener.getsockname(), tmp_path / "shared") as proxy,
        connected(listener, proxy.address) as wire,
    ):
        yield wire, proxy
        wait_until(lambda: proxy.page().connections["open"] == 0, what="the connection to end")


@contextmanager
def stopped(proxy: Proxy) -> Iterator[None]:
    """Stop the proxy during the block."""
    stop(proxy)
    yield
    proxy.process.send_signal(signal.SIGCONT)


def received(stream: socket.socket) -> tuple[bytes, str]:
    """Return all bytes and the end of the stream."""
    parts: list[bytes] = []
    while True:
        try:
            part = stream.recv(1 << 16)
        except ConnectionResetError:
            return b"".join(parts), "rst"
        if not part:
            return b"".join(parts), "fin"
        parts.append(part)


@pytest.mark.parametrize("under_way", [1, 64 * KIB, 65 * KIB, 256 * KIB, 512 * KIB])
@pytest.mark.parametrize("size", [8, 60 * KIB])
def test_response_and_fin_arrive_although_the_upload_goes_on(under_way: int, size: int, tmp_path: Path) -> None:
    response = answer(BODY[:size], b"Connection: close", status=b"413 Content Too Large")
    with wire_through(tmp_path) as (wire, proxy):
        wire.up(UPLOAD)
        with stopped(proxy):
            wire.client.setblocking(False)
            wire.client.send(bytes(under_way))
            wire.client.settimeout(DEADLINE)
            wire.server.sendall(response)
            wire.server.close()  # it has read all that arrived: FIN now, RST for what comes later
        assert received(wire.client) == (response, "fin")
        await_hang_up(wire.client)
        with pytest.raises(OSError):
            wire.client.sendall(bytes(1 << 20))


def unacknowledged(stream: socket.socket) -> int:
    """Return the number of bytes that the other end's kernel has not received."""
    return int(struct.unpack("i", fcntl.ioctl(stream.fileno(), termios.TIOCOUTQ, bytes(4)))[0])


def test_response_and_fin_arrive_at_a_client_that_reads_late(tmp_path: Path) -> None:
    with wire_through(tmp_path) as (wire, _):
        wire.up(UPLOAD)
        begin = head(b"200 OK")
        wire.server.sendall(begin)
        sent = len(begin) + fill(wire.server, bytes(64 * KIB))
        early = 0
        while unacknowledged(wire.server):  # until the proxy has the rest
            early += len(wire.client.recv(16 * KIB))
        wire.server.close()
        with suppress(ConnectionError):  # the proxy has refused these bytes already, as the server would
            fill(wire.client, bytes(64 * KIB))
        wire.client.settimeout(DEADLINE)
        rest, end = drained(wire.client)
        assert (early + rest, end) == (sent, "fin")


def test_upload_and_fin_arrive_although_the_response_goes_on(tmp_path: Path) -> None:
    with wire_through(tmp_path) as (wire, proxy):
        wire.up(post(b""))
        with stopped(proxy):
            wire.client.sendall(post(b"last words"))
            wire.client.close()
            wire.server.setblocking(False)
            wire.server.send(answer(BODY))
            wire.server.settimeout(DEADLINE)
        assert received(wire.server) == (post(b"last words"), "fin")
        await_hang_up(wire.server)


def test_reset_without_fin_stays_a_reset(tmp_path: Path) -> None:
    with wire_through(tmp_path) as (wire, proxy):
        wire.up(UPLOAD)
        with stopped(proxy):
            wire.client.setblocking(False)
            wire.client.send(bytes(256 * KIB))
            wire.client.settimeout(DEADLINE)
            wire.server.sendall(answer(b"cut off")[:-3])
            wire.server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            wire.server.close()
        assert received(wire.client)[1] == "rst"
