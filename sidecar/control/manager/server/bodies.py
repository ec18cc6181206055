"""Reads the bodies of authenticated requests within a budget of memory, and decompresses them within a size."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from ....serving.bodies import BodyTooLargeError, decompress_gzip, receive_body, too_large
from .limits import BodyBudget

READ_SECONDS = 15.0  # for a whole body; a slow sender must not hold its part of the budget
SMALL_BYTES = 32 * 1024  # a body of this size is decoded in the event loop; a larger one in a thread


class BodyIntake:
    """Reads bodies. Share one among all views, so that they share one budget."""

    def __init__(self) -> None:
        self._budget = BodyBudget()

    @asynccontextmanager
    async def read(self, request: web.BaseRequest, limit: int) -> AsyncIterator[bytes]:
        """Yield the decompressed body of at most `limit` bytes; its memory is reserved inside the block.

        Raises the errors of `receive_body` and `decompress_gzip`, and RefusedRequestError if the budget is used up.
        """
        length = request.content_length
        if (length or 0) > limit:
            raise BodyTooLargeError(too_large(limit))
        coding = request.headers.get("Content-Encoding", "")
        if length is not None and length <= SMALL_BYTES and not coding:
            yield await receive_body(request, limit, READ_SECONDS)
            return
        most = limit if length is None else length
        async with self._budget.reserve(most + limit if coding else most):
            raw = await receive_body(request, limit, READ_SECONDS)
            yield await asyncio.to_thread(decompress_gzip, raw, coding, limit) if coding else raw
