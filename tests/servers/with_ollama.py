"""Calls of the client `ollama`: `python -m tests.servers.with_ollama URL`."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from ollama import AsyncClient, Client, ResponseError  # type: ignore[import-not-found,unused-ignore]

from tests.servers.calls import failed, said

CHAT, GENERATE, EMBED = "/api/chat", "/api/generate", "/api/embed"
QUESTION: Any = [{"role": "user", "content": "what is the sun and how many moon"}]
client = Client(sys.argv[1])


def note(case: str, path: str, answer: Any) -> None:
    """Write a call with the counts of its last response; Ollama leaves a count of 0 out."""
    said(case, path, (answer.prompt_eval_count, answer.eval_count, None))


async def together() -> None:
    """Ask five times at once, by the asynchronous client."""
    many = AsyncClient(sys.argv[1])
    asked = (many.chat("tiny", QUESTION, options={"num_predict": tokens}) for tokens in (3, 30, 7, 60, 1))
    for answer in await asyncio.gather(*asked):
        note("at once", CHAT, answer)


def main() -> None:
    """Make all calls."""
    for tokens in (8, 700):
        options: Any = {"num_predict": tokens}
        note("chat", CHAT, client.chat("tiny", QUESTION, options=options))
        note("generate", GENERATE, client.generate("tiny", "the sun is", options=options))
        note("stream", CHAT, list(client.chat("tiny", QUESTION, options=options, stream=True))[-1])
        note("stream", GENERATE, list(client.generate("tiny", "the fox", options=options, stream=True))[-1])
    for texts in (["the sun"], ["a fox", "the moon is red"] * 10):
        said("embed", EMBED, (client.embed("tiny", texts).prompt_eval_count, 0, None))
    asyncio.run(together())
    try:
        client.chat("no-such-model", QUESTION)
    except ResponseError as error:
        failed(f"no such model: {error.status_code}", CHAT)


if __name__ == "__main__":
    main()
