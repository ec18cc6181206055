"""Label and field selectors."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

Matches = Callable[[dict[str, Any]], bool]

_SET = re.compile(r"^(\S+)\s+(in|notin)\s+\(([^)]*)\)$")
_EQUAL = re.compile(r"^([^=!\s]+)\s*(==|=|!=)\s*(\S*)$")


def selector(labels: str, fields: str) -> Matches:
    """Return the predicate of a request's `labelSelector` and `fieldSelector`."""
    wanted = [_label_term(term) for term in re.split(r",(?![^(]*\))", labels) if term]
    wanted += [_field_term(term) for term in fields.split(",") if term]
    return lambda found: all(term(found) for term in wanted)


def _label_term(term: str) -> Matches:
    term = term.strip()

    def label(found: dict[str, Any], key: str) -> str | None:
        value: str | None = (found["metadata"].get("labels") or {}).get(key)
        return value

    if match := _SET.match(term):
        key, operator, values = match[1], match[2], {value.strip() for value in match[3].split(",")}
        return lambda found: (label(found, key) in values) == (operator == "in")
    if match := _EQUAL.match(term):
        key, operator, value = match.groups()
        return lambda found: (label(found, key) == value) == (operator != "!=")
    if term.startswith("!"):
        return lambda found: label(found, term[1:]) is None
    return lambda found: label(found, term) is not None


def _field_term(term: str) -> Matches:
    match = _EQUAL.match(term.strip())
    assert match, f"not a field selector: {term}"
    path, operator, value = match.groups()

    def field(found: dict[str, Any]) -> str:
        at: Any = found
        for part in path.split("."):
            at = (at or {}).get(part)
        return str(at or "")

    return lambda found: (field(found) == value) == (operator != "!=")
