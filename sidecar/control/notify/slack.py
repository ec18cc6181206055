"""The format `slack`: `{"text": ...}`, which the incoming webhooks of Slack, Mattermost and Rocket.Chat accept.

A name in the text must not mention people or become a link: Slack's control characters are escaped, and a zero-width
space follows each @. An arrow is one character, because not every receiver shows `&gt;` as `>`.
"""

from __future__ import annotations

import msgspec

from ..webhook.sender import Message

CONTENT_TYPE = "application/json; charset=utf-8"
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "@": "@\u200b"})


class _Data(msgspec.Struct):
    text: str


class _Event(msgspec.Struct):
    data: _Data


def message(event: str) -> Message:
    """Return the message for a CloudEvent of this kind."""
    text = msgspec.json.decode(event, type=_Event).data.text
    return Message(msgspec.json.encode({"text": text.replace("->", "→").translate(_ESCAPES)}), CONTENT_TYPE)
