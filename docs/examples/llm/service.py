"""A small server with the API of OpenAI, in place of vLLM: a token is a word, and each one takes some CPU time."""

import asyncio
import json
import time
from collections.abc import AsyncIterator

from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

STEP, READ, WRITE = 1e-3, 1e-4, 1e-4  # CPU seconds of a step, of a prompt token, of a completion token
WORDS = ["the", "quick", "brown", "fox", "jumps", "over", "the", "lazy", "dog"]


class Message(BaseModel):
    """One message of a chat."""

    role: str
    content: str


class StreamOptions(BaseModel):
    """What a stream has beside its text."""

    include_usage: bool = False


class Chat(BaseModel):
    """The body of a request."""

    model: str = "tiny"
    messages: list[Message]
    max_tokens: int = 20
    stream: bool = False
    stream_options: StreamOptions = StreamOptions()


app = FastAPI()
running: set[int] = set()


def work(seconds: float) -> None:
    """Use CPU time, as a model would."""
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


async def words(prompt: int, tokens: int) -> AsyncIterator[str]:
    """Read the prompt, then write one word in each step; requests that run at the same time share a step."""
    work(STEP + prompt * READ)
    for index in range(tokens):
        work(STEP / max(1, len(running)) + WRITE)
        yield f"{WORDS[index % len(WORDS)]} "
        await asyncio.sleep(0)


@app.post("/v1/chat/completions")
@app.post("/v1/summaries/chat/completions")
async def chat(request: Chat) -> object:
    """Answer a chat, as a whole or as a stream."""
    prompt = sum(len(message.content.split()) for message in request.messages)
    usage = {
        "prompt_tokens": prompt,
        "completion_tokens": request.max_tokens,
        "total_tokens": prompt + request.max_tokens,
    }
    running.add(id(request))
    if request.stream:
        return StreamingResponse(stream(request, prompt, usage), media_type="text/event-stream")
    text = "".join([word async for word in words(prompt, request.max_tokens)])
    running.discard(id(request))
    message = {"role": "assistant", "content": text}
    return {"object": "chat.completion", "choices": [{"index": 0, "message": message}], "usage": usage}


async def stream(request: Chat, prompt: int, usage: dict[str, int]) -> AsyncIterator[str]:
    """Yield an event for each word, and the usage if the client asks for it."""
    async for word in words(prompt, request.max_tokens):
        yield event({"choices": [{"index": 0, "delta": {"content": word}}]})
    running.discard(id(request))
    if request.stream_options.include_usage:
        yield event({"choices": [], "usage": usage})
    yield "data: [DONE]\n\n"


def event(fields: dict[str, object]) -> str:
    """Return a server-sent event."""
    return f"data: {json.dumps({'object': 'chat.completion.chunk', **fields})}\n\n"
