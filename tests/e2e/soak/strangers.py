"""Clients of many kinds beside the regular load: what they send must not make memory or descriptors grow."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import struct
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from random import Random

from tests.e2e.stack import TOKEN
from tests.e2e.upstream import BODY, RESPONSE
from tests.support.waiting import patient

PAUSE = 0.05  # seconds between two strangers of one kind; it bounds the load and waits for no event
INFER = "/v2/models/m/infer"
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close with RST
PAGES = ("/report", "/config", "/windows", "/rows", "/state", "/readyz", "/healthz", "/metrics", "/nothing")
MALFORMED = (
    b"",
    b"{",
    b'{"inputs": 3}',
    b'{"inputs": [{"name": "a", "datatype": "FP64", "shape": [5], "data": [1]}]}',
    b'{"inputs": [{"name": "a", "datatype": "FP64", "shape": [1], "data": [1e999]}]}',
    b'{"inputs": [{"name": "\\ud800", "datatype": "FP64", "shape": [1], "data": [NaN]}]}',
    b"[" * 20_000,
    b"\xff\x00" * 500,
)


@dataclass
class Strangers:
    """Sends what regular clients do not send, kind after kind, in a random order.

    `inferences` counts the answered requests of the inference route, `cut` those whose answer was not awaited.
    """

    port: int
    admin: int
    sent: Counter[str] = field(default_factory=Counter)
    inferences: int = 0
    cut: int = 0
    failures: list[str] = field(default_factory=list)
    _random: Random = field(default_factory=lambda: Random(11))

    def kinds(self) -> dict[str, Callable[[], Awaitable[None]]]:
        """Return what is sent, by kind."""
        return {
            "abandoned requests": self.abandoned,
            "bytes that are no HTTP": self.not_http,
            "bytes to the admin address": self.admin_bytes,
            "connections without a byte": self.empty,
            "half-closed clients": self.half_closed,
            "labels": self.labels,
            "malformed bodies": self.malformed,
            "new categories": self.categories,
            "new columns": self.columns,
            "new routes": self.routes,
            "page views": self.pages,
        }

    async def run(self, stop: asyncio.Event) -> None:
        """Send one kind after the other until `stop` is set."""
        kinds = self.kinds()
        while not stop.is_set():
            kind = self._random.choice(sorted(kinds))
            try:
                await kinds[kind]()
            except (OSError, EOFError, TimeoutError) as error:
                self.failures.append(f"{kind}: {error!r}")
            self.sent[kind] += 1
            await asyncio.sleep(PAUSE)

    async def abandoned(self) -> None:
        """Close within a request, or before its answer; with FIN or RST."""
        raw = request(INFER, self.inputs({"a": 1.0, "b": 2.0}))
        _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(raw[: self._random.choice((10, len(raw) // 2, len(raw)))])
        await writer.drain()
        self.cut += 1
        if self._random.random() < 0.5:
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        await close(writer)

    async def not_http(self) -> None:
        await self.send(self.port, self._random.randbytes(2000))

    async def admin_bytes(self) -> None:
        garbage = self._random.choice((self._random.randbytes(2000), b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 4000))
        await self.send(self.admin, garbage)

    async def empty(self) -> None:
        for _ in range(10):
            await self.send(self.port, b"")

    async def half_closed(self) -> None:
        """Send a request and FIN, then read to the end."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(request(INFER, self.inputs({"a": 0.0, "b": 0.0})))
        writer.write_eof()
        answer = await asyncio.wait_for(reader.read(), patient(10))
        self.answered(answer)
        await close(writer)

    async def labels(self) -> None:
        name = f"{self._random.getrandbits(64):x}"
        await self.infer(self.inputs({"a": 0.0, "b": 0.0}, name))
        content = json.dumps({"id": name, "labels": json.loads(BODY)["outputs"][0]["data"]}).encode()
        head = "Content-Type: application/json\r\nConnection: close\r\n"
        answer = await self.exchange(self.admin, request("/v1/feedback", content, head))
        if not answer.startswith((b"HTTP/1.1 200", b"HTTP/1.1 503")):
            self.failures.append(f"labels: {answer[:200]!r}")

    async def malformed(self) -> None:
        body = self._random.choice(MALFORMED)
        packed = self._random.random() < 0.3
        await self.infer(gzip.compress(body) if packed else body, "Content-Encoding: gzip\r\n" if packed else "")

    async def categories(self) -> None:
        values = [f"{self._random.getrandbits(48):x}" for _ in range(5)]
        tensor = {"name": "c", "datatype": "BYTES", "shape": [5], "data": values}
        await self.infer(json.dumps({"inputs": [tensor]}).encode())

    async def columns(self) -> None:
        await self.infer(self.inputs({f"{self._random.getrandbits(48):x}": 0.0 for _ in range(5)}))

    async def routes(self) -> None:
        path = "".join(f"/{self._random.choice('abcdefgh')}{self._random.getrandbits(20):x}x" for _ in range(3))
        await self.exchange(self.port, request(path, b"{}"), length=len(RESPONSE))

    async def pages(self) -> None:
        accept = self._random.choice(("text/html", "application/json"))
        path = self._random.choice(PAGES)
        head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: {accept}\r\nConnection: close\r\n"
        answer = await self.exchange(self.admin, f"{head}Authorization: Bearer {TOKEN}\r\n\r\n".encode())
        if not answer.startswith(b"HTTP/1.1 ") or answer.startswith(b"HTTP/1.1 500"):
            self.failures.append(f"{path}: {answer[:200]!r}")

    def inputs(self, means: dict[str, float], name: str = "") -> bytes:
        """Return the body of a request with five rows of these columns."""
        tensors = [
            {"name": key, "datatype": "FP64", "shape": [5], "data": [self._random.gauss(mean, 1) for _ in range(5)]}
            for key, mean in means.items()
        ]
        return json.dumps({"inputs": tensors, **({"id": name} if name else {})}).encode()

    async def infer(self, body: bytes, head: str = "") -> None:
        """Send a request to the inference route and check its answer."""
        self.answered(await self.exchange(self.port, request(INFER, body, head), length=len(RESPONSE)))

    def answered(self, answer: bytes) -> None:
        """Count an inference and its answer."""
        self.inferences += 1
        if answer != RESPONSE:
            self.failures.append(f"an answer began with {answer[:60]!r}")

    async def exchange(self, port: int, raw: bytes, length: int | None = None) -> bytes:
        """Send `raw` and return the answer: `length` bytes, or all until the connection ends."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(raw)
        wanted = reader.read() if length is None else reader.readexactly(length)
        answer = await asyncio.wait_for(wanted, patient(20))
        await close(writer)
        return answer

    async def send(self, port: int, raw: bytes) -> None:
        """Send `raw` and close, whatever the other side does meanwhile."""
        with suppress(ConnectionError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(raw)
            await close(writer)


def request(path: str, body: bytes, head: str = "") -> bytes:
    """Return a POST request with `body` and the header lines `head`."""
    lines = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {TOKEN}\r\n{head}"
    return f"{lines}Content-Length: {len(body)}\r\n\r\n".encode() + body


async def close(writer: asyncio.StreamWriter) -> None:
    """Close the connection, which may be broken already."""
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


@asynccontextmanager
async def strangers(port: int, admin: int, count: int = 2) -> AsyncIterator[Strangers]:
    """Let `count` tasks send within the block."""
    group, stop = Strangers(port, admin), asyncio.Event()
    tasks = [asyncio.create_task(group.run(stop)) for _ in range(count)]
    try:
        yield group
    finally:
        stop.set()
        await asyncio.gather(*tasks)
