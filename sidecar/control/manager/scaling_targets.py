"""Which monitor scales a workload, and which one resizes a container: several may name it, and only one may change it.

It is the oldest one with the block `spec.scaling` or `spec.resources`, so that a new monitor never takes a workload
from another one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...settings.document import TargetRef
from .key import MonitorKey

Place = tuple[str, str, str, str]  # namespace, API group, kind, name
RESOURCES = ("cpu", "memory")  # types of signals that follow the use of a resource


@dataclass(frozen=True, slots=True)
class ResourceSignal:
    """A scaling signal that follows the use of `resource`, of one container or of all; `monitor` is its name."""

    monitor: str
    resource: str
    container: str


@dataclass
class ScalingTargets:
    """The monitors that scale and resize, by target."""

    _scaled: dict[Place, MonitorKey] = field(default_factory=dict)
    _resized: dict[tuple[Place, str], MonitorKey] = field(default_factory=dict)  # by target and container
    _signals: dict[Place, tuple[ResourceSignal, ...]] = field(default_factory=dict)

    def update(self, items: Iterable[Mapping[str, Any]]) -> None:
        """Replace all ModelMonitors by `items`."""
        scaled: dict[Place, tuple[str, MonitorKey]] = {}
        resized: dict[tuple[Place, str], tuple[str, MonitorKey]] = {}
        signals: dict[Place, tuple[ResourceSignal, ...]] = {}
        for item in items:
            metadata, spec = item["metadata"], item.get("spec") or {}
            place = _place(metadata["namespace"], spec.get("targetRef"))
            if place is None:
                continue
            found = (
                metadata.get("creationTimestamp") or "",
                MonitorKey(metadata["namespace"], metadata["name"], metadata["uid"]),
            )
            if isinstance(scaling := spec.get("scaling"), dict):
                scaled[place] = min(scaled.get(place, found), found)
                signals[place] = (*signals.get(place, ()), *_signals(metadata["name"], scaling))
            if isinstance(resources := spec.get("resources"), dict):
                container = place, str(resources.get("container"))
                resized[container] = min(resized.get(container, found), found)
        self._scaled = {place: key for place, (_, key) in scaled.items()}
        self._resized = {place: key for place, (_, key) in resized.items()}
        self._signals = signals

    def scaler(self, namespace: str, target: TargetRef) -> MonitorKey | None:
        """Return the monitor that scales `target` in `namespace`; None before `update` has seen one."""
        return self._scaled.get(_of(namespace, target))

    def resizer(self, namespace: str, target: TargetRef, container: str) -> MonitorKey | None:
        """Return the monitor that resizes a container of `target`; None before `update` has seen one."""
        return self._resized.get((_of(namespace, target), container))

    def signals(self, namespace: str, target: TargetRef) -> tuple[ResourceSignal, ...]:
        """Return the signals of all monitors by which the replicas of `target` follow the use of a resource."""
        return self._signals.get(_of(namespace, target), ())


def _signals(monitor: str, scaling: Mapping[str, Any]) -> Iterator[ResourceSignal]:
    signals = scaling.get("signals")
    for signal in signals if isinstance(signals, list) else ():
        if isinstance(signal, dict) and signal.get("type") in RESOURCES:
            yield ResourceSignal(monitor, signal["type"], str(signal.get("container") or ""))


def _of(namespace: str, target: TargetRef) -> Place:
    return namespace, _group(target.api_version), target.kind, target.name


def _place(namespace: str, target: Any) -> Place | None:
    """Return the place of the `targetRef` of an object, which may have any form."""
    if not isinstance(target, dict) or not all(isinstance(target.get(name), str) for name in _FIELDS):
        return None
    return namespace, _group(target["apiVersion"]), target["kind"], target["name"]


_FIELDS = ("apiVersion", "kind", "name")


def _group(api_version: str) -> str:
    return api_version.rpartition("/")[0]
