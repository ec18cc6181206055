"""Limits on descriptors and connections; the address families; counters across a restart."""

from __future__ import annotations

import socket
import sys
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from pilotfish.sidecar.channel.receiver import Receiver
from tests.integration.case import answer, post
from tests.integration.process import Address, Proxy, dial, format_address, running_proxy
from tests.integration.wire import Wire, connected, listening, refusal
from tests.support.limits import no_free_descriptor, raise_descriptor_limit
from tests.support.ports import free_port
from tests.support.waiting import patient, wait_until


def exchange(wire: Wire) -> None:
    wire.up(post(b'{"x":1}'))
    wire.down(answer(b'{"y":1}'))


def assert_relays(listener: socket.socket, target: Address) -> None:
    with connected(listener, target) as wire:
        exchange(wire)
        wire.end()


def descriptor_limit(descriptors: int) -> list[str]:
    """Return a command prefix that limits the number of descriptors of the command."""
    limit = f"resource.setrlimit(resource.RLIMIT_NOFILE, ({descriptors},) * 2)"
    program = f"import os, resource, sys; {limit}; os.execv(sys.argv[1], sys.argv[1:])"
    return [sys.executable, "-c", program]


def test_connection_limit_refuses_counts_and_recovers(tmp_path: Path) -> None:
    with (
        listening() as listener,
        running_proxy(listener.getsockname(), tmp_path / "shared", extra=["--max-connections", "10"]) as proxy,
    ):
        with ExitStack() as stack:
            for _ in range(10):
                exchange(stack.enter_context(connected(listener, proxy.address)))
            for _ in range(5):
                assert refusal(proxy.address) == "rst"
            assert proxy.page().connections["refused_limit"] == 5
            wait_until(lambda: "a client is not served: as many connections" in proxy.log.read_text(), what="the line")
            assert proxy.page().connections["open"] == 10
        wait_until(lambda: proxy.page().connections["open"] == 0, what="the connections to end")
        assert_relays(listener, proxy.address)


def test_descriptor_limit_refuses_counts_and_recovers(tmp_path: Path) -> None:
    with (
        listening() as listener,
        running_proxy(listener.getsockname(), tmp_path / "shared", prefix=descriptor_limit(64)) as proxy,
    ):
        with ExitStack() as stack:
            while not refusals(proxy):
                with suppress(ConnectionResetError):  # refused before `connect` returned
                    stack.enter_context(dial(proxy.address))
            assert proxy.page().connections["open"] >= 8
            wait_until(lambda: "a client is not served: " in proxy.log.read_text(), what="the line in the log")
        wait_until(
            lambda: accept_all(listener) == 0 and not proxy.page().connections["open"], what="the connections to end"
        )
        assert_relays(listener, proxy.address)


def test_clients_that_cannot_even_be_refused_are_counted_and_logged(tmp_path: Path) -> None:
    with listening() as listener, running_proxy(listener.getsockname(), tmp_path / "shared") as proxy:
        with no_free_descriptor(proxy.process.pid, least=1), dial(proxy.address):
            wait_until(lambda: "a client is not served: no descriptor" in proxy.log.read_text(), what="the line")
            wait_until(lambda: proxy.page().connections["refused_descriptors"], what="the counter")
        wait_until(lambda: proxy.page().connections["accepted"], what="the client that waits to be accepted")


