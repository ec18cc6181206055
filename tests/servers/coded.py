"""A gateway before a server that compresses its responses: `python coded.py PORT SERVER_PORT CODING`.

CODING is gzip, br or zstd. Streams are compressed as they come, and flushed after each piece.
A request for the model `broken` is answered with 503.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import AsyncIterator, Callable

import brotli  # type: ignore[import-not-found,unused-ignore]
import httpx
import uvicorn
from backports import zstd  # type: ignore[import-not-found,unused-ignore]
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

port, server, coding = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{server}", timeout=None)
Step = tuple[Callable[[bytes], bytes], Callable[[], bytes]]


def compressor() -> Step:
    """Return a function that compresses and flushes a piece, and one for the end."""
    if coding == "gzip":
        gzip = zlib.compressobj(wbits=31)
        return lambda piece: gzip.compress(piece) + gzip.flush(zlib.Z_SYNC_FLUSH), gzip.flush
    if coding == "br":
        br = brotli.Compressor()
        return lambda piece: br.process(piece) + br.flush(), br.finish
    packer = zstd.ZstdCompressor()
    return lambda piece: packer.compress(piece, packer.FLUSH_BLOCK), packer.flush


async def compressed(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield the compressed pieces."""
    step, end = compressor()
    async for piece in pieces:
        yield step(piece)
    yield end()


async def forward(request: Request) -> Response:
    """Send a request on; compress its response."""
    body = await request.body()
    if b'"broken"' in body:
        return JSONResponse({"error": "no", "usage": {"prompt_tokens": 3, "completion_tokens": 4}}, 503)
    headers = {"content-type": "application/json", "accept-encoding": "identity"}
    asked = client.build_request("POST", request.url.path, content=body, headers=headers)
    answer = await client.send(asked, stream=True)
    told = {"content-type": answer.headers["content-type"], "content-encoding": coding}
    return StreamingResponse(compressed(answer.aiter_bytes()), answer.status_code, told)


app = Starlette(routes=[Route("/{path:path}", forward, methods=["POST"])])
if __name__ == "__main__":
    uvicorn.run(app, port=port, log_level="warning")
