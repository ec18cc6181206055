"""The types of all values in the document, with their units and forms, and the base class of its objects."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

DAY = 86400.0

Mode = Literal["observe", "recommend", "act"]


def _unit(name: str) -> Meta:
    return Meta(extra={"unit": name})


def _form(pattern: str, words: str) -> Meta:
    """Return the constraint of a pattern, with its meaning in words for messages."""
    return Meta(pattern=pattern, extra={"pattern": words})


Cores = Annotated[float, _unit("cores")]
Positive = Annotated[float, _unit("positive")]
Ratio = Annotated[float, _unit("ratio"), Meta(ge=0)]
Duration = Annotated[float, _unit("duration")]
Size = Annotated[int, _unit("size")]
Price = Annotated[float, Meta(ge=0, le=1e9)]
Tolerance = Annotated[float, Meta(ge=0, le=1)]
DnsName = Annotated[
    str,
    _form(
        r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$",
        "of lowercase letters, digits, '-' and '.', starting and ending with a letter or digit",
    ),
    Meta(max_length=253),
]
Name = Annotated[str, Meta(min_length=1, max_length=253)]
Word = Annotated[str, Meta(max_length=253)]
OneLine = Annotated[str, _form(r"^[^\x00-\x1f\x7f]*$", "on one line without control characters")]
WebhookUrl = Annotated[str, Meta(min_length=1, max_length=2048)]
PathTemplate = Annotated[
    str, _form(r"^/[!-~]*$", "starting with /, of printable ASCII characters without spaces"), Meta(max_length=128)
]


class DocumentBlock(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """Base class of all objects in the document."""
