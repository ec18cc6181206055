"""One HTTP request to the controller: TLS, token, timeout, and a bounded response.

The token and the certificates are read from their files for each request or when they change, because both rotate.
Redirects are not followed, and no proxy of the environment is used: the token must reach the controller only.
"""

from __future__ import annotations

import asyncio
import gzip
import ssl
from contextlib import suppress
from typing import NamedTuple

import aiohttp

from ...errors import PilotfishError, UsageError, quote_value
from ...sync.messages import CONTENT_TYPE, LABELS_PATH, PROFILE_PATH, SIGNALS_PATH, SYNC_PATH
from ...system.tokens import read_token
from ..profile_store import MAX_PROFILE_BYTES, FileWatcher
from .options import SyncOptions

TIMEOUT_SECONDS = 20.0  # of one request; below the least time between two of them
QUICK_SECONDS = 4.0  # of signals, and of all requests at the end
MAX_RESPONSE_BYTES = 2 * 1024 * 1024  # a document has 1 MiB at most
MAX_ERROR_BYTES = 1024
GZIP_FROM = 4096  # bytes of a body, from which compression saves more than a packet
MAX_RETRY_SECONDS = 300.0
CLOSE_SECONDS = 0.2

Headers = dict[str, str]


class ControlError(PilotfishError):
    """A request that did not succeed.

    `outcome` is `refused` if the controller answered, else `failed`. `status` is that of the response, and
    `retry_after` are the seconds that it asks to wait.
    """

    def __init__(self, message: str, *, status: int | None = None, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after
        self.outcome = "failed" if status is None else "refused"


class _Answer(NamedTuple):
    status: int
    body: bytes
    retry_after: float


class Transport:
    """Requests to the controller over a few connections that stay open. Use it in one event loop; `close` it."""

    def __init__(self, options: SyncOptions) -> None:
        self._options = options
        self._session: aiohttp.ClientSession | None = None
        self._trusted: ssl.SSLContext | None = None
        self._ca_watcher = FileWatcher(options.ca_file) if options.ca_file else None

    async def sync(self, body: bytes, *, timeout: float = TIMEOUT_SECONDS) -> bytes:  # noqa: ASYNC109  # aiohttp's own limit
        """Post a SyncRequest; return the response's body. Raise ControlError."""
        return await self._post(SYNC_PATH, body, timeout)

    async def signals(self, body: bytes) -> bytes:
        """Post Signals; return the response's body. Raise ControlError."""
        return await self._post(SIGNALS_PATH, body, QUICK_SECONDS)

    async def labels(self, body: bytes) -> bytes:
        """Post LabelResults; return the response's body. Raise ControlError."""
        return await self._post(LABELS_PATH, body, TIMEOUT_SECONDS)

    async def fetch_profile(self, profile_hash: str) -> bytes:
        """Return the profile with this hash, perhaps gzipped, not verified. Raise ControlError."""
        headers = {"Accept-Encoding": "gzip"}
        answer = await self._request("GET", PROFILE_PATH + profile_hash, None, headers, MAX_PROFILE_BYTES)
        return answer.body

    async def offer_profile(self, profile_hash: str, raw: bytes) -> None:
        """Put a learned profile; raise ControlError."""
        packed = await asyncio.to_thread(gzip.compress, raw, 6)
        headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
        await self._request("PUT", PROFILE_PATH + profile_hash, packed, headers, MAX_ERROR_BYTES)

    async def close(self) -> None:
        """Close the connections."""
        session, self._session = self._session, None
        if session is not None:
            with suppress(Exception):
                async with asyncio.timeout(CLOSE_SECONDS):
                    await session.close()

    async def _post(self, path: str, body: bytes, limit: float) -> bytes:
        headers = {"Content-Type": CONTENT_TYPE}
        if len(body) >= GZIP_FROM:
            body = await asyncio.to_thread(gzip.compress, body, 1)
            headers["Content-Encoding"] = "gzip"
        return (await self._request("POST", path, body, headers, MAX_RESPONSE_BYTES, limit)).body

    async def _request(
        self, method: str, path: str, body: bytes | None, headers: Headers, most: int, limit: float = TIMEOUT_SECONDS
    ) -> _Answer:
        """Return the response, of at most `most` bytes, with a status of 2xx; raise ControlError for any other end."""
        try:
            async with asyncio.timeout(limit):
                answer = await self._send(method, path, body, headers, most)
        except TimeoutError:
            raise ControlError(
                f"the controller did not answer {method} {path[:20]} within {limit:g} s; look at its log and its load"
            ) from None
        except aiohttp.ClientConnectorCertificateError as error:
            raise ControlError(_untrusted(error.certificate_error)) from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise ControlError(_unreachable(error)) from error
        if not 200 <= answer.status < 300:
            text = quote_value(answer.body.decode("utf-8", "replace"), 200)
            raise ControlError(
                f"the controller refused {method} {path[:20]} with status {answer.status}: {text}; "
                f"{_REMEDIES.get(answer.status, 'look at its log')}",
                status=answer.status,
                retry_after=answer.retry_after,
            )
        return answer

    async def _send(self, method: str, path: str, body: bytes | None, headers: Headers, most: int) -> _Answer:
        try:
            token = await asyncio.to_thread(read_token, self._options.token_file)
        except UsageError as error:
            raise ControlError(f"no request can be sent to the controller: {error}") from error
        sent = {"Authorization": f"Bearer {token.decode('latin-1')}", "Accept-Encoding": "identity", **headers}
        async with self._opened().request(
            method, self._options.url + path, data=body, headers=sent, ssl=await self._context(), allow_redirects=False
        ) as response:
            ok = 200 <= response.status < 300
            found = await _read(response, most if ok else MAX_ERROR_BYTES, strict=ok)
            return _Answer(response.status, found, _retry_after(response.headers.get("Retry-After", "")))

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=4, keepalive_timeout=75.0),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
            )
        return self._session

    async def _context(self) -> ssl.SSLContext:
        """Return the context with the present certificates; a changed file that cannot be used raises ControlError."""
        if self._trusted is None or (self._ca_watcher is not None and self._ca_watcher.changed()):
            ca_file, self._trusted = self._options.ca_file, None
            try:
                self._trusted = await asyncio.to_thread(ssl.create_default_context, cafile=ca_file)
            except OSError as error:
                reason = error.strerror or "it has no certificate"
                raise ControlError(
                    f"cannot use --control-ca {quote_value(ca_file)}: {reason}; give a PEM file with certificates"
                ) from error
        return self._trusted


