"""Clients of all manners in front of an upstream that comes and goes: each one ends, and each one is counted once."""

from __future__ import annotations

import random
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tests.integration.case import answer, post
from tests.integration.process import Address, Proxy, dial, running_proxy
from tests.integration.wire import reset
from tests.support.ports import free_port
from tests.support.waiting import patient, wait_until

CLIENTS = 600
OUTAGE = patient(0.01)  # seconds
REQUEST, RESPONSE = post(b"x" * 200), answer(b"y" * 2000)


def read_to_the_end(stream: socket.socket) -> None:
    with suppress(OSError):
        while stream.recv(65536):
            pass


def ask(stream: socket.socket) -> None:
    stream.sendall(REQUEST)
    stream.shutdown(socket.SHUT_WR)
    read_to_the_end(stream)


def half_close(stream: socket.socket) -> None:
    stream.shutdown(socket.SHUT_WR)
    read_to_the_end(stream)


def send_and_reset(stream: socket.socket) -> None:
    stream.sendall(REQUEST)
    reset(stream)


def send_and_close(stream: socket.socket) -> None:
    stream.sendall(REQUEST[:50])


def do_nothing(stream: socket.socket) -> None:
    pass


MANNERS: tuple[Callable[[socket.socket], None], ...] = (
    ask, do_nothing, half_close, reset, send_and_close, send_and_reset,
)  # fmt: skip


def serve(stream: socket.socket, manner: int) -> None:
    """Answer, close with bytes unread, or reset."""
    with suppress(OSError), stream:
        if manner == 0:
            reset(stream)
        elif manner > 1:
            stream.recv(65536)
            stream.sendall(RESPONSE)


class FlappingServer:
    """Listens and closes its port in turn, until `stop` is set; then it listens until `end` is set."""

    def __init__(self, address: tuple[str, int], seed: int) -> None:
        self._address = address
        self._random = random.Random(seed)
        self.stop, self.end = threading.Event(), threading.Event()
        self.thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self.end.is_set():
            with socket.create_server(self._address) as listener:
                listener.settimeout(OUTAGE)
                served = 0
                while not self.end.is_set() and (self.stop.is_set() or served < 30):
                    with suppress(TimeoutError):
                        serve(listener.accept()[0], self._random.randrange(6))
                        served += 1
            self.end.wait(OUTAGE)


def run_clients(address: Address, seeds: range) -> None:
    for seed in seeds:
        with suppress(OSError), dial(address) as stream:  # refusals and resets are among the expected ends
            random.Random(seed).choice(MANNERS)(stream)


def test_clients_of_a_flapping_upstream_all_end_and_are_counted(tmp_path: Path) -> None:
    upstream = ("127.0.0.1", free_port())
    server = FlappingServer(upstream, 1)
    with running_proxy(upstream, tmp_path / "shared", extra=["--connect-wait-seconds", "0.5"]) as proxy:
        server.thread.start()
        try:
            workers = [
                threading.Thread(target=run_clients, args=(proxy.address, range(first, CLIENTS, 6)))
                for first in range(6)
            ]
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join()
            server.stop.set()
            wait_until(lambda: all_have_ended(proxy), what="all connections to end")
            check(proxy)
        finally:
            server.end.set()
            server.thread.join()


def all_have_ended(proxy: Proxy) -> bool:
    """Return whether the proxy has accepted all clients, the last ones from its backlog, and none is open."""
    connections = proxy.page().connections
    return connections["accepted"] == CLIENTS and not connections["open"]


def check(proxy: Proxy) -> None:
    """Compare the clients that were accepted with the ways in which they ended."""
    connections = proxy.page().connections
    refused = sum(connections[name] for name in connections if name.startswith("refused"))
    assert connections["accepted"] == connections["ended"] + connections["reset"] + refused == CLIENTS
    wait_until(lambda: proxy.page().connections["upstreams_unreachable"] == 0, what="the upstream to be found")
