"""Label selectors: those of a workload's `spec.selector`, and the text form in `status.selector` of a scale.

Pods are mirrored once for all monitors, so each monitor matches labels here instead of asking the API server.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...errors import PilotfishError, quote_value

_SET = re.compile(r"\s*(?P<key>[^\s,!=()]+)\s+(?P<operator>in|notin)\s*\((?P<values>[^()]*)\)\s*\Z")
_EQUAL = re.compile(r"\s*(?P<key>[^\s,!=()]+)\s*(?P<operator>!=|==?)\s*(?P<value>[^\s,!=()]*)\s*\Z")
_PRESENT = re.compile(r"\s*(?P<absent>!?)\s*(?P<key>[^\s,!=()]+)\s*\Z")
_COMMA = re.compile(r",(?![^(]*\))")  # outside of parentheses
OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist")


class SelectorError(PilotfishError):
    """A label selector that cannot be read, or that selects every pod."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """One condition on the label `key`; `operator` is one of OPERATORS, as in Kubernetes."""

    key: str
    operator: str
    values: frozenset[str] = frozenset()

    def __str__(self) -> str:
        values = ",".join(sorted(self.values))
        forms = {"DoesNotExist": f"!{self.key}", "Exists": self.key, "In": f"{self.key} in ({values})"}
        return forms.get(self.operator, f"{self.key} notin ({values})")

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Return whether `labels` meet the condition; a missing label meets NotIn, as in Kubernetes."""
        present = self.key in labels
        match self.operator:
            case "In":
                return present and labels[self.key] in self.values
            case "NotIn":
                return not present or labels[self.key] not in self.values
            case "Exists":
                return present
            case _:
                return not present


@dataclass(frozen=True, slots=True)
class Selector:
    """A label selector: all requirements must hold. `str` returns its text form."""

    requirements: tuple[Requirement, ...]

    def __str__(self) -> str:
        return ",".join(map(str, self.requirements))

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Return whether `labels` meet all requirements."""
        return all(requirement.matches(labels) for requirement in self.requirements)


def from_object(selector: object) -> Selector:
    """Return the selector in `spec.selector`: `matchLabels` and `matchExpressions`, or a plain map of labels.

    Raises SelectorError for an empty selector, which would select every pod of the namespace.
    """
    if not isinstance(selector, dict) or not selector:
        raise SelectorError("the workload has no selector; give a workload that selects its pods by labels")
    structured = not selector.keys() - {"matchLabels", "matchExpressions"}
    labels = selector.get("matchLabels") or {} if structured else selector
    found = [Requirement(str(key), "In", frozenset((str(value),))) for key, value in labels.items()]
    found += map(_expression, (selector.get("matchExpressions") or ()) if structured else ())
    return _checked(found, selector)


def from_text(text: str) -> Selector:
    """Return the selector in a text such as `app=delays,tier in (a,b)`; raise SelectorError."""
    found = [_requirement(part, text) for part in _COMMA.split(text) if part.strip()]
    return _checked(found, text)


def _checked(found: list[Requirement], source: object) -> Selector:
    if not found:
        raise SelectorError(f"the selector {quote_value(source)} selects every pod; select by labels")
    return Selector(tuple(sorted(found, key=lambda item: (item.key, item.operator, sorted(item.values)))))


def _expression(item: Mapping[str, Any]) -> Requirement:
    key, operator = str(item.get("key", "")), str(item.get("operator", ""))
    if not key or operator not in OPERATORS:
        raise SelectorError(f"cannot read the selector's expression {quote_value(item)}; use {', '.join(OPERATORS)}")
    return Requirement(key, operator, frozenset(map(str, item.get("values") or ())))


def _requirement(part: str, whole: str) -> Requirement:
    if found := _SET.match(part):
        values = frozenset(value.strip() for value in found["values"].split(","))
        return Requirement(found["key"], "In" if found["operator"] == "in" else "NotIn", values)
    if found := _EQUAL.match(part):
        operator = "NotIn" if found["operator"] == "!=" else "In"
        return Requirement(found["key"], operator, frozenset((found["value"],)))
    if found := _PRESENT.match(part):
        return Requirement(found["key"], "DoesNotExist" if found["absent"] else "Exists")
    raise SelectorError(f"cannot read {quote_value(part)} of the selector {quote_value(whole)}; write key=value")
