"""A server with OpenAI's API whose token counts are known: `python language_server.py PORT`. It uses FastAPI.

A request says what it wants: `prompt_tokens`, `tokens`, `stream`, `include_usage`, `pad`, the
length of each word, and `random`, for a long text that cannot be compressed.
"""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from secrets import token_hex
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from fastapi.middleware.gzip import GZipMiddleware
from fastapi.responses import JSONResponse, Response, StreamingResponse

app = FastAPI()
app.add_middleware(GZipMiddleware, minimum_size=200)


@app.post("/v1/chat/completions")
@app.post("/v1/completions")
async def complete(request: Request) -> Response:
    """Answer as a whole, as a stream, or with an error."""
    wanted = await request.json()
    if wanted.get("fail"):
        return JSONResponse({"error": {"message": "no"}}, 400)
    prompt, tokens = wanted["prompt_tokens"], wanted["tokens"]
    usage = {"prompt_tokens": prompt, "completion_tokens": tokens, "total_tokens": prompt + tokens}
    if wanted.get("stream"):
        return StreamingResponse(events(wanted, usage), media_type="text/event-stream")
    text = token_hex(100_000) if wanted.get("random") else "w" * wanted.get("pad", 4) * tokens
    return JSONResponse({"choices": [{"index": 0, "message": {"content": text}}], "usage": usage})


@app.post("/v1/embeddings")
async def embed(request: Request) -> Response:
    """Answer with vectors, and the counts after them."""
    wanted = await request.json()
    vectors = [{"index": index, "embedding": [0.25] * 1000} for index in range(wanted["inputs"])]
    tokens = wanted["prompt_tokens"]
    return JSONResponse({"data": vectors, "usage": {"prompt_tokens": tokens, "total_tokens": tokens}})


async def events(wanted: dict[str, Any], usage: dict[str, int]) -> AsyncIterator[bytes]:
    """Yield pieces of the stream that end in the middle of events and of characters."""
    word = {"choices": [{"delta": {"content": "é" * wanted.get("pad", 4)}}]}
    text = f"data: {json.dumps(word, ensure_ascii=False)}\n\n".encode() * wanted["tokens"]
    if wanted.get("include_usage"):
        text += f"data: {json.dumps({'choices': [], 'usage': usage})}\n\n".encode()
    text += b"data: [DONE]\n\n"
    for start in range(0, len(text), 173):
        yield text[start : start + 173]


if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[1]), log_level="warning")
