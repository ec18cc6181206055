"""Unusual conditions: a restart after SIGKILL, stale events, silent connections, many resets."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.integration.case import answer, post
from tests.integration.process import Address, Proxy, cpu_seconds, dial, running_proxy, seen
from tests.integration.reader import reading
from tests.integration.test_limits import assert_relays, exchange
from tests.integration.wire import Wire, connected, ending, fill, listening, reset
from tests.support.ports import free_port
from tests.support.waiting import patient, wait_until


def stopped(proxy: Proxy) -> bool:
    """Return whether the process is stopped."""
    return Path(f"/proc/{proxy.process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def stop(proxy: Proxy) -> None:
    """Stop the process, so that it later handles all following events in one round."""
    proxy.process.send_signal(signal.SIGSTOP)
    wait_until(lambda: stopped(proxy), what="the proxy to stop")


@pytest.mark.parametrize("order", ["server first", "client first"])
def test_new_client_is_not_confused_with_a_closed_one(order: str, tmp_path: Path) -> None:
    with listening() as listener, running_proxy(listener.getsockname(), tmp_path / "shared") as proxy:
        for _ in range(5):
            with connected(listener, proxy.address) as old:
                exchange(old)
                stop(proxy)
                first, last = (old.server, old.client) if order == "server first" else (old.client, old.server)
                reset(first)
                with dial(proxy.address) as client:
                    reset(last)
                    proxy.process.send_signal(signal.SIGCONT)
                    server, _ = listener.accept()
                    with server:
                        server.settimeout(patient(10))
                        new = Wire(client, server, lambda data: [data])
                        exchange(new)
                        new.end()


def test_client_in_the_backlog_is_served_after_sigterm(tmp_path: Path) -> None:
    with listening() as listener, running_proxy(listener.getsockname(), tmp_path / "shared") as proxy:
        assert_relays(listener, proxy.address)
        stop(proxy)
        with dial(proxy.address) as client:
            client.sendall(post(b"just in time"))
            proxy.terminate()
            proxy.process.send_signal(signal.SIGCONT)
            server, _ = listener.accept()
            with server:
                assert server.recv(65536) == post(b"just in time")
                server.sendall(answer(b"served"))
                assert client.recv(65536) == answer(b"served")


def test_full_backlog_of_a_unix_upstream_is_retried(tmp_path: Path) -> None:
    path = str(tmp_path / "upstream.sock")
    with (
        listening(socket.AF_UNIX, path) as listener,
        running_proxy(path, tmp_path / "shared") as proxy,
        ExitStack() as stack,
    ):
        assert_relays(listener, proxy.address)
        listener.listen(1)
        clients = [stack.enter_context(dial(proxy.address)) for _ in range(20)]
        wait_until(lambda: proxy.page().connections["accepted"] == 21, what="all clients to be accepted")
        servers = [stack.enter_context(listener.accept()[0]) for _ in clients]
        for client in clients:
            client.sendall(post(b"x"))
        for server in servers:
            assert server.recv(65536) == post(b"x")
            server.sendall(answer(b"y"))
        for client in clients:
            assert client.recv(65536) == answer(b"y")


@pytest.mark.parametrize("family", ["tcp", "unix"])
def test_killed_proxy_restarts_on_the_same_address(family: str, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    listen: Address = ("127.0.0.1", free_port()) if family == "tcp" else str(tmp_path / "in.sock")
    shared.mkdir()
    with listening() as listener, reading(shared) as reader:
        for round_ in (1, 2, 3):
            with killed_at_the_end(listener, shared, listen) as proxy:
                wait_until(lambda n=round_: len(reader.hellos) == n, what="the handshake")  # type: ignore[misc]  # a default
                assert_relays(listener, proxy.address)
                wait_until(lambda n=round_: len(reader.records) == n, what="the record to arrive")  # type: ignore[misc]  # a default
                assert seen(proxy.page()) == round_
    assert [hello.next_sequence for hello in reader.hellos] == [1, 2, 3]
    assert [record.sequence for record in reader.records] == [1, 2, 3]
    assert len({hello.epoch for hello in reader.hellos}) == 3


@contextmanager
def killed_at_the_end(listener: socket.socket, shared: Path, listen: Address) -> Iterator[Proxy]:
    """Run a proxy and end it with SIGKILL while a connection is open."""
    with running_proxy(listener.getsockname(), shared, listen=listen, killed=True) as proxy:
        yield proxy
        with connected(listener, proxy.address) as wire:
            wire.up(post(b"cut off")[:-3])
            proxy.process.kill()
            proxy.process.wait()
            assert ending(wire.client) in ("fin", "rst")


def test_invalid_settings_do_not_prevent_relaying(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "proxy.json").write_text('{"maxRecordsPerSecond": "many"}')
    with listening() as listener, running_proxy(listener.getsockname(), shared) as proxy:
        assert_relays(listener, proxy.address)


def test_invalid_page_is_replaced(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "page").write_bytes(b"nonsense" * 100)
    with listening() as listener, running_proxy(listener.getsockname(), shared) as proxy:
        assert_relays(listener, proxy.address)
        wait_until(lambda: seen(proxy.page()) == 1, what="the exchange to be counted")


def test_silent_connections_do_not_block_the_health_address(tmp_path: Path) -> None:
    with (
        listening() as listener,
        running_proxy(listener.getsockname(), tmp_path / "shared") as proxy,
        ExitStack() as stack,
    ):
        for _ in range(150):
            stack.enter_context(dial(proxy.health))
        with dial(proxy.health) as asking:
            asking.sendall(b"GET /healthz HTTP/1.1\r\nHost: p\r\n\r\n")
            assert asking.recv(65536).startswith(b"HTTP/1.1 200")
        assert_relays(listener, proxy.address)


@pytest.mark.long
def test_many_resets_leak_no_memory(tmp_path: Path) -> None:
    with listening() as listener, running_proxy(listener.getsockname(), tmp_path / "shared") as proxy:
        churn(listener, proxy, 500)
        before = proxy.resident_kib()
        churn(listener, proxy, 3000)
        assert proxy.resident_kib() - before < 2048
        assert proxy.page().connections["accepted"] == 3500


def churn(listener: socket.socket, proxy: Proxy, count: int) -> None:
    """Open connections one after another and reset each one during its first exchange."""
    for _ in range(count):
        with connected(listener, proxy.address) as wire:
            wire.up(post(b"x"))
            wire.up_rst()


def test_idle_and_stuck_connections_use_no_cpu_time(tmp_path: Path) -> None:
    with (
        listening() as listener,
        running_proxy(listener.getsockname(), tmp_path / "shared") as proxy,
        ExitStack() as stack,
    ):
        half = stack.enter_context(connected(listener, proxy.address))
        half.up_fin()
        other_half = stack.enter_context(connected(listener, proxy.address))
        other_half.down_fin()
        stuck = stack.enter_context(connected(listener, proxy.address))
        stuck.client.sendall(bytes(1 << 16))
        stuck.server.shutdown(socket.SHUT_WR)
        stuck.client.settimeout(0.2)
        assert stuck.client.recv(1) == b""
        dead = stack.enter_context(connected(listener, proxy.address))
        dead.up(post(b""))
        fill(dead.server, bytes(1 << 16))
        dead.server.close()
        dead.client.sendall(bytes(1 << 18))
        before = cpu_seconds(proxy.process.pid)
        heartbeat = proxy.page().heartbeat_ns
        wait_until(lambda: proxy.page().heartbeat_ns > heartbeat + 900_000_000, what="two heartbeats")
        assert cpu_seconds(proxy.process.pid) - before < 0.1
