"""Calls of the client `openai` to a server that compresses: `python -m tests.servers.with_coding URL CODING`."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from openai import APIStatusError, AsyncOpenAI  # type: ignore[import-not-found,unused-ignore]

from tests.servers.calls import failed, of_openai, said

CHAT = "/v1/chat/completions"
QUESTION: Any = [{"role": "user", "content": "what is the sun and how many moon"}]
url, coding = sys.argv[1:3]
client = AsyncOpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)  # reads a response to its end
readable = coding == "gzip"


async def main() -> None:
    """Make all calls. Pilotfish reads gzip only; of a long compressed stream, it keeps a part only."""
    raw = await client.chat.completions.with_raw_response.create(model="tiny", messages=QUESTION, max_tokens=20)
    assert raw.headers["content-encoding"] == coding
    usage = of_openai(raw.parse().usage)
    said("whole", CHAT, usage if readable else None, "counted" if readable else "encoded")
    for tokens in (20, 3000):
        found = None
        async for event in await client.chat.completions.create(
            model="tiny", messages=QUESTION, max_tokens=tokens, stream=True, stream_options={"include_usage": True}
        ):
            found = of_openai(event.usage) if event.usage else found
        assert found
        kept = readable and tokens == 20
        said(f"stream of {tokens}", CHAT, found if kept else None, "counted" if kept else "encoded")
    try:
        await client.chat.completions.create(model="broken", messages=QUESTION)
    except APIStatusError as error:
        failed(f"broken: {error.status_code}", CHAT)


if __name__ == "__main__":
    asyncio.run(main())
