"""A harness per module: one proxy, the listening socket of a scripted server, and a reader of the channel."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from pilotfish.sidecar.channel.page import PageSnapshot
from tests.integration.process import Proxy, counted, in_flight, running_proxy
from tests.integration.reader import Reader, reading
from tests.integration.wire import listening
from tests.support.waiting import wait_until


@dataclass(frozen=True, slots=True)
class Harness:
    """A proxy in front of `listener`, and the reader of its records."""

    listener: socket.socket
    proxy: Proxy
    reader: Reader

    def settled(self, exchanges: int) -> PageSnapshot:
        """Wait until no connection is open and `exchanges` are counted in total; return the counters."""

        def done() -> PageSnapshot | None:
            page = self.proxy.page()
            busy = page.connections["open"] or in_flight(page) or counted(page) < exchanges
            return None if busy else page

        return (
            wait_until(done, timeout=5, what=f"the proxy to be idle with {exchanges} exchanges counted")
            or self.proxy.page()
        )


@pytest.fixture(scope="module")
def harness(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Harness]:
    """Run a proxy that sends every record to a reader."""
    shared = tmp_path_factory.mktemp("harness") / "shared"
    shared.mkdir()
    (shared / "proxy.json").write_text('{"maxRecordsPerSecond": 1000000, "bodyLimit": 2097152}')
    with listening() as listener, reading(shared) as reader, running_proxy(listener.getsockname(), shared) as proxy:
        wait_until(lambda: reader.hellos, what="the handshake")
        yield Harness(listener, proxy, reader)
