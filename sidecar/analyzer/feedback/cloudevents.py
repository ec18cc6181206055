"""CloudEvents 1.0 that carry feedback: structured, batched, binary. Source: the JSON event format and HTTP binding.

An event's `data` is what a plain request's body is. `source` and `id` tell a repetition of labels that name no request.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

import msgspec

from ...errors import quote_value
from .items import ItemError
from .labels import delivery_key

STRUCTURED, BATCHED = "application/cloudevents+json", "application/cloudevents-batch+json"
_NEEDED = ("id", "source", "type")


class CloudEvent(msgspec.Struct, gc=False):
    """The attributes that are looked at; others, extensions among them, may be there."""

    specversion: Any = None
    id: Any = None
    source: Any = None
    type: Any = None
    datacontenttype: Any = None
    data: msgspec.Raw = msgspec.Raw()
    data_base64: Any = None


_DECODER = msgspec.json.Decoder(CloudEvent)


def structured(raw: bytes) -> tuple[bytes, int]:
    """Return data and delivery key of the event in `raw`; ItemError when it is none."""
    try:
        event = _DECODER.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ItemError(
            "", "is no CloudEvent in JSON; give an object with specversion, id, source, type, data"
        ) from None
    _require(event.specversion, {name: getattr(event, name) for name in _NEEDED}, ".{}")
    kind = event.datacontenttype
    if kind is not None and not (isinstance(kind, str) and is_json(kind)):
        raise ItemError(".datacontenttype", f"is {quote_value(kind)}; give application/json")
    return _data(event), delivery_key(event.source, event.id)


def is_binary(headers: Mapping[str, str]) -> bool:
    """Tell whether headers are those of an event in binary mode."""
    return "ce-specversion" in headers


def binary(headers: Mapping[str, str]) -> int:
    """Return the delivery key of the event whose attributes are headers; ItemError when one is missing."""
    _require(headers.get("ce-specversion"), {name: headers.get(f"ce-{name}") for name in _NEEDED}, "header ce-{}")
    return delivery_key(headers["ce-source"], headers["ce-id"])


def is_json(content_type: str) -> bool:
    """Tell whether a content type says JSON."""
    kind = content_type.partition(";")[0].strip().lower()
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))


def _require(version: object, attributes: Mapping[str, object], where: str) -> None:
    if version != "1.0":
        raise ItemError(where.format("specversion"), f"is {quote_value(version)}; give '1.0'")
    for name, value in attributes.items():
        if not isinstance(value, str) or not value:
            raise ItemError(where.format(name), f"is {quote_value(value)}; give a text: every CloudEvent needs one")


def _data(event: CloudEvent) -> bytes:
    data, encoded = bytes(event.data), event.data_base64
    if bool(data) == (encoded is not None):
        raise ItemError(".data", "must be there once, as data or as data_base64")
    if data:
        return data
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError, TypeError):
        raise ItemError(".data_base64", "is no base64; give the feedback as data") from None
