"""Upstreams that come late, never come, go away, do not answer, or whose name does not resolve."""

from __future__ import annotations

import select
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.integration.case import answer, post
from tests.integration.health import health
from tests.integration.process import Proxy, dial, running_proxy
from tests.integration.test_limits import assert_relays
from tests.integration.wire import ending, listening, refusal, reset
from tests.support.ports import free_port
from tests.support.waiting import patient, wait_until

PATIENT = ["--connect-wait-seconds", "3600"]
IMPATIENT = ["--connect-wait-seconds", "0"]


def connections(proxy: Proxy, name: str) -> int:
    """Return one of the connection counters."""
    return proxy.page().connections[name]


def lines(proxy: Proxy, text: str) -> list[str]:
    """Return the lines of the log that contain `text`."""
    return [line for line in proxy.log.read_text().splitlines() if text in line]


@contextmanager
def silent_upstream() -> Iterator[tuple[str, int]]:
    """Yield an address whose SYNs the kernel drops, because its backlog is full."""
    with socket.socket() as listener, ExitStack() as stack:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        while True:
            stream = stack.enter_context(socket.socket())
            stream.setblocking(False)
            stream.connect_ex(listener.getsockname())
            if not select.select([], [stream], [], patient(0.2))[1]:
                break
        yield listener.getsockname()


def test_client_waits_for_an_upstream_that_comes_late(tmp_path: Path) -> None:
    upstream = ("127.0.0.1", free_port())
    with running_proxy(upstream, tmp_path / "shared", extra=PATIENT) as proxy, dial(proxy.address) as early:
        early.sendall(post(b"early"))
        wait_until(lambda: connections(proxy, "open") == 1, what="the client to be accepted")
        with listening(address=upstream) as listener:
            server, _ = listener.accept()
            with server:
                server.settimeout(patient(10))
                assert server.recv(65536) == post(b"early")
                server.sendall(answer(b"served"))
                assert early.recv(65536) == answer(b"served")


def test_upstream_that_never_comes_is_reported_and_its_clients_are_refused(tmp_path: Path) -> None:
    upstream = ("127.0.0.1", free_port())
    extra = ["--connect-wait-seconds", "0.3"]
    with running_proxy(upstream, tmp_path / "shared", extra=extra) as proxy:
        status, document = health(proxy)
        assert (status, document["status"], document["ready"]) == (503, "upstream_unreachable", False)
        assert document["upstreams"] == [
            {"address": f"127.0.0.1:{upstream[1]}", "reachable": False, "reason": "Connection refused"}
        ]
        assert health(proxy, "/healthz")[0] == health(proxy, "/livez")[0] == 200
        with dial(proxy.address) as client:
            client.sendall(post(b"hello"))
            assert ending(client) == "rst"
        wait_until(lambda: connections(proxy, "refused_upstream") == 1, what="the refusal to be counted")
        assert connections(proxy, "connect_failures") > 1
        assert (connections(proxy, "upstreams"), connections(proxy, "upstreams_unreachable")) == (1, 1)
        assert len(lines(proxy, f"127.0.0.1:{upstream[1]} is unreachable: Connection refused")) == 1


@pytest.mark.long
def test_late_upstream_is_found_without_traffic_and_then_not_probed_again(tmp_path: Path) -> None:
    upstream = ("127.0.0.1", free_port())
    with running_proxy(upstream, tmp_path / "shared") as proxy:
        assert health(proxy)[0] == 503
        with socket.create_server(upstream) as listener:  # does not skip probes
            wait_until(lambda: health(proxy)[0] == 200, what="the upstream to be found")
            listener.settimeout(patient(10))
            with listener.accept()[0] as probe:
                assert ending(probe) == "fin"
            wait_until(lambda: lines(proxy, "accepts connections"), what="the line in the log")
            assert connections(proxy, "upstreams_unreachable") == 0
            heartbeat = proxy.page().heartbeat_ns
            wait_until(lambda: proxy.page().heartbeat_ns > heartbeat + 1_500_000_000, what="time to pass")
            listener.setblocking(False)
            assert not select.select([listener], [], [], 0)[0], "a reachable upstream was probed"


def test_refusal_of_an_upstream_that_was_reached_is_passed_on_at_once(tmp_path: Path) -> None:
    with listening() as listener:
        upstream = listener.getsockname()
        proxy_of = running_proxy(upstream, tmp_path / "shared", extra=PATIENT)
        proxy = proxy_of.__enter__()
        assert_relays(listener, proxy.address)
    try:
        assert refusal(proxy.address) == "rst"
        wait_until(lambda: connections(proxy, "refused_upstream") == 1, what="the refusal to be counted")
        assert health(proxy)[0] == 503
        with listening(address=upstream) as listener:
            wait_until(lambda: health(proxy)[0] == 200, what="the upstream to be found again")
            assert_relays(listener, proxy.address)
    finally:
        proxy_of.__exit__(None, None, None)


