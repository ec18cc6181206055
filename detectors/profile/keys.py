"""The check of the keys of every object in a profile document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from ..errors import ProfileError, shown


def field_names(of: type[Any]) -> frozenset[str]:
    """Return the names of the fields of a dataclass, which are the keys of its object in the document."""
    return frozenset(field.name for field in fields(of))


def require_keys(document: Mapping[str, Any], expected: frozenset[str], where: str) -> dict[str, Any]:
    """Return a copy of `document`; raise ProfileError unless it has exactly the expected keys."""
    if set(document) != expected:
        wrong = sorted(set(document) ^ expected)
        raise ProfileError(f"{where} has missing or unknown keys: {shown(wrong)}; build the profile with this version")
    return dict(document)
