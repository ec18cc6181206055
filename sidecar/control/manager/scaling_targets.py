"""Which monitor scales a workload: several may name it, and only one may change its replicas.

It is the oldest one with the block `spec.scaling`, so that a new monitor never takes a workload from another one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...settings.document import TargetRef
from .key import MonitorKey

Place = tuple[str, str, str, str]  # namespace, API group, kind, name


@dataclass
class ScalingTargets:
    """The monitors that scale, by target."""

    _scaled: dict[Place, MonitorKey] = field(default_factory=dict)

    def update(self, items: Iterable[Mapping[str, Any]]) -> None:
        """Replace all ModelMonitors by `items`."""
        found: dict[Place, tuple[str, MonitorKey]] = {}
        for item in items:
            metadata, spec = item["metadata"], item.get("spec") or {}
            place = _place(metadata["namespace"], spec.get("targetRef"))
            if place is None or not isinstance(spec.get("scaling"), dict):
                continue
            key = MonitorKey(metadata["namespace"], metadata["name"], metadata["uid"])
            age = metadata.get("creationTimestamp") or ""
            found[place] = min(found.get(place, (age, key)), (age, key))
        self._scaled = {place: key for place, (_, key) in found.items()}

    def scaler(self, namespace: str, target: TargetRef) -> MonitorKey | None:
        """Return the monitor that scales `target` in `namespace`; None before `update` has seen one."""
        return self._scaled.get((namespace, _group(target.api_version), target.kind, target.name))


def _place(namespace: str, target: Any) -> Place | None:
    """Return the place of the `targetRef` of an object, which may have any form."""
    if not isinstance(target, dict) or not all(isinstance(target.get(name), str) for name in _FIELDS):
        return None
    return namespace, _group(target["apiVersion"]), target["kind"], target["name"]


_FIELDS = ("apiVersion", "kind", "name")


def _group(api_version: str) -> str:
    return api_version.rpartition("/")[0]
