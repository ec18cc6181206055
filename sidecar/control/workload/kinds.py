"""The kinds whose replicas can be set: where an object has them, and whether its template is being rolled out.

Any kind with a scale subresource works. WORKLOADS lists those whose status says whether a rollout is in progress, and
KSERVE those without a scale subresource whose own fields are set instead.

KServe (serving.kserve.io): the pods of an InferenceService in the mode Standard or RawDeployment have an autoscaler
between `spec.predictor.minReplicas` and `maxReplicas`. Both are set to the desired number, so that it has no choice. In
the mode Knative, each change of these fields starts a new revision, so it is refused. An LLMInferenceService has
`spec.replicas`. With `spec.scaling` it has an autoscaler of its own, and is refused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ...kube.objects import Resource

Item = Mapping[str, Any]

KSERVE_GROUP = "serving.kserve.io"
DEPLOYMENT_MODE = "serving.kserve.io/deploymentMode"  # annotation of an InferenceService
LONGEST_NAME, MD5_DIGITS = 63, 32
STANDARD_MODES = frozenset(("RawDeployment", "Standard"))


# kinds whose scale need not be read, since their object has the same numbers
COMPLETE = frozenset(("apps", kind) for kind in ("Deployment", "ReplicaSet", "StatefulSet"))


@dataclass(frozen=True, slots=True)
class KServeKind:
    """A kind of KServe: the fields that are set to the desired replicas, and the labels of its pods besides the name.

    The label `selected` has the name of the object. `made` are the workloads of which it creates one: API version,
    kind, and what follows the name of the object. `problem` returns why an object cannot be scaled, empty if it can.
    """

    fields: tuple[tuple[str, ...], ...]
    selected: str
    labels: Mapping[str, str]
    made: tuple[tuple[str, str, str], ...]
    problem: Callable[[Item], str]

    def pod_labels(self, name: str) -> dict[str, str]:
        """Return the labels that select the pods of the object `name`."""
        return {**self.labels, self.selected: name}

    def workloads(self, name: str) -> list[tuple[str, str, str]]:
        """Return API version, kind and name of each workload that it may create for the object `name`."""
        return [(api_version, kind, child_name(name, suffix)) for api_version, kind, suffix in self.made]


def child_name(name: str, suffix: str) -> str:
    """Return the name of a workload that KServe makes: a long name is cut, and gets a hash.

    Source: ChildName of knative.dev/pkg/kmeta.
    """
    if len(name) + len(suffix) <= LONGEST_NAME:
        return name + suffix
    kept = name[: LONGEST_NAME - MD5_DIGITS - len(suffix)]
    return f"{kept}{hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()}{suffix}"


def resource_of(api_version: str, kind: str) -> Resource:
    """Return the resource of a kind; its plural is the lower-case kind with an `s`, as for all kinds that are named."""
    group, _, version = api_version.rpartition("/")
    return Resource(group, version, f"{kind.lower()}s")


def needs_scale(api_version: str, kind: str) -> bool:
    """Return whether the replicas of a kind are read from its scale subresource."""
    group = api_version.rpartition("/")[0]
    return (group, kind) not in COMPLETE and kserve_kind(api_version, kind) is None


def kserve_kind(api_version: str, kind: str) -> KServeKind | None:
    """Return the row of a kind of KServe, None for any other kind."""
    return KSERVE.get(kind) if api_version.rpartition("/")[0] == KSERVE_GROUP else None


def status_replicas(item: Item) -> int:
    """Return the replicas that exist, by the status of an object or of a scale; for KServe, the desired ones."""
    if kserve_kind(str(item.get("apiVersion") or ""), str(item.get("kind") or "")) is not None:
        return spec_replicas(item)
    return number_at(item, ("status", "replicas"))


def scale_body(found: Item, kind: KServeKind, replicas: int) -> dict[str, Any]:
    """Return the merge patch that sets the fields of a KServe object to `replicas`, for the object as it was read."""
    body: dict[str, Any] = {"metadata": {"resourceVersion": found["metadata"]["resourceVersion"]}}
    for path in kind.fields:
        inner = body
        for name in path[:-1]:
            inner = inner.setdefault(name, {})
        inner[path[-1]] = replicas
    return body


def spec_replicas(item: Item) -> int:
    """Return the desired replicas of an object or of a scale.

    The API server leaves 0 out of a scale. It sets the replicas of a workload of its own to 1 by default, as KServe
    does.
    """
    value = at_path(item, replicas_path(item))
    return value if isinstance(value, int) else int(item.get("kind") != "Scale")


@dataclass(frozen=True, slots=True)
class Named:
    """A step of a path into a list: to its item with this name, such as a container of a pod."""

    name: str


Path = tuple[str | Named, ...]


def at_path(item: object, path: Path) -> object:
    """Return the value at a path of keys and names, None where there is none."""
    for step in path:
        if isinstance(step, Named):
            rows = item if isinstance(item, list) else ()
            item = next((row for row in rows if isinstance(row, dict) and row.get("name") == step.name), None)
        else:
            item = item.get(step) if isinstance(item, dict) else None
    return item


def number_at(item: object, path: tuple[str, ...]) -> int:
    """Return the whole number at a path of keys, 0 where there is none."""
    found = at_path(item, path)
    return found if isinstance(found, int) else 0


def replicas_path(item: Item) -> tuple[str, ...]:
    """Return the path of the field that sets the replicas of an object."""
    row = kserve_kind(str(item.get("apiVersion") or ""), str(item.get("kind") or ""))
    return row.fields[0] if row is not None else ("spec", "replicas")


def rollout_of(item: Item) -> str:
    """Return what the rollout of an object waits for; empty if no rollout is in progress.

    A change of the replicas alone is no rollout.
    """
    status, generation = _map(item, "status"), at_path(item, ("metadata", "generation"))
    observed = str(status.get("observedGeneration") or "")  # a text in a Rollout
    if observed.isdecimal() and isinstance(generation, int) and int(observed) < generation:
        return "its controller has not observed the newest generation"
    group = str(item.get("apiVersion") or "").rpartition("/")[0]
    check = WORKLOADS.get((group, str(item.get("kind") or "")))
    return check(item, status) if check is not None else ""


def surge_of(item: Item, replicas: int) -> int:
    """Return how many pods a rollout of an object may create beyond its `replicas`; 0 for a kind that creates none."""
    given = at_path(item, ("spec", "strategy", "rollingUpdate", "maxSurge"))
    if isinstance(given, int):
        return max(0, given)
    share = given.removesuffix("%") if isinstance(given, str) and given.endswith("%") else ""
    return -(-replicas * int(share) // 100) if share.isdecimal() else 0


def _deployment(_item: Item, status: Item) -> str:
    replicas, updated = number_at(status, ("replicas",)), number_at(status, ("updatedReplicas",))
    return f"{replicas - updated} of {replicas} pods have an older template" if updated < replicas else ""


def _daemon_set(item: Item, status: Item) -> str:
    if _map(_map(item, "spec"), "updateStrategy").get("type") == "OnDelete":
        return ""
    wanted, updated = number_at(status, ("desiredNumberScheduled",)), number_at(status, ("updatedNumberScheduled",))
    return f"{wanted - updated} of {wanted} pods have an older template" if updated < wanted else ""


def _stateful_set(item: Item, status: Item) -> str:
    strategy = _map(_map(item, "spec"), "updateStrategy")
    if strategy.get("type") == "OnDelete" or status.get("updateRevision") == status.get("currentRevision"):
        return ""
    kept = number_at(strategy, ("rollingUpdate", "partition"))
    replicas, updated = number_at(status, ("replicas",)), number_at(status, ("updatedReplicas",))
    wanted = max(0, replicas - kept)
    return f"{wanted - updated} of {replicas} pods have an older template" if updated < wanted else ""


def _rollout(_item: Item, status: Item) -> str:
    stable, current = status.get("stableRS"), status.get("currentPodHash")
    phase = str(status.get("phase") or "unknown")
    return f"its new version is not promoted, phase {phase}" if stable != current else ""


def _leader_worker_set(_item: Item, status: Item) -> str:
    conditions = status.get("conditions")
    updating = any(
        isinstance(found, dict) and (found.get("type"), found.get("status")) == ("UpdateInProgress", "True")
        for found in (conditions if isinstance(conditions, list) else ())
    )
    return "its condition UpdateInProgress is True" if updating else ""


def _inference_service(_item: Item, status: Item) -> str:
    transition = _map(status, "modelStatus").get("transitionStatus")
    return "its transitionStatus is InProgress" if transition == "InProgress" else ""


def _knative(item: Item) -> str:
    mode = _map(_map(item, "metadata"), "annotations").get(DEPLOYMENT_MODE) or _map(item, "status").get(
        "deploymentMode"
    )
    if mode in STANDARD_MODES:
        return ""
    return (
        f"its deployment mode is {mode or 'unknown'}, in which each change of its bounds starts a new revision; "
        "use the mode Standard, or let the autoscaler of Knative scale it and remove spec.scaling"
    )


def _has_scaling(item: Item) -> str:
    if "scaling" not in _map(item, "spec"):
        return ""
    return "its spec.scaling creates an autoscaler; replace it by spec.replicas, or set spec.scaling.surface: metric"


def _map(item: object, key: str) -> Item:
    found = at_path(item, (key,))
    return found if isinstance(found, dict) else {}


# by API group and kind, alphabetically: what the rollout of an object waits for, as a function of it and its status
WORKLOADS: Mapping[tuple[str, str], Callable[[Item, Item], str]] = {
    ("apps", "DaemonSet"): _daemon_set,
    ("apps", "Deployment"): _deployment,
    ("apps", "StatefulSet"): _stateful_set,
    ("argoproj.io", "Rollout"): _rollout,
    ("leaderworkerset.x-k8s.io", "LeaderWorkerSet"): _leader_worker_set,
    (KSERVE_GROUP, "InferenceService"): _inference_service,
}

# by kind, alphabetically; the fields are those of serving.kserve.io/v1beta1, v1alpha1 and v1alpha2
KSERVE: Mapping[str, KServeKind] = {
    "InferenceService": KServeKind(
        (("spec", "predictor", "minReplicas"), ("spec", "predictor", "maxReplicas")),
        "serving.kserve.io/inferenceservice",
        {"component": "predictor"},
        (("apps/v1", "Deployment", "-predictor"),),
        _knative,
    ),
    "LLMInferenceService": KServeKind(
        (("spec", "replicas"),),
        "app.kubernetes.io/name",
        {"app.kubernetes.io/part-of": "llminferenceservice", "kserve.io/component": "workload"},
        (("apps/v1", "Deployment", "-kserve"), ("leaderworkerset.x-k8s.io/v1", "LeaderWorkerSet", "-kserve-mn")),
        _has_scaling,
    ),
}
