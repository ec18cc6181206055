"""The connections of the admin address: bounded in number, and whoever says nothing makes room for whoever asks."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import msgspec
from aiohttp import web

MAX_CONNECTIONS = 128
HEAD_SECONDS = 5.0  # that a new connection has for the head of its first request
BAD_REQUEST = "this is no HTTP request that is understood here"
INTERNAL_ERROR = "the analyzer could not answer this"


class AdminConnection(web.RequestHandler):
    """One connection, whose errors say nothing of what came and nothing of the inside."""

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,  # they may hold what came
        message: str | None = None,
    ) -> web.StreamResponse:
        """Return a short answer, after which the connection ends."""
        if request.writer.output_size > 0:
            raise ConnectionError("a part of the answer is sent already")
        body = msgspec.json.encode({"error": BAD_REQUEST if status < 500 else INTERNAL_ERROR})
        response = web.Response(status=status, body=body + b"\n", content_type="application/json", charset="utf-8")
        response.force_close()
        return response


class AdminConnections(web.Server):
    """All connections. With as many as are allowed, a new one ends the one that has said nothing for the longest time.

    A connection is quiet until its request has come whole, and again when the answer is sent. Where none is quiet, the
    new one is refused.
    """

    def __init__(self, handler: Any, request_factory: Any, **options: Any) -> None:
        super().__init__(handler, request_factory=request_factory, **options)
        self._options = options
        self._heads: dict[web.RequestHandler, asyncio.TimerHandle] = {}  # those that have sent no head yet
        self._open: set[web.RequestHandler] = set()
        self._idle: dict[web.RequestHandler, None] = {}
        self._busy: set[web.RequestHandler] = set()

    def __call__(self) -> AdminConnection:
        """Return the protocol of a new connection."""
        return AdminConnection(self, loop=asyncio.get_running_loop(), **self._options)

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        """Take it among the connections, at another's expense where there are too many."""
        super().connection_made(handler, transport)
        if len(self._open) >= MAX_CONNECTIONS:
            evicted = next(iter(self._idle), handler)
            self._drop(evicted)
            if evicted is handler:
                return
        self._open.add(handler)
        self._idle[handler] = None
        self._heads[handler] = asyncio.get_running_loop().call_later(HEAD_SECONDS, self._drop, handler)

    def connection_lost(self, handler: web.RequestHandler, exc: BaseException | None = None) -> None:
        """Forget it."""
        self._remove(handler)
        super().connection_lost(handler, exc)

    @contextmanager
    def serving(self, request: web.BaseRequest) -> Iterator[None]:
        """Keep the request's connection from making room, from when the request is whole to the end of the answer."""
        handler = request.protocol
        if (timer := self._heads.pop(handler, None)) is not None:
            timer.cancel()
        self._busy.add(handler)
        request.content.on_eof(partial(self._request_complete, handler))
        try:
            yield
        finally:
            self._busy.discard(handler)
            if handler in self._open:
                self._idle.pop(handler, None)
                self._idle[handler] = None  # at the end: it has said something just now

    def _request_complete(self, handler: web.RequestHandler) -> None:
        if handler in self._busy:
            self._idle.pop(handler, None)

    def _drop(self, handler: web.RequestHandler) -> None:
        self._remove(handler)
        transport = handler.transport
        handler.force_close()
        if isinstance(transport, asyncio.Transport):
            transport.abort()

    def _remove(self, handler: web.RequestHandler) -> None:
        self._open.discard(handler)
        self._idle.pop(handler, None)
        if (timer := self._heads.pop(handler, None)) is not None:
            timer.cancel()
