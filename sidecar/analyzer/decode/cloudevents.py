"""Extract the body from a CloudEvent in structured mode, before the decoder of a protocol reads it.

The event's `data` is the body, and its `id` is the id of the exchange. In binary mode the body is the data already, and
the id is a header, so this module is not used.
Source: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

import msgspec

from ...wire.headers import Headers
from .content import parse, require_unique_keys
from .types import Body, SkipExchangeError

STRUCTURED = b"application/cloudevents+json"
_EVENT: msgspec.json.Decoder[dict[str, msgspec.Raw]] = msgspec.json.Decoder(dict[str, msgspec.Raw])
_OBJECT: msgspec.json.Decoder[dict[str, Any]] = msgspec.json.Decoder(dict[str, Any])
_TEXT: msgspec.json.Decoder[Any] = msgspec.json.Decoder()


def unwrap_event(raw: bytes, headers: Headers) -> Body:
    """Return the body in the event `raw`.

    Raises:
        SkipExchangeError: the event has no data, has a key twice, or is not a JSON object.
    """
    try:
        event = _attributes(raw, headers)
    except SkipExchangeError as skipped:
        if skipped.reason != "wrong_structure":
            raise
        event = _lenient_attributes(raw, headers)
    event_id = _text(event.get("id"), headers)
    if "data" in event:
        return Body(event["data"], headers, event_id=event_id)
    encoded = _text(event.get("data_base64"), headers)
    if encoded is None:
        raise SkipExchangeError("wrong_structure")
    try:
        return Body(base64.b64decode(encoded, validate=True), headers, event_id=event_id)
    except (binascii.Error, ValueError):
        raise SkipExchangeError("wrong_structure") from None


def _attributes(raw: bytes, headers: Headers) -> dict[str, bytes]:
    event = {name: bytes(value) for name, value in parse(_EVENT, raw, headers).items()}
    if raw.count(b":") != len(event) + sum(value.count(b":") for value in event.values()):
        raise SkipExchangeError(
            "duplicate_name"
        )  # more colons than the parsed attributes have: a duplicate attribute was dropped
    return event


def _lenient_attributes(raw: bytes, headers: Headers) -> dict[str, bytes]:
    """Return the attributes of an event with NaN or Infinity, which `msgspec.Raw` refuses."""
    tree = parse(_OBJECT, raw, headers)
    require_unique_keys(raw, 0, tree)
    return {name: json.dumps(value).encode() for name, value in tree.items()}


def _text(value: bytes | None, headers: Headers) -> str | None:
    found = None if value is None else parse(_TEXT, value, headers)
    return found if isinstance(found, str) else None
