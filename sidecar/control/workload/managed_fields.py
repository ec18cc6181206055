"""Reads `metadata.managedFields`: which clients wrote the replicas of an object, and when.

The API server keeps one entry per manager, operation and subresource, with the fields that the manager owns. A change
of a value by `Update` removes the field from all other entries, so the entries that contain it name its last writers.
The entry of a write through the scale subresource has no time, because the API server copies only the known ones. See https://kubernetes.io/docs/reference/using-api/server-side-apply/.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .kinds import Named, Path

MANAGER = "pilotfish"  # the field manager of the controller
Item = Mapping[str, Any]
_KEY = 'k:{{"name":{}}}'  # of an item in a list whose items have names


@dataclass(frozen=True, slots=True)
class FieldWriter:
    """A client that wrote a field: the name of its field manager, and how.

    `operation` is `Apply` (server-side apply) or `Update` (any other write). `subresource` is `scale` for a write of
    the scale subresource. `at` is in epoch seconds by the clock of the API server; None if it records no time,
    as for each write of the scale subresource.
    """

    manager: str
    operation: str = "Update"
    subresource: str = ""
    at: float | None = None

    @property
    def own(self) -> bool:
        """Whether the controller itself is the writer."""
        return self.manager == MANAGER


def writers_of(item: Item, path: Path) -> tuple[FieldWriter, ...]:
    """Return the writers of the field `path` of an object, the latest one first; empty if nobody is recorded."""
    found = []
    for entry in _entries(item):
        if _contains(entry.get("fieldsV1"), path):
            manager, operation = str(entry.get("manager") or ""), str(entry.get("operation") or "Update")
            subresource = str(entry.get("subresource") or "")
            found.append(FieldWriter(manager, operation, subresource, epoch_seconds(entry.get("time"))))
    return tuple(sorted(found, key=lambda writer: (writer.at or 0.0, writer.manager), reverse=True))


def managers_of(item: Item) -> Mapping[str, str]:
    """Return the field managers of an object, each with its operation; `Apply` if it has entries of both."""
    found: dict[str, str] = {}
    for entry in _entries(item):
        manager, operation = str(entry.get("manager") or ""), str(entry.get("operation") or "Update")
        found[manager] = "Apply" if found.get(manager) == "Apply" else operation
    return found


def _entries(item: Item) -> list[Item]:
    metadata = item.get("metadata")
    entries = metadata.get("managedFields") if isinstance(metadata, dict) else None
    return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []


def _contains(fields: object, path: Path) -> bool:
    for step in path:
        key = _KEY.format(json.dumps(step.name)) if isinstance(step, Named) else f"f:{step}"
        fields = fields.get(key) if isinstance(fields, dict) else None
    return fields is not None


def epoch_seconds(text: object) -> float | None:
    """Return a time of the API server in epoch seconds; None for a text that is none."""
    try:
        return datetime.fromisoformat(str(text)).timestamp()
    except ValueError:
        return None
