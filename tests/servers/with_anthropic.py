"""Calls of the client `anthropic`: `python -m tests.servers.with_anthropic URL`."""

from __future__ import annotations

import sys
from typing import Any

from anthropic import Anthropic, APIStatusError  # type: ignore[import-not-found,unused-ignore]

from tests.servers.calls import failed, of_anthropic, said

PATH = "/v1/messages"
QUESTION: Any = [{"role": "user", "content": "what is the sun and how many moon"}]
WRONG: Any = [{"role": "user", "content": 3}]
client = Anthropic(base_url=sys.argv[1], api_key="none", max_retries=0)


def main() -> None:
    """Make all calls."""
    for tokens in (8, 200):
        answer = client.messages.create(model="tiny", max_tokens=tokens, messages=QUESTION)
        said("messages", PATH, of_anthropic(answer.usage))
    for tokens in (8, 1500):
        with client.messages.stream(model="tiny", max_tokens=tokens, messages=QUESTION) as stream:
            for _ in stream.text_stream:
                pass
            said("stream of messages", PATH, of_anthropic(stream.get_final_message().usage))
    try:  # llama.cpp closes the connection after a stream without announcing it, which a client may notice too late
        client.with_options(max_retries=3).messages.create(model="tiny", max_tokens=5, messages=WRONG)
    except APIStatusError as error:
        failed(f"refused: {error.status_code}", PATH)


if __name__ == "__main__":
    main()
