"""One proxy, one scripted server's address and one reader of the channel for the scripts of a module."""

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
class Stage:
    """A proxy before `listener`, and the reader of its records."""

    listener: socket.socket
    proxy: Proxy
    reader: Reader

    def settled(self, exchanges: int) -> PageSnapshot:
        """Wait until no connection is open and `exchanges` are counted since the start; return the counters."""

        def done() -> PageSnapshot | None:
            page = self.proxy.page()
            rest = page.connections["open"] or in_flight(page) or counted(page) < exchanges
            return None if rest else page

        return (
            wait_until(done, timeout=5, what=f"the proxy to come to rest with {exchanges} exchanges counted")
            or self.proxy.page()
        )


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A proxy that hands every record to a reader."""
    shared = tmp_path_factory.mktemp("stage") / "shared"
    shared.mkdir()
    (shared / "proxy.json").write_text('{"maxRecordsPerSecond": 1000000, "bodyLimit": 2097152}')
    with listening() as listener, reading(shared) as reader, running_proxy(listener.getsockname(), shared) as proxy:
        wait_until(lambda: reader.hellos, what="the proxy to greet the reader")
        yield Stage(listener, proxy, reader)