def test_records_and_settings_follow_a_time_without_descriptors(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    with listening() as listener, running_proxy(listener.getsockname(), shared) as proxy:
        with no_free_descriptor(proxy.process.pid):
            reader = Receiver(shared / "records.sock")
            (shared / "proxy.json").write_text('{"maxRecordsPerSecond": 0}')
            for sign in ("records are not sent to", "settings were not applied"):
                wait_until(lambda sign=sign: f"{sign}" in proxy.log.read_text(), what=sign)  # type: ignore[misc]  # mypy cannot infer a lambda with a default
        wait_until(lambda: any(reader.receive(0.1)), what="the handshake")
        wait_until(lambda: "the settings in proxy.json are applied again" in proxy.log.read_text(), what="the settings")
        assert proxy.log.read_text().count("Too many open files") == 2
        assert_relays(listener, proxy.address)
        wait_until(lambda: proxy.page().outcomes["sampled_out", "rate"] == 1, what="an exchange with the new settings")
        reader.close()


def refusals(proxy: Proxy) -> int:
    """Return the number of connections refused because descriptors ran out, or would have run out."""
    connections = proxy.page().connections
    return connections["refused_descriptors"] + connections["refused_limit"]


def accept_all(listener: socket.socket) -> int:
    """Accept and close all pending connections; return their number."""
    listener.setblocking(False)
    taken = 0
    try:
        while True:
            listener.accept()[0].close()
            taken += 1
    except BlockingIOError:
        return taken
    finally:
        listener.settimeout(patient(10))


def test_storm_of_connections_is_served(tmp_path: Path) -> None:
    count = min(1000, (raise_descriptor_limit(4096) - 200) // 2)
    with (
        listening() as listener,
        running_proxy(listener.getsockname(), tmp_path / "shared") as proxy,
        ExitStack() as stack,
    ):
        clients = [stack.enter_context(dial(proxy.address)) for _ in range(count)]
        for number, client in enumerate(clients):
            client.sendall(post(b"%d" % number))
        for _ in range(count):
            server = stack.enter_context(listener.accept()[0])
            request = server.recv(65536)
            server.sendall(answer(request.rpartition(b"\r\n\r\n")[2]))
        for number, client in enumerate(clients):
            assert client.recv(65536) == answer(b"%d" % number)
        assert proxy.page().connections["accepted"] == count


def bindable(family: socket.AddressFamily, host: str) -> bool:
    """Return whether a server may listen at `host`."""
    with socket.socket(family) as probe, suppress(OSError):
        probe.bind((host, 0))
        return True
    return False


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_listens_and_connects_on(host: str, tmp_path: Path) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    if not bindable(family, host):
        pytest.skip(f"this machine has no address {host}")
    with listening(family, (host, 0)) as listener:
        upstream = (host, listener.getsockname()[1])
        with running_proxy(upstream, tmp_path / "shared", listen=(host, free_port(host))) as proxy:
            assert_relays(listener, proxy.address)


def test_listens_and_connects_on_unix_sockets(tmp_path: Path) -> None:
    inner, outer = str(tmp_path / "in.sock"), str(tmp_path / "out.sock")
    with listening(socket.AF_UNIX, inner) as listener, running_proxy(inner, tmp_path / "shared", listen=outer) as proxy:
        assert_relays(listener, proxy.address)
        with connected(listener, proxy.address) as wire:
            exchange(wire)
            wire.down_fin()
            wire.up_fin()
        assert proxy.page().connections["accepted"] == 2


def test_several_pairs_relay_to_their_own_upstreams(tmp_path: Path) -> None:
    second = ("127.0.0.1", free_port())
    with listening() as first, listening() as other:
        extra = ["--listen", format_address(second), "--upstream", format_address(other.getsockname())]
        with running_proxy(first.getsockname(), tmp_path / "shared", extra=extra) as proxy:
            assert_relays(first, proxy.address)
            assert_relays(other, second)


@pytest.mark.long
def test_counters_continue_after_a_restart(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    with listening() as listener:
        with running_proxy(listener.getsockname(), shared) as proxy:
            assert_relays(listener, proxy.address)
            wait_until(lambda: proxy.page().connections["open"] == 0, what="the connection to end")
            first = proxy.page()
            proxy.terminate()
            assert proxy.exit_status(5) == 0
        with running_proxy(listener.getsockname(), shared) as proxy:
            assert_relays(listener, proxy.address)
            wait_until(
                lambda: proxy.page().connections["accepted"] == 2 and proxy.page().connections["open"] == 0,
                what="the connection to end",
            )
            second = proxy.page()
    assert second.epoch > first.epoch
    assert sum(second.outcomes.values()) == 2 * sum(first.outcomes.values()) == 2
