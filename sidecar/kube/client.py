"""The connection to the API server: one JSON request, and the lines of a watch.

The official client reads the configuration, authenticates and owns the connections. Its generated models are not used.
Every request has a time limit, and no request is written while another process may lead: see `Kube.guard`.
"""

from __future__ import annotations

import asyncio
import copy
import json
import time
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp

from ..errors import quote_value
from . import configuration
from .errors import KubeError, TooManyRequestsError, UnavailableError, error_of_response

JSON = "application/json"
VERBS = {"DELETE": "delete", "GET": "get", "PATCH": "patch", "POST": "create", "PUT": "update"}

TIMEOUT = 10.0  # seconds for one request, with its repetitions
GET_ATTEMPTS = 3
FIRST_PAUSE = 0.2  # seconds before a GET is repeated, if the server does not say how long to wait; doubled each time
MAX_LINE_BYTES = 16 * 1024 * 1024  # of a watch; etcd stores at most 1.5 MiB per object

Query = Iterable[tuple[str, str]]
Guard = Callable[[], float | None]


class Kube:
    """A connection to one API server. Every function of this package takes it as its first argument.

    `failures` counts failed requests by verb and error, such as ("create", "Conflict").

    `guard` is called before each request that is not a GET. It raises NotLeaderError when this process must not write,
    and may return the seconds that are left to it: the time limit of the request then ends before.
    """

    def __init__(self, client: Any, load: configuration.Load) -> None:
        self.guard: Guard | None = None
        self.failures: Counter[tuple[str, str]] = Counter()
        self._client = client
        self._load = load
        self._loading = asyncio.Lock()
        self._loads = 0

    @classmethod
    async def connect(cls, kubeconfig: Path | None = None, context: str = "") -> Kube:
        """Read the configuration and return a connection; nothing is sent yet. Raises KubeError.

        Without arguments, the service account of the pod is used if there is one, else the usual kubeconfig.
        """
        return await cls.load(configuration.loader(kubeconfig, context))

    @classmethod
    async def load(cls, load: configuration.Load) -> Kube:
        """Return a connection whose address and credentials `load` reads."""
        client, _ = configuration.import_client()
        found = client.Configuration()
        found.connection_pool_maxsize = 0  # no limit: each watch keeps a connection
        await load(found)
        return cls(client.ApiClient(found), load)

    @property
    def host(self) -> str:
        """The URL of the API server."""
        return str(self._client.configuration.host).rstrip("/")

    def unguarded(self) -> Kube:
        """Return this connection without the guard, for writes that a process makes although it does not lead."""
        other = copy.copy(self)
        other.guard = None
        return other

    async def close(self) -> None:
        """Close the connections, also those of other objects that share them."""
        await self._client.close()

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Query = (),
        body: Any = None,
        content_type: str = JSON,
        accept: str = JSON,
        timeout: float = TIMEOUT,
    ) -> Any:
        """Send one request and return the decoded JSON of its response. Raises KubeError.

        `accept` is the media type of the response to a GET.

        A GET is repeated while the server asks for it, or while there is no connection, within `timeout` seconds. No
        other request is repeated, because it may have been carried out although no response arrived. Only aiohttp sends
        a PUT or DELETE again, once, when a connection that was kept open turns out to be closed: expect a conflict or
        NotFoundError of a write that succeeded.
        """
        what = f"{method} {quote_value(path, 200)[1:-1]}"
        with self._counting(VERBS.get(method, method)):
            if method == "GET":
                return await self._get(what, path, query, accept, timeout)
            left = self.guard() if self.guard else None
            timeout = timeout if left is None else min(timeout, left)
            return await self._attempt(what, method, path, query, body, content_type, timeout)

    async def _get(self, what: str, path: str, query: Query, accept: str, timeout: float) -> Any:
        """Read, and repeat while that may help, within `timeout` seconds. Raises KubeError."""
        deadline = time.monotonic() + timeout
        for attempt in range(1, GET_ATTEMPTS + 1):
            left = deadline - time.monotonic()
            try:
                return await self._attempt(what, "GET", path, query, None, JSON, left, accept)
            except (TooManyRequestsError, UnavailableError) as error:
                pause = FIRST_PAUSE * 2 ** (attempt - 1) if error.retry_after is None else error.retry_after
                if attempt == GET_ATTEMPTS or time.monotonic() + pause >= deadline:
                    raise
                await asyncio.sleep(pause)
        raise AssertionError("the last attempt returns or raises")

    @asynccontextmanager
    async def stream(
        self, path: str, *, query: Query = (), idle: float, verb: str = "watch"
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """Open a response of unknown length, and yield its lines. Raises KubeError, whose text begins with `verb`.

        The lines end when the server ends the response. UnavailableError is raised when no byte arrives for `idle`
        seconds, or when the connection breaks.
        """
        with self._counting(verb):
            async with self._stream(f"{verb} {quote_value(path, 200)[1:-1]}", path, query, idle) as lines:
                yield lines

    @asynccontextmanager
    async def _stream(self, what: str, path: str, query: Query, idle: float) -> AsyncIterator[AsyncIterator[bytes]]:
        try:
            async with asyncio.timeout(TIMEOUT):
                response = await self._send("GET", path, query, None, JSON)
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise _unavailable(what, error, TIMEOUT) from error
        try:
            if response.status >= 300:
                async with asyncio.timeout(TIMEOUT):
                    raise error_of_response(what, response.status, await response.read(), response.headers)
            async with aclosing(_lines(what, response, idle)) as lines:
                yield lines
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise _unavailable(what, error, TIMEOUT) from error
        finally:
            response.close()

    @contextmanager
    def _counting(self, verb: str) -> Iterator[None]:
        try:
            yield
        except KubeError as error:
            self.failures[verb, type(error).__name__.removesuffix("Error")] += 1
            raise

    async def _attempt(
        self,
        what: str,
        method: str,
        path: str,
        query: Query,
        body: Any,
        content_type: str,
        timeout: float,
        accept: str = JSON,
    ) -> Any:
        try:
            async with asyncio.timeout(timeout):
                response = await self._send(method, path, query, body, content_type, accept)
                try:
                    content = await response.read()
                finally:
                    response.release()
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise _unavailable(what, error, timeout) from error
        if response.status >= 300:
            raise error_of_response(what, response.status, content, response.headers)
        try:
            return json.loads(content) if content else None
        except (ValueError, RecursionError) as error:
            raise UnavailableError(
                f"{what} failed: {response.status}: the response is not JSON ({len(content):,} bytes); "
                "check what answers at the address of the API server",
                status=response.status,
            ) from error

    async def _send(
        self, method: str, path: str, query: Query, body: Any, content_type: str, accept: str = JSON
    ) -> aiohttp.ClientResponse:
        """Send a request; load the credentials anew, once, if they are refused: nothing was carried out then."""
        url = self.host + path + (f"?{urlencode(list(query))}" if query else "")
        loads = self._loads
        response = await self._send_once(method, url, body, content_type, accept)
        if response.status != 401:
            return response
        response.release()
        async with self._loading:
            if loads == self._loads:
                await self._load(self._client.configuration)
                self._loads += 1
        return await self._send_once(method, url, body, content_type, accept)

    async def _send_once(
        self, method: str, url: str, body: Any, content_type: str, accept: str
    ) -> aiohttp.ClientResponse:
        headers = {"Accept": accept, "Content-Type": content_type, "User-Agent": "pilotfish"}
        await self._client.update_params_for_auth(headers, [], ["BearerToken"], url, method, None)
        response = await self._client.rest_client.request(
            method, url, headers=headers, body=body, _request_timeout=aiohttp.ClientTimeout(total=None)
        )
        found: aiohttp.ClientResponse = response.response
        return found


async def _lines(what: str, response: aiohttp.ClientResponse, idle: float) -> AsyncGenerator[bytes, None]:
    """Yield the lines of a response, without their ends, and a last one that has none."""
    pending = b""
    while True:
        try:
            async with asyncio.timeout(idle):
                received = await response.content.readany()
        except TimeoutError as error:
            raise UnavailableError(
                f"{what} failed: no byte for {idle:g} s although bookmarks were asked for; it is opened again"
            ) from error
        *lines, pending = (pending + received).split(b"\n")
        for line in lines:
            if line:
                yield line
        if not received:
            if pending:
                yield pending
            return
        if len(pending) > MAX_LINE_BYTES:
            raise UnavailableError(f"{what} failed: a line has more than {MAX_LINE_BYTES:,} bytes; it is opened again")


def _unavailable(what: str, error: Exception, timeout: float) -> KubeError:
    """Return the error of a request without a response. The text of aiohttp names addresses, and no header."""
    why = (
        f"no response within {timeout:.3g} s" if isinstance(error, TimeoutError) else f"{type(error).__name__}: {error}"
    )
    return UnavailableError(f"{what} failed: {quote_value(why, 200)[1:-1]}; {UnavailableError.remedy}")
