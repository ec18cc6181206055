"""The owners of a pod, from references: pod -> ReplicaSet -> Deployment, and what owns the Deployment.

FOLLOWED lists the kinds whose own owner counts. Their mirrors keep references only, 0.7 kB for each object.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ...kube.objects import DEPLOYMENTS, REPLICA_SETS, STATEFUL_SETS, Resource

# by API group and kind, alphabetically
FOLLOWED: Mapping[tuple[str, str], Resource] = {
    ("apps", "Deployment"): DEPLOYMENTS,
    ("apps", "ReplicaSet"): REPLICA_SETS,
    ("apps", "StatefulSet"): STATEFUL_SETS,
}
MOST = 5  # owners in a chain; a Deployment of a KServe InferenceService has 3
# a pod of a LeaderWorkerSet that is not a leader is owned by a StatefulSet of its leader's pod
LEADER_WORKER_SET = "leaderworkerset.sigs.k8s.io/name"


@dataclass(frozen=True, slots=True)
class OwnerReference:
    """A reference to an owner that is a controller."""

    api_version: str
    kind: str
    name: str
    uid: str = ""

    @property
    def group(self) -> str:
        """The API group."""
        return self.api_version.rpartition("/")[0]

    def item(self, namespace: str) -> dict[str, Any]:
        """Return the owner as far as it is known, as an object of the API."""
        metadata = {"name": self.name, "namespace": namespace, "uid": self.uid}
        return {"apiVersion": self.api_version, "kind": self.kind, "metadata": metadata}


FindOwner = Callable[[Resource, str], OwnerReference | None]  # of an object in the namespace of the pod


def controller_of(item: Mapping[str, Any]) -> OwnerReference | None:
    """Return the controller of an object, or None."""
    references = (item.get("metadata") or {}).get("ownerReferences")
    for reference in references if isinstance(references, list) else ():
        if isinstance(reference, dict) and reference.get("controller") is True:
            words = [reference.get(key) or "" for key in ("apiVersion", "kind", "name", "uid")]
            if all(isinstance(word, str) for word in words) and words[2]:
                return OwnerReference(sys.intern(words[0]), sys.intern(words[1]), *words[2:])
    return None


def owners_of(pod: Mapping[str, Any], find: FindOwner) -> tuple[OwnerReference, ...]:
    """Return the owners of a pod, the nearest first. `find` returns the owner of an object of a followed kind."""
    chain: list[OwnerReference] = []
    owner = controller_of(pod)
    while owner is not None and owner not in chain and len(chain) < MOST:
        chain.append(owner)
        resource = FOLLOWED.get((owner.group, owner.kind))
        owner = find(resource, owner.name) if resource is not None else None
    labels = (pod.get("metadata") or {}).get("labels") or {}
    group = labels.get(LEADER_WORKER_SET) if isinstance(labels, dict) else None
    if isinstance(group, str) and group and all(one.kind != "LeaderWorkerSet" for one in chain):
        chain.append(OwnerReference("leaderworkerset.x-k8s.io/v1", "LeaderWorkerSet", group))
    return tuple(chain)
