"""The states of a retraining, and of the object that carries it out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

RETRAIN = "retrain"  # the kind of intent
REQUESTED, RUNNING, SUCCEEDED, FAILED = "requested", "running", "succeeded", "failed"


@dataclass(frozen=True, slots=True)
class ObjectState:
    """The state of an object, and the message of its failure."""

    state: str
    detail: str = ""


def condition(found: Mapping[str, Any], type_: str) -> Mapping[str, Any]:
    """Return the condition `type_` in the status of an object; empty without one."""
    conditions = mapping(found.get("status")).get("conditions")
    items = conditions if isinstance(conditions, list) else []
    return next((mapping(item) for item in items if mapping(item).get("type") == type_), {})


def mapping(value: object) -> Mapping[str, Any]:
    """Return `value` if it is a JSON object, else an empty one: the status is what another controller wrote."""
    return value if isinstance(value, dict) else {}


def message_of(found: Mapping[str, Any]) -> str:
    """Return `reason: message` of a condition or status, as far as they are texts."""
    parts = (found.get("reason"), found.get("message"))
    return ": ".join(part for part in parts if isinstance(part, str) and part)
