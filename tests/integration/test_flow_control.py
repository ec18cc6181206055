"""Back-pressure: a slow reader slows down the sender, and the proxy buffers little."""

from __future__ import annotations

import os
import select
import socket
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.integration.case import answer, head, post
from tests.integration.process import DEADLINE, Proxy, dial, running_proxy
from tests.integration.wire import PATIENCE_MS, Wire, await_hang_up, bytewise, connected, fill, listening, reset
from tests.support.limits import raise_descriptor_limit
from tests.support.waiting import patient, wait_until

MIB = 1 << 20
GROWTH_KIB = 4 * 1024
CONNECTION_KIB = 40
PAUSE_MS = int(patient(1.0) * 1000)  # the longest that neither end may make progress


@pytest.fixture
def running(tmp_path: Path) -> Iterator[tuple[socket.socket, Proxy]]:
    with listening() as listener, running_proxy(listener.getsockname(), tmp_path / "shared") as proxy:
        yield listener, proxy


def pour(source: socket.socket, target: socket.socket, size: int) -> int:
    """Send `size` zero bytes from a sparse file and discard them at the other end; return how many arrived."""
    poll, sent, got = select.poll(), 0, 0
    poll.register(target, select.POLLIN)
    scratch = bytearray(MIB)
    with tempfile.TemporaryFile() as zeros:
        zeros.truncate(64 * MIB)
        source.setblocking(False)
        while got < size:
            if sent < size:
                try:
                    sent += os.sendfile(source.fileno(), zeros.fileno(), 0, min(size - sent, 64 * MIB))
                except BlockingIOError:
                    pass  # the path is full: read first
            assert poll.poll(PATIENCE_MS if sent == size else PAUSE_MS), (
                f"{got} of {size} bytes arrived, {sent} were sent"
            )
            got += target.recv_into(scratch, MIB, socket.MSG_TRUNC)
    source.settimeout(DEADLINE)
    return got


def transfer(wire: Wire, proxy: Proxy, size: int, *, upload: bool) -> None:
    """Let a body of `size` bytes stall, then drain it. The resident set must not grow with the body."""
    wire.up(post(b"warm"))
    wire.down(answer(b"warm"))
    pour_through(wire, 16 * MIB, upload=upload)
    before = proxy.resident_kib()
    source = wire.client if upload else wire.server
    target = wire.server if upload else wire.client
    begin(wire, size, upload=upload)
    stalled = fill(source, bytes(1 << 16))
    assert stalled < size, "the sender was not slowed down"
    assert proxy.resident_kib() - before < GROWTH_KIB
    rest = stalled
    while rest:
        rest -= len(target.recv(min(rest, MIB)))
    assert pour(source, target, size - stalled) == size - stalled
    assert proxy.resident_kib() - before < GROWTH_KIB
    finish(wire, upload=upload)
    wire.end()


def begin(wire: Wire, size: int, *, upload: bool) -> None:
    if upload:
        wire.up(post(b"").replace(b"Content-Length: 0", b"Content-Length: %d" % size))
    else:
        wire.up(post(b""))
        wire.down(head(b"200 OK", b"Content-Length: %d" % size))


def finish(wire: Wire, *, upload: bool) -> None:
    if upload:
        wire.down(answer(b"got it"))


def pour_through(wire: Wire, size: int, *, upload: bool) -> None:
    """Do one transfer, so that one-time allocations happen before the measurement."""
    begin(wire, size, upload=upload)
    source, target = (wire.client, wire.server) if upload else (wire.server, wire.client)
    pour(source, target, size)
    finish(wire, upload=upload)


@pytest.mark.parametrize("upload", [True, False], ids=["upload", "download"])
def test_large_body_to_a_slow_reader_keeps_memory_flat(upload: bool, running: tuple[socket.socket, Proxy]) -> None:
    listener, proxy = running
    with connected(listener, proxy.address) as wire:
        transfer(wire, proxy, 256 * MIB, upload=upload)


@pytest.mark.real
@pytest.mark.parametrize("upload", [True, False], ids=["upload", "download"])
def test_two_gibibytes_to_a_slow_reader_keep_memory_flat(upload: bool, running: tuple[socket.socket, Proxy]) -> None:
    listener, proxy = running
    with connected(listener, proxy.address) as wire:
        transfer(wire, proxy, 2048 * MIB + 12_345, upload=upload)


def test_tiny_socket_buffers_lose_nothing(running: tuple[socket.socket, Proxy]) -> None:
    listener, proxy = running
    with connected(listener, proxy.address) as wire:
        for end in (wire.client, wire.server):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
            end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        body = os.urandom(MIB // 16)
        wire.up(post(body))
        wire.down(answer(body))
        wire.end()


@pytest.mark.long
def test_many_idle_connections_cost_little_memory_each(running: tuple[socket.socket, Proxy]) -> None:
    listener, proxy = running
    count = min(1000, (raise_descriptor_limit(4096) - 200) // 2)
    with ExitStack() as stack:
        for _ in range(50):
            wire = stack.enter_context(connected(listener, proxy.address))
            wire.up(post(b"warm"))
            wire.down(answer(b"warm"))
        before = proxy.resident_kib()
        for _ in range(count):
            wire = stack.enter_context(connected(listener, proxy.address))
            wire.up(post(b'{"x":1}'))
            wire.down(answer(b'{"y":1}'))
        assert proxy.page().connections["open"] == count + 50
        assert (proxy.resident_kib() - before) / count <= CONNECTION_KIB
    wait_until(lambda: proxy.page().connections["open"] == 0, what="all connections to end")


def test_slow_heads_do_not_delay_other_connections(running: tuple[socket.socket, Proxy]) -> None:
    listener, proxy = running
    request = post(b"late", b"X-Padding: " + b"x" * 2000)
    with ExitStack() as stack:
        slow = [stack.enter_context(connected(listener, proxy.address, bytewise)) for _ in range(100)]
        for at in range(0, 30, 10):
            for wire in slow:
                wire.up(request[at : at + 10])
            with connected(listener, proxy.address) as quick:
                quick.up(post(b"quick"))
                quick.down(answer(b"quick"))
                quick.end()
        before = proxy.resident_kib()
        for wire in slow:
            wire.cut = lambda data: [data]
            wire.up(request[30:])
            wire.down(answer(b"at last"))
            wire.end()
        assert proxy.resident_kib() - before < GROWTH_KIB


def test_client_that_closes_frees_its_connection(running: tuple[socket.socket, Proxy]) -> None:
    listener, proxy = running
    for _ in range(20):
        client = dial(proxy.address)
        server, _ = listener.accept()
        client.close()
        with server:
            assert server.recv(1) == b""
    wait_until(lambda: proxy.page().connections["open"] == 0, what="all connections to end")


@pytest.mark.long
def test_reset_closes_connections_whose_other_end_never_reads(running: tuple[socket.socket, Proxy]) -> None:
    listener, proxy = running
    with connected(listener, proxy.address) as uploading, connected(listener, proxy.address) as downloading:
        begin(uploading, 1 << 30, upload=True)
        begin(downloading, 1 << 30, upload=False)
        fill(uploading.client, bytes(1 << 16))
        fill(downloading.server, bytes(1 << 16))
        reset(uploading.client)
        reset(downloading.server)
        await_hang_up(uploading.server)
        await_hang_up(downloading.client)
        wait_until(lambda: proxy.page().connections["open"] == 0, what="the connections to end")
