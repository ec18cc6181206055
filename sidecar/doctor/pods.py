"""Facts about one pod: its workload, its sidecars, and what the injector wrote on it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from ..inject.names import INJECTED, INJECTION
from ..inject.template import ANALYZER, PROXY
from .snapshot import ClusterSnapshot, Json, annotations_of, labels_of, name_of, namespace_of

MAX_ANNOTATION = 16 * 1024
OWN = (PROXY, ANALYZER)


class PodWorkload(NamedTuple):
    """The workload of a pod: what a ModelMonitor targets and a rollout restarts."""

    namespace: str
    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.kind.lower()}/{self.name}"


class InjectionNote(NamedTuple):
    """The annotation that the injector wrote. The texts are empty if it is absent or unreadable."""

    mode: str = ""
    reason: str = ""
    message: str = ""


class PodWorkloads:
    """Finds the workload of a pod, also through its ReplicaSet."""

    def __init__(self, snapshot: ClusterSnapshot) -> None:
        self._sets = {(namespace_of(item), name_of(item)): item for item in snapshot.of("replicasets")}

    def of(self, pod: Json) -> PodWorkload:
        """Return the workload of a pod; a pod without a controller is its own."""
        namespace = namespace_of(pod)
        found = _controller(pod)
        if found is None:
            return PodWorkload(namespace, "Pod", name_of(pod))
        kind, name = found
        if kind == "ReplicaSet":
            above = _controller(self._sets.get((namespace, name), {}))
            kind, name = above or (kind, name)
        return PodWorkload(namespace, kind, name)


def _controller(item: Json) -> tuple[str, str] | None:
    for reference in (item.get("metadata") or {}).get("ownerReferences") or ():
        if reference.get("controller"):
            return str(reference.get("kind") or ""), str(reference.get("name") or "")
    return None


def by_owner(pods: Iterable[Json], owners: PodWorkloads) -> Mapping[PodWorkload, list[Json]]:
    """Return the pods of each workload."""
    found: dict[PodWorkload, list[Json]] = {}
    for pod in pods:
        found.setdefault(owners.of(pod), []).append(pod)
    return found


def is_running(pod: Json) -> bool:
    """Return whether the pod is neither finished nor being deleted."""
    phase = (pod.get("status") or {}).get("phase")
    return phase not in {"Succeeded", "Failed"} and not (pod.get("metadata") or {}).get("deletionTimestamp")


def is_labelled(pod: Json) -> bool:
    """Return whether the pod has the label of injected pods."""
    return labels_of(pod).get(INJECTED) == "true"


def container(pod: Json, name: str) -> Json | None:
    """Return a container or native sidecar by its name, or None."""
    return next((item for item in all_containers(pod) if item.get("name") == name), None)


def all_containers(pod: Json) -> Iterator[Json]:
    """Yield the init containers, native sidecars among them, and the containers."""
    spec = pod.get("spec") or {}
    yield from spec.get("initContainers") or ()
    yield from spec.get("containers") or ()


def note_of(pod: Json) -> InjectionNote:
    """Return what the injector wrote on the pod; anybody may have changed it."""
    text = annotations_of(pod).get(INJECTION) or ""
    try:
        found: Any = json.loads(text) if len(text) <= MAX_ANNOTATION else {}
    except (ValueError, RecursionError):
        found = {}
    if not isinstance(found, dict):
        return InjectionNote()
    return InjectionNote(*(str(found.get(key) or "") for key in InjectionNote._fields))


def model_ports(pod: Json) -> set[int]:
    """Return the ports on which the model server itself listens, from the arguments of the proxy."""
    words = [str(word) for word in (container(pod, PROXY) or {}).get("args") or ()]
    given = [word.partition("=")[2] for word in words if word.startswith("--upstream=")]
    given += [words[at + 1] for at, word in enumerate(words[:-1]) if word == "--upstream"]
    ports = (address.rpartition(":")[2] for address in given)
    return {int(port) for port in ports if port.isascii() and port.isdigit()}


def resolve(pod: Json, target: int | str, protocol: str = "TCP") -> int | None:
    """Return the number of the port that a Service reaches by `target`, or None if the pod has no such name."""
    if isinstance(target, int):
        return target
    if target.isascii() and target.isdigit():
        return int(target)
    for item in all_containers(pod):
        for port in item.get("ports") or ():
            if port.get("name") == target and (port.get("protocol") or "TCP") == protocol:
                return int(port.get("containerPort") or 0)
    return None