def test_clients_that_leave_without_a_byte_free_their_connections(tmp_path: Path) -> None:
    with running_proxy(("127.0.0.1", free_port()), tmp_path / "shared", extra=PATIENT) as proxy:
        for end in (socket.socket.close, reset):
            for _ in range(50):
                end(dial(proxy.address))
        wait_until(
            lambda: connections(proxy, "accepted") == 100 and connections(proxy, "open") == 0, what="all to be released"
        )
        assert connections(proxy, "refused_upstream") == 0


def test_client_that_sent_bytes_and_fin_still_gets_its_answer(tmp_path: Path) -> None:
    upstream = ("127.0.0.1", free_port())
    with running_proxy(upstream, tmp_path / "shared", extra=PATIENT) as proxy, dial(proxy.address) as early:
        early.sendall(post(b"early"))
        early.shutdown(socket.SHUT_WR)
        with dial(proxy.address) as leaver:  # handled after the FIN of the other client
            leaver.shutdown(socket.SHUT_WR)
            assert ending(leaver) == "rst"
        with listening(address=upstream) as listener:
            server, _ = listener.accept()
            with server:
                server.settimeout(patient(10))
                assert server.recv(65536) == post(b"early")
                assert ending(server) == "fin"
                server.sendall(answer(b"served"))
                assert early.recv(65536) == answer(b"served")


def test_reset_of_a_waiting_client_that_sent_bytes_frees_its_connection(tmp_path: Path) -> None:
    with running_proxy(("127.0.0.1", free_port()), tmp_path / "shared", extra=PATIENT) as proxy:
        client = dial(proxy.address)
        client.sendall(post(b"never mind"))
        client.shutdown(socket.SHUT_WR)
        wait_until(lambda: connections(proxy, "open") == 1, what="the client to be accepted")
        reset(client)
        wait_until(lambda: connections(proxy, "open") == 0, what="the client to be released")
        assert connections(proxy, "reset") == 1


def test_client_of_a_unix_listener_that_sent_bytes_and_closed_is_delivered(tmp_path: Path) -> None:
    inner, outer = str(tmp_path / "in.sock"), str(tmp_path / "out.sock")
    with running_proxy(inner, tmp_path / "shared", listen=outer, extra=PATIENT) as proxy:
        assert "No such file" in health(proxy)[1]["upstreams"][0]["reason"]
        with dial(outer) as leaver:
            leaver.sendall(post(b"fire and forget"))
        dial(outer).close()
        wait_until(
            lambda: connections(proxy, "accepted") == 2 and connections(proxy, "open") == 1, what="one to be released"
        )
        with listening(socket.AF_UNIX, inner) as listener:
            server, _ = listener.accept()
            with server:
                server.settimeout(patient(10))
                assert server.recv(65536) == post(b"fire and forget")


def test_upstream_that_does_not_answer_is_bounded_too(tmp_path: Path) -> None:
    with (
        silent_upstream() as upstream,
        running_proxy(upstream, tmp_path / "shared", extra=IMPATIENT, answers_probe=False) as proxy,
    ):
        with dial(proxy.address) as leaver:
            wait_until(lambda: connections(proxy, "open") == 1, what="the client to be accepted")
            leaver.shutdown(socket.SHUT_WR)
            assert ending(leaver) == "rst"
        assert refusal(proxy.address) == "rst"
        wait_until(lambda: lines(proxy, "is unreachable: Connection timed out"), what="the line in the log")
        assert health(proxy)[1]["upstreams"][0]["reason"] == "Connection timed out"


def test_name_that_does_not_resolve_is_reported_and_not_fatal(tmp_path: Path) -> None:
    with (
        listening() as listener,
        running_proxy(("nowhere.invalid", 80), tmp_path / "shared", extra=IMPATIENT, answers_probe=False) as proxy,
    ):
        wait_until(lambda: lines(proxy, "nowhere.invalid:80 is unreachable: "), timeout=60, what="the line in the log")
        status, document = health(proxy)
        assert (status, document["status"]) == (503, "upstream_unreachable")
        assert refusal(proxy.address) == "rst"
        assert listener.getsockname()


def test_several_waiting_clients_are_served_by_one_late_upstream(tmp_path: Path) -> None:
    upstream = ("127.0.0.1", free_port())
    with running_proxy(upstream, tmp_path / "shared", extra=PATIENT) as proxy, ExitStack() as stack:
        clients = [stack.enter_context(dial(proxy.address)) for _ in range(20)]
        for client in clients:
            client.sendall(post(b"x"))
        wait_until(lambda: connections(proxy, "open") == 20, what="the clients to be accepted")
        with listening(address=upstream) as listener:
            for _ in clients:
                server = stack.enter_context(listener.accept()[0])
                server.settimeout(patient(10))
                assert server.recv(65536) == post(b"x")
                server.sendall(answer(b"y"))
            for client in clients:
                assert client.recv(65536) == answer(b"y")
