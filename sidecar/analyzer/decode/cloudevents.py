"""A body that is a CloudEvent in structured mode: its `data` is the body, its `id` names the exchange.

Source: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md. In binary mode the body is
the data already, and the id a header.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

import msgspec

from ...wire.headers import Headers
from .content import parse
from .types import Body, SkipExchangeError

STRUCTURED = b"application/cloudevents+json"
_EVENT: msgspec.json.Decoder[dict[str, msgspec.Raw]] = msgspec.json.Decoder(dict[str, msgspec.Raw])
_TEXT: msgspec.json.Decoder[Any] = msgspec.json.Decoder()


def unwrap_event(raw: bytes, headers: Headers) -> Body:
    """Return the body that an event holds; decline an event without data."""
    event = {name: bytes(value) for name, value in parse(_EVENT, raw, headers).items()}
    if raw.count(b":") != len(event) + sum(value.count(b":") for value in event.values()):
        raise SkipExchangeError("duplicate_name")  # the colons of an attribute that another one hid
    name = _text(event.get("id"), headers)
    if "data" in event:
        return Body(event["data"], headers, event_id=name)
    packed = _text(event.get("data_base64"), headers)
    if packed is None:
        raise SkipExchangeError("wrong_structure")
    try:
        return Body(base64.b64decode(packed, validate=True), headers, event_id=name)
    except (binascii.Error, ValueError):
        raise SkipExchangeError("wrong_structure") from None


def _text(value: bytes | None, headers: Headers) -> str | None:
    found = None if value is None else parse(_TEXT, value, headers)
    return found if isinstance(found, str) else None
