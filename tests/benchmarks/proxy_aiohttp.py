"""A reverse proxy as one writes it in aiohttp: `proxy_aiohttp.py PORT UPSTREAM_PORT`."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator

from aiohttp import ClientSession, TCPConnector, web
from multidict import CIMultiDict, CIMultiDictProxy

HOP_BY_HOP = ("Connection", "Keep-Alive", "Transfer-Encoding", "Upgrade")


def forwarded(headers: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    """Return the headers that go on."""
    kept = CIMultiDict(headers)
    for name in HOP_BY_HOP:
        kept.popall(name, None)
    return kept


def application(upstream: str) -> web.Application:
    """Return an application that hands every request to `upstream`."""
    app = web.Application(client_max_size=1 << 30)
    sessions: list[ClientSession] = []

    async def session(_: web.Application) -> AsyncIterator[None]:
        async with ClientSession(connector=TCPConnector(limit=0), auto_decompress=False) as opened:
            sessions.append(opened)
            yield

    async def relay(request: web.Request) -> web.Response:
        body, headers = await request.read(), forwarded(request.headers)
        async with sessions[0].request(request.method, upstream + request.path_qs, data=body, headers=headers) as reply:
            return web.Response(status=reply.status, body=await reply.read(), headers=forwarded(reply.headers))

    app.cleanup_ctx.append(session)
    app.router.add_route("*", "/{path:.*}", relay)
    return app


if __name__ == "__main__":
    web.run_app(
        application(f"http://127.0.0.1:{sys.argv[2]}"),
        host="127.0.0.1",
        port=int(sys.argv[1]),
        print=None,
        access_log=None,
    )
