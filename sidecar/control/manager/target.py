"""Finds the workload that `spec.targetRef` names: the selector of its pods, and their number.

WORKLOADS lists the kinds whose `spec.selector` is read. The pods of a kind of KServe have its labels. For any other
kind, the `scale` subresource has the selector.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...errors import quote_value
from ...kube.client import Kube
from ...kube.errors import KubeError, NotFoundError
from ...kube.objects import Resource
from ...kube.read import get
from ...settings.document import TargetRef
from ..reasons import Reason
from ..workload.kinds import kserve_kind, resource_of, status_replicas
from .selectors import SelectorError, from_object, from_text
from .trouble import TroubleError, of_kube
from .world import TargetWorkload

# by API group and kind, alphabetically
WORKLOADS = {
    ("", "ReplicationController"): "replicationcontrollers",
    ("apps", "DaemonSet"): "daemonsets",
    ("apps", "Deployment"): "deployments",
    ("apps", "ReplicaSet"): "replicasets",
    ("apps", "StatefulSet"): "statefulsets",
    ("argoproj.io", "Rollout"): "rollouts",
}


def _replicas(workload: Mapping[str, Any]) -> int:
    status = workload.get("status") or {}
    return int(status.get("replicas") or status.get("currentNumberScheduled") or 0)  # the latter: of a DaemonSet


async def find_target(kube: Kube, namespace: str, target: TargetRef) -> TargetWorkload:
    """Return the selector and the number of the pods of `target`; raise TroubleError."""
    group, _, version = target.api_version.rpartition("/")
    plural = WORKLOADS.get((group, target.kind))
    what = f"spec.targetRef: {target.kind} {quote_value(target.name)} of {target.api_version}"
    kserve = kserve_kind(target.api_version, target.kind)
    try:
        if kserve is not None:
            found = await get(kube, resource_of(target.api_version, target.kind), target.name, namespace)
            return TargetWorkload(from_object(kserve.pod_labels(target.name)), status_replicas(found))
        if plural is not None:
            found = await get(kube, Resource(group, version, plural), target.name, namespace)
            return TargetWorkload(from_object((found.get("spec") or {}).get("selector")), _replicas(found))
        resource = resource_of(target.api_version, target.kind)
        scale = await get(kube, resource, target.name, namespace, subresource="scale")
        return TargetWorkload(from_text(str((scale.get("status") or {}).get("selector") or "")), _replicas(scale))
    except NotFoundError as error:
        text = f"{what} does not exist in the namespace; correct it, or create the workload"
        raise TroubleError(Reason.TARGET_NOT_FOUND, text) from error
    except KubeError as error:
        raise of_kube(what, error, Reason.TARGET_NOT_FOUND) from error
    except SelectorError as error:
        raise TroubleError(Reason.TARGET_NOT_FOUND, f"{what}: {error}") from error
