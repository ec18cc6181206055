"""Gives a new pod the resources that its monitor recommends. The template of the target stays as it is.

    ModelMonitor -> sizing_of() -> PodSizing; pod, PodSizing -> size() -> SizedPod (JSON patch, outcome, message)

A pod is never refused because of its resources: in doubt it keeps those of its template, and a reason says why.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from typing import Any

from ..podspec.adjust import ResizeSurroundings, adjusted
from ..podspec.amounts import KINDS, SIDES, ContainerResources, Kind, containers_of
from ..podspec.quantity import quantity
from ..podspec.rules import ControlledValues, ResizeRules
from .context import Context, Json
from .injection import MAX_ANNOTATIONS
from .names import RESOURCES
from .operations import Operation, add, replace

_UNBOUNDED = Fraction(2**62)


class SizingReason(StrEnum):
    """Why a new pod has its resources. Other values of the metric label `reason` are those of NoteReason."""

    ANNOTATIONS_FULL = "AnnotationsFull"
    NOT_KNOWN = "NotKnown"
    RECOMMENDED = "Recommended"
    WITHHELD = "Withheld"


@dataclass(frozen=True)
class PodSizing:
    """The requests that a new pod of a monitor is to get, in cores and bytes. `doubt` is why there are none."""

    monitor: str
    container: str
    target: Mapping[Kind, Fraction] = field(default_factory=dict)
    rules: ResizeRules = field(default_factory=ResizeRules)
    reason: SizingReason = SizingReason.RECOMMENDED
    doubt: str = ""


@dataclass(frozen=True)
class SizedPod:
    """The operations that follow those of the injection. `message` says from what to what, or why nothing changes."""

    patch: tuple[Operation, ...]
    changed: bool
    reason: str
    message: str


def sizing_of(monitor: Json) -> PodSizing | None:
    """Return what new pods of a ModelMonitor, an object, get; None if it does not resize pods in place."""
    spec, status, metadata = monitor.get("spec") or {}, monitor.get("status") or {}, monitor["metadata"]
    resources: Mapping[str, Any] = spec.get("resources") or {}
    mode = resources.get("mode") or spec.get("mode")
    if not resources or mode != "act" or resources.get("method", "inPlace") != "inPlace":
        return None
    name, container = str(metadata["name"]), str(resources.get("container"))
    if metadata.get("generation") != status.get("observedGeneration"):
        return PodSizing(name, container, reason=SizingReason.NOT_KNOWN, doubt="its present document was not read yet")
    entries = [item for item in status.get("resources") or () if item.get("container") == container]
    entry: Mapping[str, Any] = entries[0] if entries else {}
    withheld = [kind for kind in KINDS if kind in (entry.get("withheld") or ()) and resources.get(kind)]
    wanted: dict[Kind, Fraction] = {}
    for kind in KINDS:
        number = quantity((entry.get("target") or {}).get(kind))
        if number and number > 0 and resources.get(kind) and kind not in withheld:
            wanted[kind] = number
    if resources.get("pool"):
        _share_pool(wanted, entry)
    if wanted:
        return PodSizing(name, container, wanted, _rules(resources))
    if withheld:
        why = f"{' and '.join(withheld)} are withheld: {entry.get('reason') or ''}"
        return PodSizing(name, container, reason=SizingReason.WITHHELD, doubt=why)
    return PodSizing(name, container, reason=SizingReason.NOT_KNOWN, doubt="there is no recommendation yet")


def size(pod: Json, sizing: PodSizing, context: Context) -> SizedPod:
    """Return the operations that give `pod`, an object with its sidecars, the recommended resources."""
    title = f"the monitor {sizing.monitor}"
    if sizing.doubt:
        return _kept(sizing.reason, f"{title} sets no resources: {sizing.doubt}")
    surroundings = ResizeSurroundings(context.limit_ranges, context.quotas)
    found = adjusted(pod, sizing.container, sizing.target, sizing.rules, surroundings)
    notes = "; ".join(note.text for note in found.notes)
    reason = str(found.notes[0].reason) if found.notes else SizingReason.RECOMMENDED
    place = next((place for place in containers_of(pod["spec"]) if place[2].get("name") == sizing.container), None)
    before = ContainerResources.of(place[2].get("resources")) if place else ContainerResources()
    if place is None or found.resources == before:
        return _kept(reason, f"{title} changes no resources: {notes or 'they are the recommended ones'}")
    old, new = before.as_object(), found.resources.as_object()
    note = {"monitor": sizing.monitor, "container": sizing.container, "from": old, "to": new, "message": notes}
    annotation = json.dumps(note)
    present = (pod.get("metadata") or {}).get("annotations")
    used = sum(len(key.encode()) + len(str(value).encode()) for key, value in (present or {}).items())
    if used + len(RESOURCES) + len(annotation.encode()) > MAX_ANNOTATIONS:
        return _kept(SizingReason.ANNOTATIONS_FULL, "the annotations of the pod leave no room for another one")
    patch = [
        replace(amount, "spec", place[0], place[1], "resources", side, kind)
        for side in SIDES
        for kind, amount in new[side].items()
        if amount != old[side][kind]
    ]
    path = ("metadata", "annotations")
    patch.append(add({RESOURCES: annotation}, *path) if present is None else add(annotation, *path, RESOURCES))
    message = f"{title} gives the container {sizing.container} its recommended resources"
    return SizedPod(tuple(patch), True, reason, f"{message}; {notes}" if notes else message)


def _kept(reason: str, message: str) -> SizedPod:
    return SizedPod((), False, reason, message)


def _share_pool(wanted: dict[Kind, Fraction], entry: Mapping[str, Any]) -> None:
    """Bound the CPU by the share of the pool; without a share, a new pod keeps the CPU of its template."""
    share = quantity(entry.get("poolShare"))
    if not share or share <= 0:
        wanted.pop("cpu", None)
    elif "cpu" in wanted:
        wanted["cpu"] = min(wanted["cpu"], share)


def _rules(resources: Mapping[str, Any]) -> ResizeRules:
    bounds: dict[str, tuple[Fraction, Fraction]] = {
        kind: (quantity(block.get("min")) or Fraction(0), quantity(block.get("max")) or _UNBOUNDED)
        for kind in KINDS
        if isinstance(block := resources.get(kind), Mapping)
    }
    controlled: ControlledValues = "RequestsAndLimits"
    if resources.get("controlledValues") == "RequestsOnly":
        controlled = "RequestsOnly"
    return ResizeRules(bounds, controlled)
