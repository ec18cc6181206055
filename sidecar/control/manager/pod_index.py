"""The mirrored pods by namespace, with a number that changes when a namespace changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ...kube.watch import DELETED
from .world import Item


@dataclass
class PodIndex:
    """Pods by namespace and name. A monitor looks at its pods again only when `revision` of its namespace changes."""

    _pods: dict[str, dict[str, Item]] = field(default_factory=dict)
    _revisions: dict[str, int] = field(default_factory=dict)

    def change(self, kind: str, item: Item) -> None:
        """Take in a change of the mirror."""
        namespace, name = item["metadata"]["namespace"], item["metadata"]["name"]
        pods = self._pods.setdefault(namespace, {})
        if kind == DELETED:
            pods.pop(name, None)
        else:
            pods[name] = item
        self._revisions[namespace] = self._revisions.get(namespace, 0) + 1

    def pods_in(self, namespace: str) -> Sequence[Item]:
        """Return the pods of a namespace."""
        return tuple(self._pods.get(namespace, {}).values())

    def has(self, namespace: str, name: str) -> bool:
        """Return whether a pod is mirrored."""
        return name in self._pods.get(namespace, {})

    def revision(self, namespace: str) -> int:
        """Return the number of changes in a namespace."""
        return self._revisions.get(namespace, 0)
