"""An HTTP server: binds the address, limits bodies and time, and sets the response headers.

No response may reveal the server software, and no log
line may contain what a client sent.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import resource
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from ..errors import error_location, quote_value
from ..system.addresses import AddressError, parse_listen_address
from .binding import bind
from .connections import IDLE_SECONDS, BoundedConnections, ConnectionBounds, abort_transport, share_descriptors
from .gate import MAX_BODY_BYTES
from .headers import HEADERS, RETRY_SECONDS
from .tls import TlsListener, TlsSource

REQUEST_SECONDS = 30.0
LINGER_SECONDS = 2.0  # to read and drop the rest of a refused body, so that the client reads the answer

# raised for what a client sent, or because it left; they are answered or dropped, and not logged
FAULTS_OF_CLIENTS = (ConnectionError, web.HTTPException, web.RequestPayloadError, HttpProcessingError)

Handler = Callable[[web.BaseRequest], Awaitable[web.Response]]


class BoundedRequest(web.BaseRequest):
    """A request whose responses, including aiohttp's own errors, have HEADERS and no `Server` header."""

    async def _prepare_hook(self, response: web.StreamResponse) -> None:
        response.headers.popall("Server", None)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerNames:
    """How texts and logs name a server: the address, its option, its logger, and the remedy when memory runs out."""

    address: str = "the admin address"
    option: str = "--admin"
    logger: str = "pilotfish.analyzer"
    no_memory: str = "it needs more memory than --memory-limit leaves; send less in one request, or raise the limit"


class BoundedServer:
    """Serves `handler` at one address from `start` until `stop`, with TLS if there is a context."""

    def __init__(
        self,
        handler: Handler,
        *,
        names: ServerNames = ServerNames(),
        bounds: ConnectionBounds = ConnectionBounds(),  # noqa: B008 -- it is frozen
        tls: TlsSource | None = None,
    ) -> None:
        self._handler = handler
        self._names = names
        self._bounds = bounds
        self._tls = tls
        self._log = logging.getLogger(names.logger)
        self._server: asyncio.Server | None = None
        self._listener: TlsListener | None = None
        self._port = 0
        self._http: BoundedConnections | None = None

    @property
    def port(self) -> int:
        """The TCP port that the server listens on."""
        return self._port

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return self._http.open_connections if self._http is not None else 0

    async def start(self, address: str) -> None:
        """Listen at HOST:PORT, or at :PORT of all addresses; raise AddressError when the address cannot be bound."""
        where = parse_listen_address(address)
        backlog, allowed = share_descriptors(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
        self._http = BoundedConnections(
            self._serve,
            _make_request,
            allowed,
            self._bounds,
            access_log=None,
            auto_decompress=False,  # the handlers do it; aiohttp would decompress also what nobody reads
            keepalive_timeout=self._bounds.idle_seconds or IDLE_SECONDS,
            lingering_time=LINGER_SECONDS,
            logger=_null_logger(),
        )
        try:
            if self._tls is None:
                server = await bind(self._http, where, backlog)
                self._server, self._port = server, server.sockets[0].getsockname()[1]
            else:
                self._listener = TlsListener(self._tls, self._http)
                self._http.on_alert = self._listener.note_alert
                self._port = await self._listener.start(where, backlog)
        except OSError as error:
            raise AddressError(
                f"cannot listen at {quote_value(address)}: {_reason(error)}; give another {self._names.option} address"
            ) from error

    async def stop(self) -> None:
        """Stop listening and close the connections, also those that were accepted just before."""
        if self._server is not None:
            # First no new ones: asyncio forgets a connection that it accepts in the turn in which the server closes.
            for one in self._server.sockets:
                asyncio.get_running_loop().remove_reader(one.fileno())
            await _pass_turns()
            self._server.close()
        if self._listener is not None:
            await self._listener.stop()
            await _pass_turns()
        if self._http is not None:
            self._http.pre_shutdown()
            await self._http.shutdown(1.0)
            await _pass_turns()

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
                abort_transport(request.transport)
            raise ConnectionResetError(f"the request took more than {REQUEST_SECONDS:g} s") from None
        except FAULTS_OF_CLIENTS:
            raise
        except MemoryError as error:
            self._log.error(
                "a request to %s was refused: memory ran out at %s", self._names.address, error_location(error)
            )
            raise web.HTTPServiceUnavailable(
                text=json.dumps({"error": self._names.no_memory}),
                content_type="application/json",
                headers={"Retry-After": str(RETRY_SECONDS)},
            ) from None
        except Exception:
            self._log.exception(
                "a request to %s failed", self._names.address
            )  # the log shows the place, never the text
            raise
        return response


async def _pass_turns() -> None:
    """Let asyncio finish what it has begun: it opens and closes a connection in up to three turns of the event loop."""
    for _ in range(3):
        await asyncio.sleep(0)


def _reason(error: OSError) -> str:
    """Return the reason without the address, which asyncio adds to the text of its errors."""
    number = error.errno or 0
    return os.strerror(number) if number > 0 else error.strerror or str(error)


def _make_request(message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> web.BaseRequest:
    return BoundedRequest(
        message, payload, protocol, writer, task, asyncio.get_running_loop(), client_max_size=MAX_BODY_BYTES
    )


def _null_logger() -> logging.Logger:
    """Return a logger that discards everything, so that no log contains what a client sent."""
    logger = logging.getLogger("pilotfish.serving")
    logger.addHandler(logging.NullHandler())
    logger.propagate = False
    return logger
