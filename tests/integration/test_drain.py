"""What SIGTERM does to connections: quiet ones end with FIN, exchanges in flight finish, and only the deadline cuts."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from pilotfish.sidecar.channel import PAGE_FILE
from pilotfish.sidecar.channel.page import PageError, read_page
from tests.integration.case import answer, bare, post
from tests.integration.health import health
from tests.integration.process import PILOTFISH, Proxy, format_address, running_proxy
from tests.integration.test_limits import assert_relays, exchange
from tests.integration.wire import connected, ending, listening
from tests.support.ports import free_port
from tests.support.waiting import patient, wait_until

LONG = ["--drain-seconds", "3600"]


def pending(proxy: Proxy, number: signal.Signals) -> bool:
    """Return whether a sent signal has not been delivered yet."""
    for line in Path(f"/proc/{proxy.process.pid}/status").read_text().splitlines():
        if line.startswith(("SigPnd:", "ShdPnd:")) and int(line.split()[1], 16) & (1 << (number - 1)):
            return True
    return False


def send_signal_and_wait(proxy: Proxy, number: signal.Signals) -> None:
    """Send a signal and wait until it is delivered."""
    proxy.process.send_signal(number)
    wait_until(lambda: not pending(proxy, number), what=f"{number.name} to be delivered")


def drain(proxy: Proxy, number: signal.Signals = signal.SIGTERM) -> None:
    """Send a signal and wait until the drain has begun."""
    proxy.process.send_signal(number)
    wait_until(lambda: proxy.page().draining_ns, what="the drain to begin")


def test_without_connections_the_proxy_ends_at_once(tmp_path: Path) -> None:
    with listening() as listener, running_proxy(listener.getsockname(), tmp_path / "shared", extra=LONG) as proxy:
        assert_relays(listener, proxy.address)
        wait_until(lambda: proxy.page().connections["open"] == 0, what="the connection to end")
        proxy.terminate()
        assert proxy.exit_status(2) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_idle_connections_end_with_fin(number: signal.Signals, tmp_path: Path) -> None:
    with (
        listening() as listener,
        running_proxy(listener.getsockname(), tmp_path / "shared", extra=LONG) as proxy,
        connected(listener, proxy.address) as used,
        connected(listener, proxy.address) as unused,
    ):
        exchange(used)
        drain(proxy, number)
        for wire in (used, unused):
            assert (ending(wire.client), ending(wire.server)) == ("fin", "fin")
        assert proxy.exit_status(5) == 0
        assert proxy.page().connections["ended"] == 2


def test_exchange_in_flight_finishes_and_then_its_connection_ends(tmp_path: Path) -> None:
    with listening() as listener, running_proxy(listener.getsockname(), tmp_path / "shared", extra=LONG) as proxy:
        with ExitStack() as stack:
            idle, uploading, waiting, half_head, downloading = (
                stack.enter_context(connected(listener, proxy.address)) for _ in range(5)
            )
            uploading.up(post(b"begun")[:-2])
            waiting.up(post(b"whole"))
            half_head.up(post(b"head")[:20])
            downloading.up(post(b""))
            downloading.down(answer(b"begun")[:-2])
            drain(proxy)
            assert ending(idle.client) == "fin"  # the others have been quiet for as long
            uploading.up(post(b"begun")[-2:])
            half_head.up(post(b"head")[20:])
            downloading.down(answer(b"begun")[-2:])
            for wire in (uploading, waiting, half_head):
                wire.down(answer(b"done"))
            for wire in (uploading, waiting, half_head, downloading):
                assert (ending(wire.client), ending(wire.server)) == ("fin", "fin")
        assert proxy.exit_status(5) == 0
        assert proxy.page().outcomes["dropped", "aborted"] == 0


def test_new_clients_are_served_during_the_drain(tmp_path: Path) -> None:
    with listening() as listener, running_proxy(listener.getsockname(), tmp_path / "shared", extra=LONG) as proxy:
        with connected(listener, proxy.address) as old:
            old.up(post(b"begun"))
            drain(proxy)
            assert_relays(listener, proxy.address)
            old.down(answer(b"done"))
            exchange(old)
        assert proxy.exit_status(5) == 0


@pytest.mark.long
def test_repeated_sigterm_cuts_nothing(tmp_path: Path) -> None:
    """A service manager signals the whole process group, and the supervisor forwards its own SIGTERM."""
    with listening() as listener, running_proxy(listener.getsockname(), tmp_path / "shared", extra=LONG) as proxy:
        with connected(listener, proxy.address) as wire:
            wire.up(post(b"begun"))
            for _ in range(5):
                send_signal_and_wait(proxy, signal.SIGTERM)
            wire.down(answer(b"done"))
            assert ending(wire.client) == "fin"
        assert proxy.exit_status(5) == 0


def test_sigint_ends_at_once(tmp_path: Path) -> None:
    with (
        listening() as listener,
        running_proxy(listener.getsockname(), tmp_path / "shared", extra=LONG) as proxy,
        connected(listener, proxy.address) as wire,
    ):
        wire.up(post(b"begun"))
        drain(proxy)
        proxy.process.send_signal(signal.SIGINT)
        assert proxy.exit_status(5) == 0
        assert ending(wire.client) == "rst"


@pytest.mark.long
def test_deadline_resets_exchanges_and_ends_quiet_opaque_connections_with_fin(tmp_path: Path) -> None:
    extra = ["--drain-seconds", "2"]
    with (
        listening() as listener,
        running_proxy(listener.getsockname(), tmp_path / "shared", extra=extra) as proxy,
        connected(listener, proxy.address) as opaque,
        connected(listener, proxy.address) as stuck,
    ):
        opaque.up(b"\x16\x03\x01 not HTTP")
        stuck.up(bare(b"POST", b"Content-Length: 1073741824"))
        drain(proxy)
        with suppress(ConnectionError):  # at the deadline: a connection with traffic is never quiet
            while stuck.client.send(b"x"):
                stuck.server.recv(65536)
        assert proxy.exit_status(5) == 0
        assert (ending(opaque.client), ending(opaque.server)) == ("fin", "fin")


@pytest.mark.long
def test_busy_connection_ends_between_two_exchanges(tmp_path: Path) -> None:
    """A client that never pauses is not cut in an exchange: the last part of the drain closes it after a response."""
    extra = ["--drain-seconds", "2"]
    with listening() as listener, running_proxy(listener.getsockname(), tmp_path / "shared", extra=extra) as proxy:
        with connected(listener, proxy.address) as wire:
            exchange(wire)
            drain(proxy)
            served = 1
            while True:
                try:
                    wire.client.sendall(post(b"more"))
                    arrived = wire.server.recv(65536)
                except OSError:  # closed between the response and this request
                    break
                if not arrived:
                    break
                wire.server.sendall(answer(b"done"))
                assert wire.client.recv(65536) == answer(b"done")
                served += 1
        assert proxy.exit_status(5) == 0
        page = proxy.page()
        assert page.connections["reset"] == 0
        assert sum(route.codes["2xx"] for route in page.routes) == served


def has_reached_upstream(page: Path) -> bool:
    """Return whether a proxy with this page listens and has connected to its upstream."""
    with suppress(PageError):
        connections = read_page(page).connections
        return connections["upstreams"] == 1 and connections["upstreams_unreachable"] == 0
    return False


@pytest.mark.long
def test_sigterm_to_the_process_group_cuts_nothing(tmp_path: Path) -> None:
    """What systemd does by default to `pilotfish run`: all of its processes get the signal."""
    address, admin = ("127.0.0.1", free_port()), ("127.0.0.1", free_port())
    with listening() as listener:
        options = {"listen": address, "upstream": listener.getsockname(), "admin": admin}
        flags = [text for name, value in options.items() for text in (f"--{name}", format_address(value))]
        command = [PILOTFISH, "run", *flags, "--shared", str(tmp_path / "shared")]
        with (
            (tmp_path / "log").open("wb") as log,
            subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True) as group,
        ):
            try:
                page = tmp_path / "shared" / PAGE_FILE
                wait_until(lambda: has_reached_upstream(page), what="the proxy to probe its upstream")
                with connected(listener, address) as wire:
                    wire.up(post(b"begun"))
                    os.killpg(group.pid, signal.SIGTERM)
                    os.killpg(group.pid, signal.SIGTERM)
                    wait_until(lambda: read_page(page).draining_ns, what="the drain to begin")
                    wire.down(answer(b"done"))
                    assert ending(wire.client) == "fin"
                assert group.wait(patient(20)) == 0
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(group.pid, signal.SIGKILL)


def test_drain_is_reported(tmp_path: Path) -> None:
    with listening() as listener, running_proxy(listener.getsockname(), tmp_path / "shared", extra=LONG) as proxy:
        assert health(proxy)[0] == 200
        assert proxy.page().draining_ns == 0
        with connected(listener, proxy.address) as wire:
            wire.up(post(b"begun"))
            drain(proxy)
            status, document = health(proxy)
            assert (status, document["status"], document["ready"]) == (503, "draining", False)
            assert health(proxy, "/healthz")[0] == health(proxy, "/livez")[0] == 200
        assert proxy.exit_status(5) == 0
