"""Common HTTP clients and servers: through the proxy, a client gets the same responses as without it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import httpx
import pytest
import requests
from websockets.sync.client import connect as connect_websocket

from tests.integration import servers
from tests.integration.process import Proxy, answers, counted, running_proxy, seen
from tests.support.ports import free_port
from tests.support.waiting import patient, wait_until

BODY = bytes(range(256)) * 700
Answers = list[tuple[int, bytes]]


@dataclass(frozen=True, slots=True)
class Pair:
    """A server and a proxy in front of it."""

    port: int
    proxy: Proxy

    @property
    def proxied(self) -> int:
        """Return the proxy's port."""
        assert isinstance(self.proxy.address, tuple)
        return self.proxy.address[1]


@pytest.fixture(scope="module", params=sorted(servers.SERVERS))
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    port = free_port()
    command = [sys.executable, servers.__file__, request.param, str(port)]
    folder = tmp_path_factory.mktemp(request.param)
    with (folder / "server.log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as server:
        try:
            wait_until(lambda: answers(("127.0.0.1", port)), what=f"{request.param} to listen")
            with running_proxy(("127.0.0.1", port), folder / "shared") as proxy:
                yield Pair(port, proxy)
        finally:
            server.kill()


def upload_in_pieces() -> Iterator[bytes]:
    for at in range(0, len(BODY), 10_000):
        yield BODY[at : at + 10_000]


def ask_httpx(base: str) -> Answers:
    with httpx.Client(base_url=base, timeout=patient(10)) as client:
        replies = [
            client.post("/v2/models/m/infer", json={"inputs": []}),
            client.post("/echo", content=BODY),
            client.post("/echo", content=upload_in_pieces()),
            client.get("/stream", params={"n": 50}),
            client.get("/empty"),
            client.head("/echo"),
            client.post("/early", content=b"x" * 1000),
            client.get("/stream", params={"n": 0}),
        ]
    return [(reply.status_code, reply.content) for reply in replies]


def ask_requests(base: str) -> Answers:
    with requests.Session() as session:
        session.trust_env = False
        replies = [
            session.post(f"{base}/v2/models/m/infer", json={"inputs": []}, timeout=patient(10)),
            session.put(f"{base}/echo", data=BODY, timeout=patient(10)),
            session.post(f"{base}/echo", data=upload_in_pieces(), timeout=patient(10)),
            session.get(f"{base}/stream?n=50", timeout=patient(10)),
            session.get(f"{base}/empty", timeout=patient(10)),
            session.get(f"{base}/stream?n=3", headers={"Connection": "close"}, timeout=patient(10)),
        ]
    return [(reply.status_code, reply.content) for reply in replies]


def ask_aiohttp(base: str) -> Answers:
    async def one(session: aiohttp.ClientSession, method: str, path: str, **options: Any) -> tuple[int, bytes]:
        async with session.request(method, base + path, **options) as reply:
            return reply.status, await reply.read()

    async def all_of_them() -> Answers:
        async with aiohttp.ClientSession() as session:
            first = [
                await one(session, "POST", "/v2/models/m/infer", json={"inputs": []}),
                await one(session, "POST", "/echo", data=BODY, expect100=True),
                await one(session, "GET", "/stream?n=50"),
                await one(session, "GET", "/empty"),
            ]
            many = [one(session, "POST", "/echo", data=b"%d" % number * 500) for number in range(50)]
            return first + list(await asyncio.gather(*many))

    return asyncio.run(all_of_them())


def ask_websockets(base: str) -> Answers:
    with connect_websocket(base.replace("http:", "ws:") + "/ws", proxy=None, compression=None) as socket:
        replies = []
        for message in (b"", b"hello", BODY, BODY * 3):
            socket.send(message)
            replies.append((101, socket.recv(decode=False)))
    return replies


CLIENTS: dict[str, Callable[[str], Answers]] = {
    "aiohttp": ask_aiohttp,
    "httpx": ask_httpx,
    "requests": ask_requests,
    "websockets": ask_websockets,
}


@pytest.mark.parametrize("client", sorted(CLIENTS))
def test_client_gets_the_same_answers_through_the_proxy(client: str, pair: Pair) -> None:
    before = pair.proxy.page()
    through = CLIENTS[client](f"http://127.0.0.1:{pair.proxied}")
    assert through == CLIENTS[client](f"http://127.0.0.1:{pair.port}")

    def at_rest() -> bool:
        return not pair.proxy.page().connections["open"]

    wait_until(at_rest, what="the proxy to be idle")
    after = pair.proxy.page()
    expected = 1 if client == "websockets" else len(through)
    assert counted(after) - counted(before) == seen(after) - seen(before) == expected
    opaque = sum(after.downgrades.values()) - sum(before.downgrades.values())
    assert opaque == (after.downgrades["upgrade"] - before.downgrades["upgrade"]) == (client == "websockets")


def test_many_clients_at_once_get_their_own_answers(pair: Pair) -> None:
    async def one(session: aiohttp.ClientSession, number: int) -> bool:
        body = b"%d " % number * 2000
        async with session.post(f"http://127.0.0.1:{pair.proxied}/echo", data=body) as reply:
            return await reply.read() == body

    async def all_of_them() -> list[bool]:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=64)) as session:
            return list(await asyncio.gather(*(one(session, number) for number in range(500))))

    assert all(asyncio.run(all_of_them()))
