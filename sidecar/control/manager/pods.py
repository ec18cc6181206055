"""The pods of a monitor, from the mirror of all pods with the label `pilotfish.dev/injected=true`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .selectors import Selector

INJECTED = "pilotfish.dev/injected"  # label, "true" on each pod with a sidecar
MODEL_VERSION = "pilotfish.dev/model-version"  # label: the version of the model that the pod serves
INJECTED_SELECTOR = f"{INJECTED}=true"
_ENDED = frozenset(("Failed", "Succeeded"))


@dataclass(frozen=True, slots=True)
class MonitoredPod:
    """A pod of a target. `serving` is False before it has become ready and while it ends: no report is expected."""

    uid: str
    name: str
    version: str
    serving: bool


def monitored_pods(items: Iterable[Mapping[str, Any]], selector: Selector, version: str) -> dict[str, MonitoredPod]:
    """Return the pods among the objects `items` that `selector` selects, by UID.

    `version` is that of pods without the label `pilotfish.dev/model-version`.
    """
    found = {}
    for item in items:
        metadata, status = item["metadata"], item.get("status") or {}
        labels = metadata.get("labels") or {}
        if not selector.matches(labels) or status.get("phase") in _ENDED:
            continue
        ready = any(
            condition.get("type") == "Ready" and condition.get("status") == "True"
            for condition in status.get("conditions") or ()
        )
        serving = ready and not metadata.get("deletionTimestamp")
        pod = MonitoredPod(metadata["uid"], metadata["name"], labels.get(MODEL_VERSION) or version, serving)
        found[pod.uid] = pod
    return found


def primary_version(pods: Iterable[MonitoredPod], present: str | None) -> str | None:
    """Return the version that most serving pods have.

    With equal numbers the version `present` stays, so that a rollout changes the version once. Without serving pods,
    `present` stays, too.
    """
    counts = Counter(pod.version for pod in pods if pod.serving)
    if not counts:
        return present
    most = max(counts.values())
    leaders = sorted(version for version, count in counts.items() if count == most)
    return present if present in leaders else leaders[-1]