_REMEDIES = {
    401: "check the audience and the pod of the token in --control-token",
    403: "check the pod's namespace, name and UID, and the monitor's name",
    404: "check --monitor and --control",
    413: "use the same release on both sides",
    429: "the controller asks for fewer requests; the pod waits",
    503: "no replica of the controller leads at the moment; the pod tries again",
}


async def _read(response: aiohttp.ClientResponse, most: int, *, strict: bool) -> bytes:
    """Return the body, of at most `most` bytes; a longer one is cut off, or raises ControlError with `strict`."""
    parts, size = [], 0
    async for part in response.content.iter_any():
        parts.append(part)
        size += len(part)
        if size > most:
            response.close()
            if strict:
                raise ControlError(f"the controller sent more than {most} bytes; use the same release on both sides")
            break
    return b"".join(parts)[:most]


def _retry_after(text: str) -> float:
    """Return the seconds of a Retry-After header, 0 without one. The controller sends a number, never a date."""
    return min(float(text), MAX_RETRY_SECONDS) if text.isascii() and text.isdigit() and len(text) < 9 else 0.0


def _untrusted(error: Exception) -> str:
    return (
        f"the certificate of the controller is not trusted: {getattr(error, 'verify_message', 'it is not valid')}; "
        "give the certificates of its authority with --control-ca"
    )


def _unreachable(error: Exception) -> str:
    """Return why no response came. Only types of errors are named, because a text may quote what was sent."""
    cause = getattr(error, "os_error", error)
    reason = getattr(cause, "strerror", None) or type(error).__name__
    return f"cannot reach the controller: {reason}; check --control and its Service"
