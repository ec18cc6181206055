"""Clients that send inference requests at a bounded rate and check each response."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from random import Random

from tests.e2e.upstream import RESPONSE
from tests.support.waiting import patient

PAUSE = 0.006  # seconds between two requests of one client; it bounds the load and waits for no event
ROWS = 5


@dataclass
class Load:
    """The results of the clients; `shift` moves the column `a` of later requests, in standard deviations.

    With `reconnect`, a client whose connection breaks opens another one. `interrupted` counts the requests without a
    response, and `refused` the connections that were not accepted. `longest_pause` is the longest time without any
    response, in seconds.
    """

    port: int
    reconnect: bool = False
    interrupted: int = 0
    refused: int = 0
    longest_pause: float = 0.0
    shift: float = 0.0
    answered: int = 0
    failures: list[str] = field(default_factory=list)
    _random: Random = field(default_factory=lambda: Random(7))
    _answered_at: float = 0.0

    def request(self) -> bytes:
        """Return the next request: five rows of two columns."""
        columns = {"a": self.shift, "b": 0.0}
        inputs = [
            {
                "name": name,
                "datatype": "FP64",
                "shape": [ROWS],
                "data": [round(self._random.gauss(mean, 1), 4) for _ in range(ROWS)],
            }
            for name, mean in columns.items()
        ]
        body = json.dumps({"inputs": inputs}).encode()
        head = f"POST /v2/models/m/infer HTTP/1.1\r\nHost: m\r\nContent-Length: {len(body)}\r\n\r\n"
        return head.encode() + body

    def _count_answer(self, now: float) -> None:
        self.answered += 1
        self.longest_pause = max(self.longest_pause, now - (self._answered_at or now))
        self._answered_at = now

    async def client(self, stop: asyncio.Event) -> None:
        """Send requests, one at a time, until `stop` is set."""
        while not stop.is_set():
            try:
                await self._connection(stop)
            except (OSError, EOFError, TimeoutError) as error:
                if not self.reconnect:
                    self.failures.append(repr(error))
                    return
                if isinstance(error, ConnectionRefusedError):
                    self.refused += 1
                else:
                    self.interrupted += 1
                await asyncio.sleep(PAUSE)

    async def _connection(self, stop: asyncio.Event) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            while not stop.is_set():
                if self.reconnect and reader.at_eof():  # closed between two requests
                    return
                writer.write(self.request())
                answer = await asyncio.wait_for(reader.readexactly(len(RESPONSE)), patient(10))
                if answer != RESPONSE:
                    self.failures.append(repr(answer[:60]))
                self._count_answer(time.monotonic())
                await asyncio.sleep(PAUSE)
        finally:
            writer.close()
            with suppress(OSError):  # the connection is broken already
                await writer.wait_closed()


@asynccontextmanager
async def loaded(port: int, clients: int = 4, *, reconnect: bool = False) -> AsyncIterator[Load]:
    """Run `clients` within the block; on exit, each request that was sent has been answered."""
    load, stop = Load(port, reconnect), asyncio.Event()
    tasks = [asyncio.create_task(load.client(stop)) for _ in range(clients)]
    try:
        yield load
    finally:
        stop.set()
        await asyncio.gather(*tasks)


async def until(predicate: Callable[[], object], what: str, timeout: float = 20.0) -> None:
    """Poll the blocking `predicate` in a thread until it is true, while the clients run."""
    deadline = asyncio.get_running_loop().time() + patient(timeout)
    while not await asyncio.to_thread(predicate):
        if asyncio.get_running_loop().time() > deadline:
            raise TimeoutError(f"waited {patient(timeout)} s for {what}")
        await asyncio.sleep(0.02)
