"""The HTTP server of the admin address: binds the address, limits bodies and time, and sets the response headers.

`app.py` starts it with `Views.build_response` as the handler. No response may reveal the server software, and no log
line may contain what a client sent.
"""

from __future__ import annotations

import asyncio
import logging
import os
import resource
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from ...errors import error_location, quote_value
from ...system.addresses import AddressError, parse_address
from .connections import IDLE_SECONDS, AdminConnections, share_descriptors
from .gate import MAX_BODY_BYTES
from .headers import HEADERS, RETRY_SECONDS

REQUEST_SECONDS = 30.0
NO_MEMORY = '{"error": "it needs more memory than --memory-limit leaves; send less in one request, or raise the limit"}'
LINGER_SECONDS = 2.0  # to read and drop the rest of a refused body, so that the client reads the answer

# raised for what a client sent, or because it left; they are answered or dropped, and not logged
FAULTS_OF_CLIENTS = (OSError, web.HTTPException, web.RequestPayloadError, HttpProcessingError)

_LOG = logging.getLogger("pilotfish.analyzer")

Handler = Callable[[web.BaseRequest], Awaitable[web.Response]]


class AdminRequest(web.BaseRequest):
    """A request whose responses, including aiohttp's own errors, have HEADERS and no `Server` header."""

    async def _prepare_hook(self, response: web.StreamResponse) -> None:
        response.headers.popall("Server", None)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)


class AdminServer:
    """Serves `handler` at one address from `start` until `stop`."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._server: asyncio.Server | None = None
        self._http: AdminConnections | None = None

    @property
    def port(self) -> int:
        """The TCP port that the server listens on."""
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def start(self, address: str) -> None:
        """Listen at HOST:PORT; raise AddressError when the address cannot be bound."""
        host, port = parse_address(address).pair
        backlog, allowed = share_descriptors(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
        self._http = AdminConnections(
            self._serve,
            _make_request,
            allowed,
            access_log=None,
            auto_decompress=False,  # `bodies.py` does it; aiohttp would decompress also what nobody reads
            keepalive_timeout=IDLE_SECONDS,
            lingering_time=LINGER_SECONDS,
            logger=_null_logger(),
        )
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(self._http, host, port, backlog=backlog)
        except OSError as error:
            raise AddressError(
                f"cannot listen at {quote_value(address)}: {_reason(error)}; give another --admin address"
            ) from error

    async def stop(self) -> None:
        """Stop listening and close the connections."""
        if self._server is not None:
            self._server.close()
        if self._http is not None:
            self._http.pre_shutdown()
            await self._http.shutdown(1.0)

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer `request` within REQUEST_SECONDS, including the time to send the response."""
        assert self._http is not None
        try:
            with self._http.serving(request):
                async with asyncio.timeout(REQUEST_SECONDS):
                    response = await self._handler(request)
                    await response.prepare(request)
                    await response.write_eof()
        except TimeoutError:
            if request.transport is not None:
                request.transport.abort()
            raise ConnectionResetError(f"the request took more than {REQUEST_SECONDS:g} s") from None
        except FAULTS_OF_CLIENTS:
            raise
        except MemoryError as error:
            _LOG.error("a request to the admin address was refused: memory ran out at %s", error_location(error))
            raise web.HTTPServiceUnavailable(
                text=NO_MEMORY, content_type="application/json", headers={"Retry-After": str(RETRY_SECONDS)}
            ) from None
        except Exception:
            _LOG.exception("a request to the admin address failed")  # the log shows the place, never the text
            raise
        return response


def _reason(error: OSError) -> str:
    """Return the reason without the address, which asyncio adds to the text of its errors."""
    number = error.errno or 0
    return os.strerror(number) if number > 0 else error.strerror or str(error)


def _make_request(message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> web.BaseRequest:
    return AdminRequest(
        message, payload, protocol, writer, task, asyncio.get_running_loop(), client_max_size=MAX_BODY_BYTES
    )


def _null_logger() -> logging.Logger:
    """Return a logger that discards everything, so that no log contains what a client sent."""
    logger = logging.getLogger("pilotfish.admin")
    logger.addHandler(logging.NullHandler())
    logger.propagate = False
    return logger
