"""Calls of the client `openai`: `python -m tests.servers.with_openai URL SERVER`."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from openai import APIStatusError, AsyncOpenAI, OpenAI  # type: ignore[import-not-found,unused-ignore]

from tests.servers.calls import LLAMA, failed, of_openai, of_responses, said

CHAT, TEXT, EMBEDDINGS, RESPONSES = "/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/responses"
QUESTION: Any = [{"role": "user", "content": "what is the sun and how many moon"}]
TOOL: Any = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"enum": ["one", "two"]}, "usage": {"enum": [3]}},
            "required": ["city", "usage"],
            "additionalProperties": False,
        },
    },
}
url, server = sys.argv[1:3]
client = OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)


def chat(case: str, **more: Any) -> None:
    """Ask for a whole answer."""
    answer = client.chat.completions.create(model="tiny", messages=QUESTION, max_tokens=20, **more)
    said(case, CHAT, of_openai(answer.usage))


def stream(case: str, *, told: bool, tokens: int = 20, **more: Any) -> None:
    """Ask for a stream, with usage or without."""
    options: Any = {"include_usage": True}
    more |= {"stream_options": options} if told else {}
    found = None
    for event in client.chat.completions.create(
        model="tiny", messages=QUESTION, max_tokens=tokens, stream=True, **more
    ):
        found = of_openai(event.usage) if event.usage else found
        timings = (event.model_extra or {}).get("timings")
        if timings and not found and server == LLAMA:
            found = timings["prompt_n"] + timings["cache_n"], timings["predicted_n"], timings["cache_n"]
    said(case, CHAT, found, "counted" if found else "stream")


def responses() -> None:
    """Ask by the API of responses, whole and as a stream."""
    answer = client.responses.create(model="tiny", input="what is the moon", max_output_tokens=12)
    said("responses", RESPONSES, of_responses(answer.usage))
    for event in client.responses.create(model="tiny", input="what is it", max_output_tokens=900, stream=True):
        if event.type in ("response.completed", "response.incomplete"):
            said("stream of responses", RESPONSES, of_responses(event.response.usage))


def several() -> None:
    """Ask for several choices. llama.cpp gives the counts of one of them."""

    def note(case: str, path: str, answer: Any) -> None:
        if server == LLAMA and len(answer.choices) > 1:
            said(case, path, None, "partial")
        else:
            said(case, path, of_openai(answer.usage))

    note("choices", CHAT, client.chat.completions.create(model="tiny", messages=QUESTION, max_tokens=9, n=2))
    try:
        texts = client.completions.create(model="tiny", prompt=["the sun", "a quick fox is"], max_tokens=9)
        note("prompts", TEXT, texts)
    except APIStatusError as error:
        failed(f"prompts: {error.status_code}", TEXT)


def refused() -> None:
    """Send what the server cannot answer."""
    for case, body in (("a wrong type", {"messages": 3}), ("a wrong role", {"messages": [{"content": {"a": 1}}]})):
        try:
            client.post(CHAT.removeprefix("/v1"), cast_to=object, body={"model": "tiny", **body})
        except APIStatusError as error:
            failed(f"{case}: {error.status_code}", CHAT)


async def together() -> None:
    """Ask five times at once, by the asynchronous client."""
    async with AsyncOpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as many:
        answers = await asyncio.gather(
            *(
                many.chat.completions.create(model="tiny", messages=QUESTION, max_tokens=tokens)
                for tokens in (3, 30, 7, 60, 1)
            )
        )
    for answer in answers:
        said("at once", CHAT, of_openai(answer.usage))


def main() -> None:
    """Make all calls."""
    chat("chat")
    raw = client.chat.completions.with_raw_response.create(model="tiny", messages=QUESTION, max_tokens=5)
    said("raw response", CHAT, of_openai(raw.parse().usage))
    # llama.cpp lets a random model answer with text, also where a call is required
    chat("tools", tools=[TOOL], tool_choice="required", extra_body={"max_tokens": 300})
    stream("stream", told=True)
    stream("stream without usage", told=False)
    stream("long stream", told=True, tokens=1500)
    stream("long stream without usage", told=False, tokens=1500)
    stream("stream of tools", told=True, tools=[TOOL], tool_choice="required", tokens=300)
    text = client.completions.create(model="tiny", prompt="the sun is", max_tokens=9)
    said("completion", TEXT, of_openai(text.usage))
    several()
    responses()
    refused()
    asyncio.run(together())


def embed() -> None:
    """Ask for embeddings, of one text and of many."""
    for texts in (["the sun"], ["a fox", "the moon is red", "one two three"] * 20):
        answer = client.embeddings.create(model="tiny", input=texts)
        said("embeddings", EMBEDDINGS, of_openai(answer.usage))


if __name__ == "__main__":
    if sys.argv[3:] == ["embeddings"]:
        embed()
    else:
        main()
