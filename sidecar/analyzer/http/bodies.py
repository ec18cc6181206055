"""Reads the bodies of requests, one large body at a time, so that bodies cannot fill the memory of the analyzer.

A view holds the turn until it has used the body. The other large bodies stay in the network: aiohttp stops to read a
connection whose body nobody takes. Small bodies need no turn, so usual labels are taken during a flood.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from ...settings.units import show_size
from ..errors import RefusedError

SMALL_BYTES = 32 * 1024  # of a body that needs no turn
WAIT_SECONDS = 5.0  # for the turn
READ_SECONDS = 15.0  # for a whole body; a slow sender must not hold the turn


class BodyTooLargeError(RefusedError):
    """The body is larger than its path allows."""

    status = 413


class BusyError(RefusedError):
    """Another large body has the turn."""

    status = 503


class SlowBodyError(RefusedError):
    """The body did not arrive in time."""

    status = 408


class BodyReader:
    """Reads bodies. Share one among all views, because the large bodies of all of them take turns."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def read(self, request: web.BaseRequest, limit: int) -> AsyncIterator[bytes]:
        """Yield the decompressed body of at most `limit` bytes; use it inside the block only.

        Raises BodyTooLargeError, BusyError and SlowBodyError, and web.RequestPayloadError for a damaged body.
        """
        if (request.content_length or 0) > limit:
            raise BodyTooLargeError(_too_large(limit))
        if is_small(request):
            yield await _read(request, limit)
            return
        try:
            await asyncio.wait_for(self._turn.acquire(), WAIT_SECONDS)
        except TimeoutError:
            raise BusyError("the analyzer reads another large body; send this one again later") from None
        try:
            yield await _read(request, limit)
        finally:
            self._turn.release()


def is_small(request: web.BaseRequest) -> bool:
    """Return whether the head of `request` bounds its decompressed body to SMALL_BYTES."""
    if not request.body_exists:
        return True
    length = request.content_length
    return length is not None and length <= SMALL_BYTES and "Content-Encoding" not in request.headers


async def _read(request: web.BaseRequest, limit: int) -> bytes:
    """Return the whole body. `request.read` would decompress all that has arrived at once."""
    body = bytearray()
    try:
        async with asyncio.timeout(READ_SECONDS):
            while chunk := await request.content.readany():
                body += chunk
                if len(body) > limit:
                    raise BodyTooLargeError(_too_large(limit))
    except TimeoutError:
        raise SlowBodyError(f"the body took more than {READ_SECONDS:g} s; send it faster, or a smaller one") from None
    except RuntimeError as error:  # aiohttp raises it if the client has left
        raise ConnectionResetError("the client left before its body was complete") from error
    return bytes(body)


def _too_large(limit: int) -> str:
    return f"the body is larger than {show_size(limit)}; send less in one request"
