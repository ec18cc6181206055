"""Large bodies take turns, and none is read beyond its limit, however it is coded."""

from __future__ import annotations

import asyncio
import gzip
import tracemalloc
import zlib

import aiohttp
import pytest
from aiohttp import web

from pilotfish.sidecar.analyzer.http import bodies
from pilotfish.sidecar.analyzer.http.bodies import SMALL_BYTES, BodyReader
from pilotfish.sidecar.errors import RefusedError
from tests.serving.served import connected, serving, until_closed
from tests.support.waiting import patient

LARGE = SMALL_BYTES + 1


class Reading:
    """A handler that reads a body of at most `limit` bytes, and holds it until `go_on` is set."""

    def __init__(self, limit: int = 1 << 20) -> None:
        self.go_on, self.taken = asyncio.Event(), asyncio.Event()
        self.bodies, self.limit = BodyReader(), limit

    async def __call__(self, request: web.BaseRequest) -> web.Response:
        try:
            async with self.bodies.read(request, self.limit) as body:
                self.taken.set()
                if request.path == "/held":
                    await self.go_on.wait()
                return web.Response(text=str(len(body)))
        except RefusedError as error:
            return web.Response(status=error.status)


async def put(port: int, body: object, path: str = "/x", **headers: str) -> tuple[int, str]:
    async with (
        aiohttp.ClientSession() as session,
        session.put(f"http://127.0.0.1:{port}{path}", data=body, headers=headers) as response,
    ):
        return response.status, await response.text()


@pytest.mark.asyncio
async def test_a_second_large_body_waits_and_small_ones_do_not() -> None:
    reading = Reading()
    async with serving(reading) as port:
        first = asyncio.create_task(put(port, bytes(LARGE), "/held"))
        await reading.taken.wait()
        second = asyncio.create_task(put(port, bytes(LARGE + 1)))
        assert await put(port, bytes(SMALL_BYTES)) == (200, str(SMALL_BYTES))
        assert await put(port, b"") == (200, "0")
        assert not second.done()
        reading.go_on.set()
        assert await first == (200, str(LARGE))
        assert await second == (200, str(LARGE + 1))


@pytest.mark.asyncio
async def test_a_large_body_that_waits_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "WAIT_SECONDS", 0.05)
    reading = Reading()
    async with serving(reading) as port:
        first = asyncio.create_task(put(port, bytes(LARGE), "/held"))
        await reading.taken.wait()
        assert (await put(port, bytes(LARGE)))[0] == 503
        assert (await put(port, gzip.compress(b"x", mtime=0), **{"Content-Encoding": "gzip"}))[0] == 503
        reading.go_on.set()
        assert (await first)[0] == 200
        assert (await put(port, bytes(LARGE)))[0] == 200


@pytest.mark.asyncio
async def test_a_client_that_leaves_gives_its_turn_back() -> None:
    reading = Reading()
    async with serving(reading) as port:
        async with connected(port) as (_, writer):
            writer.write(b"PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\nx" % LARGE)
            await writer.drain()
        assert (await put(port, bytes(LARGE)))[0] == 200


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("coding", "body", "status"),
    [
        ("gzip", gzip.compress(b"x" * 1000, mtime=0), 200),
        ("x-gzip", gzip.compress(b"x" * 1000, mtime=0), 200),
        ("deflate", zlib.compress(b"x" * 1000), 200),
        ("deflate", zlib.compress(b"x" * 1000)[2:-4], 200),
        ("identity", b"x" * 1000, 200),
        ("gzip", gzip.compress(bytes(100_001), mtime=0), 413),
        ("gzip, gzip", gzip.compress(gzip.compress(bytes(100_001), mtime=0), mtime=0), 413),
        ("gzip", gzip.compress(b"x" * 1000, mtime=0)[:-9], 400),
        ("gzip", b"{}", 400),
        ("br", b"{}", 400),
        ("gzip, gzip, gzip, gzip", b"{}", 400),
    ],
    ids=lambda part: "" if isinstance(part, bytes) else str(part),  # a gzip header has a time
)
async def test_a_coded_body_is_decoded_within_its_limit(coding: str, body: bytes, status: int) -> None:
    async with serving(Reading(100_000)) as port:
        found = await put(port, body, **{"Content-Encoding": coding})
        assert found[0] == status
        assert status != 200 or found[1] == "1000"


@pytest.mark.asyncio
async def test_a_body_beyond_the_limit_is_refused_with_and_without_a_length() -> None:
    async def pieces() -> object:
        for _ in range(12):
            yield bytes(10_000)

    async with serving(Reading(100_000)) as port:
        assert (await put(port, bytes(100_001)))[0] == 413
        assert (await put(port, pieces()))[0] == 413
        assert await put(port, bytes(100_000)) == (200, "100000")


@pytest.mark.asyncio
async def test_what_follows_a_body_stays_in_the_network_while_the_body_is_used() -> None:
    reading = Reading()
    flood = bytes(1 << 16)
    async with serving(reading) as port, connected(port) as (reader, writer):
        writer.write(b"PUT /held HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n" + bytes(300_000))
        await asyncio.wait_for(reading.taken.wait(), patient(20))
        tracemalloc.start()
        try:
            for _ in range(500):
                writer.write(flood)
                await asyncio.sleep(0)
            assert (await put(port, b"1"))[0] == 200
            peak = tracemalloc.get_traced_memory()[1] - 500 * len(flood)  # this side holds what it has not sent
        finally:
            tracemalloc.stop()
        assert peak < 4 << 20
        reading.go_on.set()
        assert b" 400 " in await until_closed(reader)
