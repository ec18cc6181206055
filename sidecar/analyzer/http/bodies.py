"""Reads the bodies of requests, one large body at a time, so that bodies cannot fill the memory of the analyzer.

A view holds the turn until it has used the body. The other large bodies stay in the network: aiohttp stops to read a
connection whose body nobody takes. Small bodies need no turn, so usual labels are taken during a flood.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import BytesIO

from aiohttp import web

from ...report.problems import REASONS
from ...settings.units import show_size
from ..decode.content import decompress
from ..decode.types import SkipExchangeError
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


class CodingError(RefusedError):
    """The body is not what its Content-Encoding says, or the coding is unknown."""


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

        Raises BodyTooLargeError, BusyError, CodingError and SlowBodyError, and web.RequestPayloadError for bad chunks.
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
    raw = await _receive(request, limit)
    coding = request.headers.get("Content-Encoding", "")
    return await asyncio.to_thread(_decode, raw, coding, limit) if coding else raw


async def _receive(request: web.BaseRequest, limit: int) -> bytes:
    """Return the whole body as it was sent."""
    body = BytesIO()  # its value is not copied
    try:
        async with asyncio.timeout(READ_SECONDS):
            while chunk := await request.content.readany():
                body.write(chunk)
                if body.tell() > limit:
                    raise BodyTooLargeError(_too_large(limit))
    except TimeoutError:
        raise SlowBodyError(f"the body took more than {READ_SECONDS:g} s; send it faster, or a smaller one") from None
    except RuntimeError as error:  # aiohttp raises it if the client has left
        raise ConnectionResetError("the client left before its body was complete") from error
    return body.getvalue()


def _decode(raw: bytes, coding: str, limit: int) -> bytes:
    try:
        return decompress(raw, coding, limit)
    except SkipExchangeError as error:
        if error.reason == "body_too_large":
            raise BodyTooLargeError(_too_large(limit)) from None
        if error.reason == "compression_ratio":
            raise BodyTooLargeError(f"{REASONS[error.reason]}; send it without a Content-Encoding") from None
        raise CodingError("cannot decode the body with its Content-Encoding; send it without, or as gzip") from None


def _too_large(limit: int) -> str:
    return f"the body is larger than {show_size(limit)}; send less in one request"
