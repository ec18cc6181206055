"""A client of a model that counts every failure: `python client.py HOST:PORT [YEARS]`; SIGTERM ends it.

It is a program of its own, in the network of the node's machine, beside the pods. Half of its workers keep their
connection, half open one for each request. YEARS are added to the age of each applicant. After each response it prints
a dot. On its end it prints a line of JSON: the counts, and the first failures with their times.
"""

from __future__ import annotations

import asyncio
import csv
import json
import random
import signal
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

WORKERS = 4
PAUSE = 0.02  # seconds between two requests of one worker: about 150 requests/s in all
LATE = 15.0  # seconds after which a response counts as a failure
SHOWN = 40  # failures in the result
ROWS = 5  # applicants in a request
REFERENCE = Path(__file__).parents[2] / "docs/examples/fastapi/reference.csv"


@dataclass
class Result:
    """The outcome of all requests.

    failed     requests that a user would see fail
    repeated   requests on a kept connection that closed before the first byte of the response, as a server may close an
               idle one at any time: HTTP clients send such a request again on a new connection, once
    """

    answered: int = 0
    failed: int = 0
    repeated: int = 0
    failures: list[tuple[float, str]] = field(default_factory=list)
    slowest: float = 0.0

    def fail(self, what: str) -> None:
        """Count one request as failed."""
        self.failed += 1
        if len(self.failures) < SHOWN:
            self.failures.append((time.time(), what[:200]))


Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass
class Client:
    """The workers of one client; they share the result."""

    host: str
    port: int
    years: float
    result: Result = field(default_factory=Result)
    stop: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        with REFERENCE.open(newline="") as file:
            self.rows = [(int(row["age"]), int(row["income"]), row["city"]) for row in csv.DictReader(file)]

    async def begin(self) -> None:
        """Wait until the Service answers: the node learns of its first endpoints a moment after they are ready."""
        async with asyncio.timeout(LATE):
            while True:
                with suppress(OSError, EOFError, ValueError):
                    await self.send(None, "begin", keep=False)
                    return
                await asyncio.sleep(PAUSE)

    async def work(self, number: int) -> None:
        """Send requests until the end, on one connection if `number` is even."""
        connection: Connection | None = None
        sent = 0
        while not self.stop.is_set():
            sent += 1
            began = time.monotonic()
            try:
                async with asyncio.timeout(LATE):
                    connection = await self.send(connection, f"{number}-{sent}", keep=number % 2 == 0)
                self.result.answered += 1
                print(end=".", flush=True)
                self.result.slowest = max(self.result.slowest, time.monotonic() - began)
            except (OSError, EOFError, ValueError, TimeoutError) as error:
                self.result.fail(f"worker {number}: {error!r}")
                connection = None
            await asyncio.sleep(PAUSE)

    async def send(self, kept: Connection | None, name: str, *, keep: bool) -> Connection | None:
        """Send one request, on a kept connection if there is one; return the connection if it stays open."""
        if kept and not kept[0].at_eof():
            try:
                return await self.exchange(kept, name, keep=keep)
            except (ConnectionError, asyncio.IncompleteReadError) as error:
                if getattr(error, "partial", b""):
                    raise
                self.result.repeated += 1
        return await self.exchange(await asyncio.open_connection(self.host, self.port), name, keep=keep)

    async def exchange(self, connection: Connection, name: str, *, keep: bool) -> Connection | None:
        """Send one request and check its response; return the connection if it stays open.

        Raise for a wrong response, and close the connection.
        """
        reader, writer = connection
        stays = False
        try:
            writer.write(self.request(name, keep=keep))
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            length = next(int(line[15:]) for line in head.split("\r\n") if line.startswith("content-length:"))
            answer = await reader.readexactly(length)
            if not head.startswith("http/1.1 200 ") or json.loads(answer)["id"] != name:
                raise ValueError(f"{head[:30]!r} {answer[:100]!r}")
            stays = keep and "connection: close" not in head
        finally:
            if not stays:
                writer.close()
        return connection if stays else None

    def request(self, name: str, *, keep: bool) -> bytes:
        """Return a request with rows like those of the reference, and an id that the response must have."""
        rows = [
            {"age": age + self.years, "income": round(income * random.uniform(0.98, 1.02)), "city": city}
            for age, income, city in random.choices(self.rows, k=ROWS)
        ]
        body = json.dumps({"rows": rows, "id": name}).encode()
        head = (
            f"POST /score HTTP/1.1\r\nHost: {self.host}\r\nContent-Type: application/json\r\n"
            f"Connection: {'keep-alive' if keep else 'close'}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


async def main() -> None:
    """Run the workers until SIGTERM."""
    host, _, port = sys.argv[1].rpartition(":")
    client = Client(host, int(port), float(sys.argv[2]) if len(sys.argv) > 2 else 0.0)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, client.stop.set)
    await client.begin()
    await asyncio.gather(*(client.work(number) for number in range(WORKERS)))
    print("\n" + json.dumps(asdict(client.result)), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
