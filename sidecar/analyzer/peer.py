"""Requests to a server of the cluster, the controller or the node's Pilotfish: TLS, token, timeout, bounded response.

The token and the certificates are read from their files for each request or when they change, because both rotate.
Redirects are not followed, and no proxy of the environment is used: the token must reach its server only.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import aiohttp

from ..errors import PilotfishError, UsageError, quote_value
from ..system.tokens import read_token
from .profile_store import FileWatcher

MAX_ERROR_BYTES = 1024
MAX_RETRY_SECONDS = 300.0
CLOSE_SECONDS = 0.2

Headers = dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A server of the cluster that this process asks.

    Attributes:
        name: how errors name it, such as `the controller`.
        option: the option with its URL; those with `-ca` and `-token` added name the files.
        url: https://HOST:PORT.
        ca_file: certificates of the authorities that may sign its certificate; None trusts those of the system.
        token_file: the token of the pod's service account, which is replaced from time to time.
        remedies: what to do, by the status of a refusal.
    """

    name: str
    option: str
    url: str
    ca_file: Path | None
    token_file: Path
    remedies: Mapping[int, str] = field(default_factory=dict)


class PeerError(PilotfishError):
    """A request that did not succeed.

    `outcome` is `refused` if the server answered, else `failed`. `status` is that of the response, and `retry_after`
    are the seconds that it asks to wait.
    """

    def __init__(self, message: str, *, status: int | None = None, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after
        self.outcome = "failed" if status is None else "refused"


class PeerAnswer(NamedTuple):
    """A response: status, body, and the seconds of Retry-After."""

    status: int
    body: bytes
    retry_after: float


class PeerClient:
    """Requests to one server over a few connections that stay open. Use it in one event loop; `close` it."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self._session: aiohttp.ClientSession | None = None
        self._trusted: ssl.SSLContext | None = None
        self._ca_watcher = FileWatcher(peer.ca_file) if peer.ca_file else None

    async def close(self) -> None:
        """Close the connections."""
        session, self._session = self._session, None
        if session is not None:
            with suppress(Exception):
                async with asyncio.timeout(CLOSE_SECONDS):
                    await session.close()

    async def request(
        self, method: str, path: str, body: bytes | None, headers: Headers, most: int, limit: float
    ) -> PeerAnswer:
        """Return the response, of at most `most` bytes, with a status of 2xx; raise PeerError for any other end."""
        try:
            async with asyncio.timeout(limit):
                answer = await self._send(method, path, body, headers, most)
        except TimeoutError:
            raise PeerError(
                f"{self._peer.name} did not answer {method} {path[:20]} within {limit:g} s; "
                "look at its log and its load"
            ) from None
        except aiohttp.ClientConnectorCertificateError as error:
            raise PeerError(_untrusted(self._peer, error.certificate_error)) from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise PeerError(_unreachable(self._peer, error)) from error
        if not 200 <= answer.status < 300:
            text = quote_value(answer.body.decode("utf-8", "replace"), 200)
            raise PeerError(
                f"{self._peer.name} refused {method} {path[:20]} with status {answer.status}: {text}; "
                f"{self._peer.remedies.get(answer.status, 'look at its log')}",
                status=answer.status,
                retry_after=answer.retry_after,
            )
        return answer

    async def _send(self, method: str, path: str, body: bytes | None, headers: Headers, most: int) -> PeerAnswer:
        try:
            token = await asyncio.to_thread(read_token, self._peer.token_file)
        except UsageError as error:
            raise PeerError(f"no request can be sent to {self._peer.name}: {error}") from error
        sent = {"Authorization": f"Bearer {token.decode('latin-1')}", "Accept-Encoding": "identity", **headers}
        async with self._opened().request(
            method, self._peer.url + path, data=body, headers=sent, ssl=await self._context(), allow_redirects=False
        ) as response:
            ok = 200 <= response.status < 300
            found = await self._read(response, most if ok else MAX_ERROR_BYTES, strict=ok)
            return PeerAnswer(response.status, found, _retry_after(response.headers.get("Retry-After", "")))

    async def _read(self, response: aiohttp.ClientResponse, most: int, *, strict: bool) -> bytes:
        """Return the body, of at most `most` bytes; a longer one is cut off, or raises PeerError with `strict`."""
        parts, size = [], 0
        async for part in response.content.iter_any():
            parts.append(part)
            size += len(part)
            if size > most:
                response.close()
                if strict:
                    raise PeerError(
                        f"{self._peer.name} sent more than {most} bytes; use the same release on both sides"
                    )
                break
        return b"".join(parts)[:most]

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=4, keepalive_timeout=75.0),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
            )
        return self._session

    async def _context(self) -> ssl.SSLContext:
        """Return the context with the present certificates; a changed file that cannot be used raises PeerError."""
        if self._trusted is None or (self._ca_watcher is not None and self._ca_watcher.changed()):
            ca_file, self._trusted = self._peer.ca_file, None
            try:
                self._trusted = await asyncio.to_thread(ssl.create_default_context, cafile=ca_file)
            except OSError as error:
                reason = error.strerror or "it has no certificate"
                raise PeerError(
                    f"cannot use {self._peer.option}-ca {quote_value(ca_file)}: {reason}; "
                    "give a PEM file with certificates"
                ) from error
        return self._trusted


def _retry_after(text: str) -> float:
    """Return the seconds of a Retry-After header, 0 without one. Pilotfish sends a number, never a date."""
    return min(float(text), MAX_RETRY_SECONDS) if text.isascii() and text.isdigit() and len(text) < 9 else 0.0


def _untrusted(peer: Peer, error: Exception) -> str:
    return (
        f"the certificate of {peer.name} is not trusted: {getattr(error, 'verify_message', 'it is not valid')}; "
        f"give the certificates of its authority with {peer.option}-ca"
    )


def _unreachable(peer: Peer, error: Exception) -> str:
    """Return why no response came. Only types of errors are named, because a text may quote what was sent."""
    cause = getattr(error, "os_error", error)
    reason = getattr(cause, "strerror", None) or type(error).__name__
    return f"cannot reach {peer.name}: {reason}; check {peer.option} and its Service"
