"""Recognises counts of one choice in a response with several, as llama.cpp sends them for `n` and for several prompts.

llama.cpp adds `timings` of one choice to its responses. The completion in its `usage` is then the one in `timings`
(measured in October 2026), where other servers send the sum over all choices. Such a response has no usable counts.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from . import documents
from .counts import Told

_REASON = re.compile(rb'(?<!\\)"finish_reason"\s*:')  # each choice of a whole response has one
_Index = str | float | bool | None


class _Choice(msgspec.Struct, gc=False):
    index: _Index = 0


class _Event(msgspec.Struct, gc=False):
    """One event: `choices` of OpenAI's API, or `index` beside `tokens_predicted` of llama.cpp's own API."""

    choices: list[_Choice] | None = None
    index: _Index = 0
    tokens_predicted: msgspec.Raw = msgspec.Raw()


_EVENT = msgspec.json.Decoder(_Event)


def of_one_choice(told: Told, body: bytes, *, stream: bool) -> bool:
    """Return whether the counts of a response are those of one of its choices.

    Args:
        told: the fields with counts of the response.
        body: what was kept of it.
        stream: whether the body is an event stream.
    """
    timings, usage = told.get("timings"), told.get("usage")
    if not isinstance(timings, dict):
        return False
    if isinstance(usage, dict) and timings.get("predicted_n") not in _completions(usage):
        return False
    return len(_indexes(body)) > 1 if stream else len(_REASON.findall(body)) > 1


def _completions(usage: dict[str, Any]) -> tuple[Any, Any]:
    return usage.get("completion_tokens"), usage.get("output_tokens")


def _indexes(body: bytes) -> set[_Index]:
    """Return the numbers of the choices that the events of a stream belong to."""
    found: set[_Index] = set()
    for data in documents.data_of_events(body):
        try:
            event = _EVENT.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue  # `[DONE]`, or an event of another structure
        if bytes(event.tokens_predicted):
            found.add(event.index)
        found.update(choice.index for choice in event.choices or ())
    return found
