"""Reads the bodies of requests, one large body at a time, so that bodies cannot fill the memory of the analyzer.

A view holds the turn until it has used the body. The other large bodies stay in the network: aiohttp stops to read a
connection whose body nobody takes. Small bodies need no turn, so usual labels are taken during a flood.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from ...errors import RefusedError
from ...report.problems import REASONS
from ...serving.bodies import BodyTooLargeError, CodingError, receive_body, too_large
from ..decode.content import decompress
from ..decode.types import SkipExchangeError

SMALL_BYTES = 32 * 1024  # of a body that needs no turn
WAIT_SECONDS = 5.0  # for the turn
READ_SECONDS = 15.0  # for a whole body; a slow sender must not hold the turn


class BusyError(RefusedError):
    """Another large body has the turn."""

    status = 503


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
            raise BodyTooLargeError(too_large(limit))
        if is_small(request):
            yield await _read(request, limit)
            return
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await self._turn.acquire()
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
    raw = await receive_body(request, limit, READ_SECONDS)
    coding = request.headers.get("Content-Encoding", "")
    return await asyncio.to_thread(_decode, raw, coding, limit) if coding else raw


def _decode(raw: bytes, coding: str, limit: int) -> bytes:
    try:
        return decompress(raw, coding, limit)
    except SkipExchangeError as error:
        if error.reason == "body_too_large":
            raise BodyTooLargeError(too_large(limit)) from None
        if error.reason == "compression_ratio":
            raise BodyTooLargeError(f"{REASONS[error.reason]}; send it without a Content-Encoding") from None
        raise CodingError("cannot decode the body with its Content-Encoding; send it without, or as gzip") from None
