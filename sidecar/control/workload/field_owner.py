"""Another owner of a field, and what is common to all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...errors import quote_value
from ..reasons import Reason
from .kinds import at_path, replicas_path

Item = Mapping[str, Any]

OWN_SETTING = "set spec.scaling.takeOwnership: true"
METRIC = "set spec.scaling.surface: metric"


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldOwner:
    """Another owner of a field.

    Attributes:
        kind: what it is, such as `HorizontalPodAutoscaler`, `Deployment`, `Helm` or `Argo CD`.
        name: the name of the object or of the application; empty if it is unknown.
        manager: its field manager, empty if that is unknown.
        reason: the reason of the refusal.
        text: what it does, as a sentence without a full stop.
        remedy: what to do.
        yields: whether `takeOwnership: true` overrides it.
    """

    kind: str
    name: str
    manager: str
    reason: Reason
    text: str
    remedy: str
    yields: bool

    @property
    def message(self) -> str:
        """The sentence for status, Events and log: text and remedy."""
        return f"{self.text}; {self.remedy}"


def field_of(item: Item) -> str:
    """Return the field that sets the replicas of an object, such as `.spec.replicas`."""
    return "." + ".".join(replicas_path(item))


def described(item: Item) -> str:
    """Return kind and name of an object, such as `Deployment "delays"`."""
    return f"{item.get('kind') or 'object'} {quote_value(name_of(item))}"


def map_at(item: object, *path: str) -> Item:
    """Return the map at a path of keys, an empty one where there is none."""
    found = at_path(item, path)
    return found if isinstance(found, dict) else {}


def labels_of(item: Item) -> Item:
    """Return the labels of an object."""
    return map_at(item, "metadata", "labels")


def annotations_of(item: Item) -> Item:
    """Return the annotations of an object."""
    return map_at(item, "metadata", "annotations")


def name_of(item: Item) -> str:
    """Return the name of an object."""
    return str(at_path(item, ("metadata", "name")) or "")
