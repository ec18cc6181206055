"""A small controller for the tests of a pod: it keeps what it receives, and fails as a test asks for.

It runs in a thread of its own, so that child processes and tests without an event loop can use it.
"""

from __future__ import annotations

import asyncio
import gzip
import ssl
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path

from aiohttp import web

from pilotfish.detectors.profile.profile import Profile
from pilotfish.detectors.summaries.counts import Counts
from pilotfish.sidecar.sync.counts import decode_counts
from pilotfish.sidecar.sync.messages import (
    Acknowledgement,
    Signals,
    SyncRequest,
    SyncResponse,
    TickReport,
    decode,
    encode,
)
from tests.support.ports import free_port
from tests.support.waiting import patient

FLOOD_PIECES = 64  # of 64 KiB: more than a pod reads
Key = tuple[str, str, str, int]  # hash of the profile, pod uid, epoch, tick


@dataclass
class FakeController:
    """Answers pods. Change its fields at any time.

    Attributes:
        fault: "" or a status such as "500", "silence" (no response), "lost" (it keeps the counts, then no response),
            "slow" (a late response), "garbage", "flood" or "redirect".
        retry_after: of a response with a fault.
        stores: whether ticks are acknowledged.
        requests: all sync requests, also those that failed.
        reports: the reports that it has kept.
        conflicts: reports with the key and sequence of an earlier one, and other counts.
    """

    port: int
    token: str = "a-pod"
    fault: str = ""
    retry_after: str = ""
    stores: bool = True
    document: bytes = b""
    generation: int = 0
    monitor: str = ""
    monitor_uid: str = ""
    profile_hash: str = ""
    learn: bool = False
    problem: str = ""
    profiles: dict[str, bytes] = field(default_factory=dict)
    requests: list[SyncRequest] = field(default_factory=list)
    signals: list[Signals] = field(default_factory=list)
    refused_tokens: int = 0
    fetched: list[str] = field(default_factory=list)
    reports: dict[Key, dict[int, bytes]] = field(default_factory=lambda: defaultdict(dict))
    encodings: set[str] = field(default_factory=set)
    conflicts: int = 0
    stopping: bool = False
    transports: set[asyncio.Transport] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def total(self, profile: Profile) -> Counts:
        """Return the counts of all pods: the maximum of each key, then the sum."""
        folded = [
            reduce(Counts.maximum, (decode_counts(raw, profile) for raw in reports.values()))
            for key, reports in list(self.reports.items())
            if key[0] == profile.hash
        ]
        return reduce(Counts.__add__, folded, Counts.empty(profile))

    def keep(self, request: SyncRequest) -> None:
        """Keep the reports of a request."""
        for report in request.ticks:
            kept = self.reports[request.profile_hash, request.pod.uid, request.epoch, report.tick]
            self.conflicts += kept.setdefault(report.sequence, report.counts) != report.counts

    async def handle(self, request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        self.transports.add(request.transport)
        body = await request.read()
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            self.refused_tokens += 1
            return web.Response(status=401, text="unknown token")
        encoding = request.headers.get("Content-Encoding", "")
        self.encodings.add(encoding)
        if encoding == "gzip" and body.startswith(b"\x1f\x8b"):
            body = gzip.decompress(body)
        if request.path == "/v1/signals":
            self.signals.append(decode(body, Signals))
        if request.path == "/v1/sync":
            self.requests.append(decode(body, SyncRequest))
            if self.fault in {"", "lost", "slow"}:
                self.keep(self.requests[-1])
        failed = await self._fail(request)
        return failed or self._answer(request, body)

    def _answer(self, request: web.Request, body: bytes) -> web.Response:
        if request.path == "/v1/signals":
            return web.Response(body=b"\x80")
        name = request.path.rpartition("/")[2]
        if request.method == "PUT":
            if not self.profile_hash:
                self.profiles[name], self.profile_hash = body, name
            return web.Response(status=200)
        if request.method == "GET":
            self.fetched.append(name)
            return web.Response(body=self.profiles[name]) if name in self.profiles else web.Response(status=404)
        return web.Response(body=encode(self.respond(decode(body, SyncRequest))))

    def respond(self, request: SyncRequest) -> SyncResponse:
        acknowledged = tuple(Acknowledgement(tick=item.tick, sequence=item.sequence) for item in request.ticks)
        return SyncResponse(
            acknowledged=acknowledged if self.stores else (),
            monitor=self.monitor,
            monitor_uid=self.monitor_uid,
            generation=self.generation,
            document=self.document
            if (request.generation, request.monitor_uid) != (self.generation, self.monitor_uid)
            else b"",
            profile_hash=self.profile_hash,
            learn=self.learn,
            problem=self.problem,
        )

    async def _fail(self, request: web.Request) -> web.StreamResponse | None:
        fault = self.fault
        if fault.isdigit():
            headers = {"Retry-After": self.retry_after} if self.retry_after else {}
            return web.Response(status=int(fault), text="as the test asks for", headers=headers)
        if fault in {"silence", "lost"}:
            while self.fault == fault and not self.stopping:  # noqa: ASYNC110  # a test in another thread changes it
                await asyncio.sleep(0.02)
            return web.Response(status=503)
        if fault == "slow":
            await asyncio.sleep(0.3)
        if fault == "garbage":
            return web.Response(body=b"\xc1 no message")
        if fault == "redirect":
            return web.Response(status=307, headers={"Location": f"{self.url}/v1/sync"})
        if fault == "flood":  # the pod ends the connection
            response = web.StreamResponse()
            await response.prepare(request)
            for _ in range(FLOOD_PIECES):
                await response.write(b"\0" * 65536)
        return None


class Running:
    """The server of a FakeController, in a thread; it can be stopped and started again."""

    def __init__(self, controller: FakeController, folder: Path, name: str = "server") -> None:
        self._controller = controller
        self._files = folder / f"{name}.pem", folder / f"{name}.key"
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._runner: web.ServerRunner | None = None
        self._thread.start()

    def start(self) -> None:
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(patient(10))

    def stop(self) -> None:
        """Refuse connections, and end those that are open."""
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(patient(10))

    def end(self) -> None:
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(patient(10))
        self._loop.close()

    async def _start(self) -> None:
        self._controller.stopping = False
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self._files)
        self._runner = web.ServerRunner(web.Server(self._controller.handle), shutdown_timeout=0.0)  # type: ignore[arg-type]
        await self._runner.setup()
        await web.TCPSite(
            self._runner, "127.0.0.1", self._controller.port, ssl_context=context, reuse_address=True
        ).start()

    async def _stop(self) -> None:
        runner, self._runner = self._runner, None
        self._controller.stopping = True
        if runner is not None:
            await runner.cleanup()
            for transport in self._controller.transports:
                transport.abort()
            self._controller.transports.clear()
            for _ in range(3):  # rounds of the event loop, in which the sockets close
                await asyncio.sleep(0)


@contextmanager
def controlling(folder: Path, name: str = "server") -> Iterator[tuple[FakeController, Running]]:
    """Serve a FakeController with the certificate `name` in `folder`."""
    controller = FakeController(free_port())
    server = Running(controller, folder, name)
    server.start()
    try:
        yield controller, server
    finally:
        server.end()


def report(tick: int, sequence: int, counts: bytes = b"") -> TickReport:
    return TickReport(tick=tick, sequence=sequence, counts=counts)
