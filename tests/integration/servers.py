"""Server programs with the same responses in two frameworks: `servers.py aiohttp|uvicorn PORT`.

ANY  /echo              the request's body, with a Content-Length
POST /early             413, sent before the body is read
GET  /empty             204
GET  /stream?n=N        N chunks
GET  /ws                a WebSocket that echoes
POST /v2/models/...     a fixed prediction
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

PREDICTION = b'{"model_name":"m","outputs":[{"name":"y","datatype":"FP64","shape":[1],"data":[0.7312]}]}'
CHUNK = b"a chunk of a response that streams\n"
MAX_BODY = 1 << 32

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


def serve_aiohttp(port: int) -> None:
    """Serve with aiohttp until killed."""
    from aiohttp import web

    async def echo(request: web.Request) -> web.Response:
        return web.Response(body=await request.read(), content_type=request.content_type)

    async def early(request: web.Request) -> web.Response:
        return web.Response(status=413, body=b"too much")

    async def empty(request: web.Request) -> web.Response:
        return web.Response(status=204)

    async def stream(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.enable_chunked_encoding()
        await response.prepare(request)
        for _ in range(int(request.query["n"])):
            await response.write(CHUNK)
        return response

    async def sockets(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            await socket.send_bytes(message.data)
        return socket

    async def predict(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(body=PREDICTION, content_type="application/json")

    app = web.Application(client_max_size=MAX_BODY)
    app.router.add_route("*", "/echo", echo)
    app.router.add_post("/early", early)
    app.router.add_get("/empty", empty)
    app.router.add_get("/stream", stream)
    app.router.add_get("/ws", sockets)
    app.router.add_post("/v2/{rest:.*}", predict)
    web.run_app(app, host="127.0.0.1", port=port, print=None, access_log=None)


async def _body(receive: Receive) -> AsyncIterator[bytes]:
    more = True
    while more:
        message = await receive()
        more = message.get("more_body", False)
        yield message.get("body", b"")


async def _answer(send: Send, status: int, body: bytes, kind: bytes = b"application/octet-stream") -> None:
    headers = (
        [(b"content-type", kind)]
        if status == 204
        else [(b"content-type", kind), (b"content-length", b"%d" % len(body))]
    )
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _stream(send: Send, count: int) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(count):
        await send({"type": "http.response.body", "body": CHUNK, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _sockets(receive: Receive, send: Send) -> None:
    while (message := await receive())["type"] != "websocket.disconnect":
        if message["type"] == "websocket.connect":
            await send({"type": "websocket.accept"})
        else:
            await send({"type": "websocket.send", "bytes": message["bytes"]})


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Serve the same responses as an ASGI application."""
    path = scope.get("path", "")
    if scope["type"] == "websocket":
        await _sockets(receive, send)
    elif path == "/early":
        await _answer(send, 413, b"too much")
    elif path == "/empty":
        await _answer(send, 204, b"")
    elif path == "/stream":
        await _stream(send, int(scope["query_string"].partition(b"n=")[2]))
    elif path == "/echo":
        await _answer(send, 200, b"".join([part async for part in _body(receive)]))
    else:
        async for _ in _body(receive):
            pass
        await _answer(send, 200, PREDICTION, b"application/json")


def serve_uvicorn(port: int) -> None:
    """Serve with uvicorn until killed."""
    import uvicorn

    uvicorn.run(application, host="127.0.0.1", port=port, log_level="warning", lifespan="off")


SERVERS = {"aiohttp": serve_aiohttp, "uvicorn": serve_uvicorn}

if __name__ == "__main__":
    SERVERS[sys.argv[1]](int(sys.argv[2]))
