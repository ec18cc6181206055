"""The identity of one monitor in a cluster, and of its target."""

from __future__ import annotations

from dataclasses import dataclass

from ...settings.document import TargetRef


@dataclass(frozen=True, slots=True, order=True)
class MonitorKey:
    """The namespace, name and UID of a ModelMonitor. The UID tells a monitor from a deleted one of the same name."""

    namespace: str
    name: str
    uid: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


def target_key(namespace: str, target: TargetRef) -> str:
    """Return kind, namespace and name of `target`, the key of intents for it."""
    return f"{target.kind}/{namespace}/{target.name}"
