"""Read CloudEvents 1.0 that carry feedback, in structured or binary mode. `request.py` splits batches into events.

The `data` of an event has the form of a plain request body. `source` and `id` identify a repeated delivery, for labels
without a request id.
Source: the JSON event format and the HTTP protocol binding of CloudEvents 1.0.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

import msgspec

from ..errors import quote_value
from .items import ItemError, require_unique_keys
from .labels import delivery_key

STRUCTURED, BATCHED = "application/cloudevents+json", "application/cloudevents-batch+json"
_NEEDED = ("id", "source", "type")


class CloudEvent(msgspec.Struct, gc=False):
    """The attributes that this module reads. Other attributes and extensions are allowed."""

    specversion: Any = None
    id: Any = None
    source: Any = None
    type: Any = None
    datacontenttype: Any = None
    data: msgspec.Raw = msgspec.Raw()
    data_base64: Any = None


_DECODER = msgspec.json.Decoder(CloudEvent)


def structured(raw: bytes) -> tuple[bytes, int]:
    """Return data and delivery key of the event in `raw`; raise ItemError if it is not a valid event."""
    try:
        event = _DECODER.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ItemError(
            "", "is not a CloudEvent in JSON; give an object with specversion, id, source, type and data"
        ) from None
    require_unique_keys(raw, 0)
    _require(event.specversion, {name: getattr(event, name) for name in _NEEDED}, ".{}")
    kind = event.datacontenttype
    if kind is not None and not (isinstance(kind, str) and is_json(kind)):
        raise ItemError(".datacontenttype", f"is {quote_value(kind)}; give application/json")
    return _data(event), delivery_key(event.source, event.id)


def is_binary(headers: Mapping[str, str]) -> bool:
    """Return whether the headers contain an event in binary mode."""
    return "ce-specversion" in headers


def binary(headers: Mapping[str, str]) -> int:
    """Return the delivery key of an event in binary mode; raise ItemError if a required attribute is missing."""
    _require(headers.get("ce-specversion"), {name: headers.get(f"ce-{name}") for name in _NEEDED}, "header ce-{}")
    return delivery_key(headers["ce-source"], headers["ce-id"])


def is_json(content_type: str) -> bool:
    """Return whether a content type is JSON, or a type with the suffix `+json`."""
    kind = content_type.partition(";")[0].strip().lower()
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))


def _require(version: object, attributes: Mapping[str, object], where: str) -> None:
    if version != "1.0":
        raise ItemError(where.format("specversion"), f"is {quote_value(version)}; give '1.0'")
    for name, value in attributes.items():
        if not isinstance(value, str) or not value:
            raise ItemError(
                where.format(name), f"is {quote_value(value)}; give a text; CloudEvents require this attribute"
            )


def _data(event: CloudEvent) -> bytes:
    data, encoded = bytes(event.data), event.data_base64
    if bool(data) == (encoded is not None):
        raise ItemError(".data", "is missing or duplicated; give either data or data_base64")
    if data:
        return data
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError, TypeError):
        raise ItemError(".data_base64", "is not base64; give the feedback as data") from None
