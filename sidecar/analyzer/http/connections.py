"""The connections of the admin address. When the limit is reached, the oldest idle connection is closed.

So idle clients cannot block a scrape or a health check. A connection with a complete request is never closed
to make room.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import msgspec
from aiohttp import web

MAX_CONNECTIONS = 128
HEAD_SECONDS = 5.0  # the time limit for the head of a connection's first request
BAD_REQUEST = "cannot parse this as an HTTP request"
INTERNAL_ERROR = "the analyzer failed to answer this request"


class AdminConnection(web.RequestHandler):
    """One connection. Its error responses contain neither the request nor internal details."""

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,  # not used, it may contain the request
        message: str | None = None,  # not used, it may contain the request
    ) -> web.StreamResponse:
        """Return a short error response that closes the connection."""
        if request.writer.output_size > 0:
            raise ConnectionError("a part of the response has already been sent")
        body = msgspec.json.encode({"error": BAD_REQUEST if status < 500 else INTERNAL_ERROR})
        response = web.Response(status=status, body=body + b"\n", content_type="application/json", charset="utf-8")
        response.force_close()
        return response


class AdminConnections(web.Server):
    """All open connections. At MAX_CONNECTIONS, a new connection closes the one that has been idle for longest.

    A connection is idle until its request is complete, and again after the response is sent. When no connection is
    idle, the new one is closed.
    """

    def __init__(self, handler: Any, request_factory: Any, **options: Any) -> None:
        super().__init__(handler, request_factory=request_factory, **options)
        self._options = options
        self._heads: dict[web.RequestHandler, asyncio.TimerHandle] = {}  # connections without a first head
        self._open: set[web.RequestHandler] = set()
        self._idle: dict[web.RequestHandler, None] = {}
        self._busy: set[web.RequestHandler] = set()

    def __call__(self) -> AdminConnection:
        """Return the protocol of a new connection."""
        return AdminConnection(self, loop=asyncio.get_running_loop(), **self._options)

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        """Register a new connection; at the limit, close the oldest idle one."""
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
        """Remove a closed connection."""
        self._remove(handler)
        super().connection_lost(handler, exc)

    @contextmanager
    def serving(self, request: web.BaseRequest) -> Iterator[None]:
        """Protect the request's connection from being closed while its complete request is answered."""
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
                self._idle[handler] = None  # last in the order, because it has just been active

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
