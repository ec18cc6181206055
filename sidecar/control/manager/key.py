"""The identity of one monitor in a cluster."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class MonitorKey:
    """The namespace, name and UID of a ModelMonitor. The UID tells a monitor from a deleted one of the same name."""

    namespace: str
    name: str
    uid: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"
