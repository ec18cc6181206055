"""Downloads a profile by https from an allowed host: bounded in time and size, without redirects."""

from __future__ import annotations

import asyncio
import ssl
import zlib
from contextlib import suppress
from urllib.parse import urlsplit

import aiohttp

from ..errors import PilotfishError, hide_path
from ..system.workers import started_pool
from .reasons import Reason
from .webhook.addresses import AddressCheck, AddressRules
from .webhook.bounded import BoundedSocket
from .webhook.delivery import certificate_problem, redirect_problem
from .webhook.resolver import OwnResolver

TIMEOUT = 30.0  # seconds for the whole download
OVERHEAD = 64 * 1024  # bytes for the head of the response and for TLS
_GZIP = b"\x1f\x8b"


class DownloadError(PilotfishError):
    """A profile that could not be downloaded. `reason` is for metrics and conditions."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


async def download(
    url: str,
    rules: AddressRules,
    *,
    most: int,
    seconds: float = TIMEOUT,
    trusted: ssl.SSLContext | None = None,
) -> bytes:
    """Return the content of `url`, decompressed if it is gzip: at most `most` bytes before and after that.

    Raises DownloadError. `seconds` bounds the whole download; `trusted` replaces the authorities of the system.
    """
    shown = hide_path(url)
    if urlsplit(url).scheme != "https":
        raise DownloadError(Reason.URL_REFUSED, f"profile {shown}: only https is allowed; give an https URL")
    if problem := rules.host_problem(url):
        raise DownloadError(Reason.URL_REFUSED, f"profile {shown}: {problem}")
    check = AddressCheck(rules)
    try:
        async with asyncio.timeout(seconds):
            content = await _get(url, check, most, trusted)
    except TimeoutError as error:
        text = f"profile {shown}: no complete response within {seconds:g} s; check the server and the network"
        raise DownloadError(Reason.TIMEOUT, text) from error
    except (aiohttp.ClientSSLError, ssl.SSLError) as error:
        raise DownloadError(Reason.TLS, f"profile {shown}: {certificate_problem(error)}") from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        if check.problem:
            raise DownloadError(Reason.URL_REFUSED, f"profile {shown}: {check.problem}") from error
        text = f"profile {shown}: the connection failed: {type(error).__name__}; check the URL and the server"
        raise DownloadError(Reason.CONNECT, text) from error
    return decompressed(content, most, shown)


def decompressed(content: bytes, most: int, shown: str) -> bytes:
    """Return `content`, decompressed if it is gzip; raise DownloadError if it is damaged or exceeds `most` bytes."""
    if not content.startswith(_GZIP):
        return content
    unpacker = zlib.decompressobj(31)
    try:
        found = unpacker.decompress(content, most + 1)
    except zlib.error as error:
        raise _invalid(shown, "the gzip data are damaged; store it again") from error
    if len(found) > most:
        raise _invalid(shown, f"has more than {most} bytes; give a smaller profile")
    if not unpacker.eof:
        raise _invalid(shown, "the gzip data are cut off; store it again")
    return found


def _invalid(shown: str, problem: str) -> DownloadError:
    return DownloadError(Reason.PROFILE_INVALID, f"profile {shown}: {problem}")


async def _get(url: str, check: AddressCheck, most: int, trusted: ssl.SSLContext | None) -> bytes:
    context = trusted if trusted is not None else await asyncio.to_thread(ssl.create_default_context)
    pool = started_pool(1)
    bound = most + most // 50 + OVERHEAD
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            force_close=True,
            limit=1,
            ssl=context,
            resolver=OwnResolver(pool),
            socket_factory=lambda address: BoundedSocket(*address[:3], most=bound, check=check),
        ),
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
    )
    try:
        response = await session.get(url, allow_redirects=False)
        try:
            return await _content(response, most, hide_path(url))
        finally:
            response.close()
    finally:
        with suppress(Exception):
            await session.close()
        pool.shutdown(wait=False)  # a name server that does not answer holds the thread


async def _content(response: aiohttp.ClientResponse, most: int, shown: str) -> bytes:
    if response.status != 200:
        what = redirect_problem(response.status).replace("receiver", "server")
        raise DownloadError(
            Reason.PROFILE_NOT_FOUND,
            f"profile {shown}: {what or f'the server answered with status {response.status}; correct the URL'}",
        )
    content = bytearray()
    async for piece in response.content.iter_chunked(64 * 1024):
        content += piece
        if len(content) > most:
            raise _invalid(shown, f"has more than {most} bytes; give a smaller profile")
    return bytes(content)
