"""A load of keep-alive connections that send requests continuously and check every response, and a server for it.

As a program, `load.py PORT`, it is the server, which answers each request with a fixed prediction.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.integration.case import answer, post
from tests.support.waiting import patient

CONNECTIONS = 16
BODY = (
    b'{"inputs":['
    + b",".join(b'{"name":"f%d","datatype":"FP64","shape":[1],"data":[%d.5]}' % (i, i) for i in range(20))
    + b"]}"
)
REQUEST = post(BODY, b"Content-Type: application/json")
RESPONSE = answer(b'{"outputs":[{"name":"y","datatype":"FP64","shape":[1],"data":[0.7312]}]}')
STALL_SECONDS = patient(5.0)


class Client(asyncio.Protocol):
    """One connection that sends the next request after each response."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._transport: asyncio.Transport | None = None
        self._got = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._load.sent += 1
        transport.write(REQUEST)

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        self._got += data
        if len(self._got) < len(RESPONSE):
            return
        if self._got != RESPONSE:
            self._load.failures.append(f"unexpected response: {self._got[:80]!r}")
        self._got = b""
        self._load.answered += 1
        if self._load.stopping:
            self._transport.close()
        else:
            self._load.sent += 1
            self._transport.write(REQUEST)

    def connection_lost(self, exc: Exception | None) -> None:
        self._load.open -= 1
        if not self._load.stopping:
            self._load.failures.append(f"a connection ended: {exc!r}")


class Load:
    """Requests in a separate thread. `answered`, `sent` and `failures` may be read at any time."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.answered = self.sent = self.open = 0
        self.failures: list[str] = []
        self.stopping = False

    async def run(self) -> None:
        """Send until `stopping` is set, then wait for the last responses."""
        loop = asyncio.get_running_loop()
        for _ in range(CONNECTIONS):
            await loop.create_connection(lambda: Client(self), "127.0.0.1", self._port)
            self.open += 1
        before, stalled = -1, 0.0
        while self.open and stalled < STALL_SECONDS:
            await asyncio.sleep(0.02)  # interval of the stall check; requests do not wait for it
            stalled = stalled + 0.02 if self.answered == before else 0.0
            before = self.answered
        if self.open:
            self.failures.append(f"{self.open} connections received no response for {STALL_SECONDS} s")


@contextmanager
def load(port: int) -> Iterator[Load]:
    """Send requests to `port` during the block. After the block, every request has been answered."""
    running = Load(port)
    thread = threading.Thread(target=asyncio.run, args=(running.run(),))
    thread.start()
    try:
        yield running
    finally:
        running.stopping = True
        thread.join()


class Server(asyncio.Protocol):
    """Answers every request; all requests have the same length."""

    def __init__(self) -> None:
        self._got = 0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        self._got += len(data)
        whole, self._got = divmod(self._got, len(REQUEST))
        if whole:
            self._transport.write(RESPONSE * whole)


async def serve(port: int) -> None:
    """Serve until killed."""
    server = await asyncio.get_running_loop().create_server(Server, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
