"""What a client did through Pilotfish, as JSON lines: a call each, with the counts that the client was given."""

from __future__ import annotations

import json
from typing import Any

LLAMA = "llama"  # name of the server that adds `timings` to its streams


def said(
    case: str, path: str, usage: tuple[int | None, int | None, int | None] | None, outcome: str = "counted"
) -> None:
    """Write one call: its counts of prompt, completion and cached tokens, or None if it was given none."""
    prompt, completion, cached = usage or (None, None, None)
    line = {"case": case, "route": f"POST {path}", "outcome": outcome}
    print(json.dumps(line | {"prompt": prompt, "completion": completion, "cached": cached}), flush=True)


def failed(case: str, path: str) -> None:
    """Write a call that the server refused: it is not an exchange of a language model with tokens."""
    said(case, path, None, "")


def of_openai(usage: Any) -> tuple[int | None, int | None, int | None]:
    """Return the counts of chats, completions and embeddings."""
    details = getattr(usage, "prompt_tokens_details", None)
    return usage.prompt_tokens, getattr(usage, "completion_tokens", 0), getattr(details, "cached_tokens", None)


def of_responses(usage: Any) -> tuple[int, int, int]:
    """Return the counts of OpenAI's responses."""
    return usage.input_tokens, usage.output_tokens, usage.input_tokens_details.cached_tokens


def of_anthropic(usage: Any) -> tuple[int, int, int | None]:
    """Return the counts of Anthropic's messages; `input_tokens` is without cached tokens."""
    read, written = usage.cache_read_input_tokens, usage.cache_creation_input_tokens
    return usage.input_tokens + (read or 0) + (written or 0), usage.output_tokens, read
