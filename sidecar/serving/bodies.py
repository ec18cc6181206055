"""Receives the body of a request within a size and a time, and decompresses gzip within the same size.

Bodies stay in the network until `receive_body` is called: aiohttp stops to read a connection whose body nobody takes.
"""

from __future__ import annotations

import asyncio
from io import BytesIO

from aiohttp import web

from ..errors import RefusedError
from ..settings.units import show_size
from ..system.gunzip import DecompressionError, OutputTooLargeError, gunzip


class BodyTooLargeError(RefusedError):
    """The body is larger than its path allows."""

    status = 413


class CodingError(RefusedError):
    """The body is not what its Content-Encoding says, or the coding is unknown."""


class SlowBodyError(RefusedError):
    """The body did not arrive in time."""

    status = 408


async def receive_body(request: web.BaseRequest, limit: int, seconds: float) -> bytes:
    """Return the whole body as it was sent, at most `limit` bytes.

    Raises BodyTooLargeError, SlowBodyError, ConnectionResetError if the client has left, and web.RequestPayloadError
    for bad chunks.
    """
    if (request.content_length or 0) > limit:
        raise BodyTooLargeError(too_large(limit))
    body = BytesIO()  # its value is not copied
    try:
        async with asyncio.timeout(seconds):
            while chunk := await request.content.readany():
                body.write(chunk)
                if body.tell() > limit:
                    raise BodyTooLargeError(too_large(limit))
    except TimeoutError:
        raise SlowBodyError(f"the body took more than {seconds:g} s; send it faster, or a smaller one") from None
    except RuntimeError as error:  # aiohttp raises it if the client has left
        raise ConnectionResetError("the client left before its body was complete") from error
    return body.getvalue()


def decompress_gzip(raw: bytes, coding: str, limit: int) -> bytes:
    """Return `raw` without its content coding, gzip or none, at most `limit` bytes.

    Raises BodyTooLargeError, and CodingError for other codings and damaged bodies.
    """
    if coding.strip().lower() in ("", "identity"):
        return raw
    if coding.strip().lower() not in ("gzip", "x-gzip"):
        raise CodingError("the Content-Encoding of the body is unknown; send it without, or as gzip")
    try:
        return gunzip(raw, limit)
    except OutputTooLargeError:
        raise BodyTooLargeError(too_large(limit, "decompressed body")) from None
    except DecompressionError:
        raise CodingError("cannot decode the body with its Content-Encoding; send it without, or as gzip") from None


def too_large(limit: int, what: str = "body") -> str:
    """Return the text of the error for a body above `limit` bytes."""
    return f"the {what} is larger than {show_size(limit)}; send less in one request"
