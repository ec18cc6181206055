"""The pods of a monitor, from the mirror of all pods with the label `pilotfish.dev/injected=true`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..fleet.watermark import ExpectedPods
from .selectors import Selector

INJECT = "pilotfish.dev/inject"  # label: whether the pod gets a sidecar, for the injector
INJECTED = "pilotfish.dev/injected"  # label, "true" on each pod with a sidecar
MODEL_VERSION = "pilotfish.dev/model-version"  # label: the version of the model that the pod serves
RELEASE = "pilotfish.dev/release"  # label: the release of the sidecar
INJECTION = "pilotfish.dev/injection"  # annotation of the injector: what it did and why, as JSON
INJECTED_SELECTOR = f"{INJECTED}=true"
_ENDED = frozenset(("Failed", "Succeeded"))


_METADATA = (
    "creationTimestamp", "deletionTimestamp", "generation", "labels", "name", "namespace", "resourceVersion", "uid",
)  # fmt: skip
_SPEC = ("activeDeadlineSeconds", "nodeName", "os", "overhead", "priorityClassName", "resources")
_CONTAINER = ("name", "resizePolicy", "restartPolicy")
_STATUS = (
    "allocatedResources", "conditions", "nodeAllocatableResourceClaimStatuses", "observedGeneration", "phase",
    "qosClass", "resources", "startTime",
)  # fmt: skip
_CONTAINER_STATUS = ("allocatedResources", "name", "resources", "restartCount")
_STATE = ("containerID", "finishedAt", "reason", "startedAt")
OWN_CONTAINERS = frozenset(("pilotfish-analyzer", "pilotfish-proxy", "pilotfish-redirect"))  # that the injector adds


def trim_pod(item: dict[str, Any]) -> dict[str, Any]:
    """Return the part of a pod that the manager reads: 5 kB of memory instead of 60."""
    spec, status = item.get("spec") or {}, item.get("status") or {}
    containers = {key: [_container(one) for one in spec.get(key) or ()] for key in ("initContainers", "containers")}
    statuses = {
        key: [_container_status(one) for one in status[key]]
        for key in ("containerStatuses", "initContainerStatuses")
        if status.get(key)
    }
    return {
        "metadata": _kept(item["metadata"], _METADATA),
        "spec": {**_kept(spec, _SPEC), **{key: found for key, found in containers.items() if found}},
        "status": {**_kept(status, _STATUS), **statuses},
    }


def running_containers(item: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the containers of a pod that run as long as the pod: also sidecars among the init containers."""
    spec = item.get("spec") or {}
    sidecars = [one for one in spec.get("initContainers") or () if one.get("restartPolicy") == "Always"]
    return [*(spec.get("containers") or ()), *sidecars]


def _kept(given: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: given[name] for name in names if name in given}


def _container(container: Mapping[str, Any]) -> dict[str, Any]:
    """Return name, policies, and requests and limits of CPU and memory of a container."""
    resources = container.get("resources") or {}
    found = {side: _kept(resources.get(side) or {}, ("cpu", "memory")) for side in ("requests", "limits")}
    return {**_kept(container, _CONTAINER), "resources": {side: one for side, one in found.items() if one}}


def _container_status(status: Mapping[str, Any]) -> dict[str, Any]:
    """Return the resources of a container, and how it ended last."""
    states = {
        name: {key: _kept(found, _STATE) for key, found in (status.get(name) or {}).items() if key != "waiting"}
        for name in ("lastState", "state")
    }
    return {**_kept(status, _CONTAINER_STATUS), **{name: state for name, state in states.items() if state}}


@dataclass(frozen=True, slots=True)
class MonitoredPod:
    """A pod of a target. `since` is since when it has been ready, in epoch seconds.

    It is None before the pod has become ready and while it ends: no report is expected then. `ending` is whether it
    is being deleted.
    """

    uid: str
    name: str
    version: str
    since: float | None
    ending: bool = False


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
        ending = bool(metadata.get("deletionTimestamp"))
        since = None if ending else ready_since(status)
        pod = MonitoredPod(metadata["uid"], metadata["name"], labels.get(MODEL_VERSION) or version, since, ending)
        found[pod.uid] = pod
    return found


def releases(items: Iterable[Mapping[str, Any]]) -> Counter[str]:
    """Return the number of pods that have not ended, by the release of their sidecar; empty for an unknown one."""
    return Counter(
        (item["metadata"].get("labels") or {}).get(RELEASE, "")
        for item in items
        if (item.get("status") or {}).get("phase") not in _ENDED
    )


def expected_pods(pods: Iterable[MonitoredPod], version: str) -> ExpectedPods:
    """Return the pods of `version` that should report now."""
    return ExpectedPods({pod.uid: pod.since for pod in pods if pod.version == version and pod.since is not None})


def ready_since(status: Mapping[str, Any]) -> float | None:
    """Return since when a pod with this status is ready, in epoch seconds; None if it is not."""
    for condition in status.get("conditions") or ():
        if condition.get("type") == "Ready" and condition.get("status") == "True":
            return epoch_seconds(condition.get("lastTransitionTime"))
    return None


def epoch_seconds(text: str | None) -> float:
    """Return an RFC 3339 time in epoch seconds; 0 for a text that is none."""
    try:
        return datetime.fromisoformat(text or "").timestamp()
    except ValueError:
        return 0.0


def primary_version(pods: Iterable[MonitoredPod], present: str | None) -> str | None:
    """Return the version that most serving pods have.

    With equal numbers the version `present` stays, so that a rollout changes the version once. Without serving pods,
    `present` stays, too.
    """
    counts = Counter(pod.version for pod in pods if pod.since is not None)
    if not counts:
        return present
    most = max(counts.values())
    leaders = sorted(version for version, count in counts.items() if count == most)
    return present if present in leaders else leaders[-1]
