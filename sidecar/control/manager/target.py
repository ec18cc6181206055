"""Finds the label selector of the workload that `spec.targetRef` names.

WORKLOADS lists the kinds whose `spec.selector` is read. For any other kind, the `scale` subresource has the selector.
"""

from __future__ import annotations

from ...errors import PilotfishError, quote_value
from ...kube.client import Kube
from ...kube.errors import KubeError, NotFoundError
from ...kube.objects import Resource
from ...kube.read import get
from ...settings.document import TargetRef
from .selectors import Selector, from_object, from_text

# by API group and kind, alphabetically
WORKLOADS = {
    ("", "ReplicationController"): "replicationcontrollers",
    ("apps", "DaemonSet"): "daemonsets",
    ("apps", "Deployment"): "deployments",
    ("apps", "ReplicaSet"): "replicasets",
    ("apps", "StatefulSet"): "statefulsets",
    ("argoproj.io", "Rollout"): "rollouts",
}


class TargetError(PilotfishError):
    """The target cannot be found. `retryable` is True if the API server did not answer."""

    def __init__(self, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.retryable = retryable


async def find_selector(kube: Kube, namespace: str, target: TargetRef) -> Selector:
    """Return the selector of the pods of `target`; raise TargetError or SelectorError."""
    group, _, version = target.api_version.rpartition("/")
    known = WORKLOADS.get((group, target.kind))
    plural = known or f"{target.kind.lower()}s"
    name = f"{target.kind} {quote_value(target.name)} of {target.api_version}"
    try:
        if known is not None:
            found = await get(kube, Resource(group, version, plural), target.name, namespace)
            return from_object((found.get("spec") or {}).get("selector"))
        path = Resource(group, version, plural).path(namespace, target.name, "scale")
        scale = await kube.request("GET", path)
        return from_text(str((scale.get("status") or {}).get("selector") or ""))
    except NotFoundError as error:
        raise TargetError(f"spec.targetRef: no {name} in the namespace; correct it, or create the workload") from error
    except KubeError as error:
        raise TargetError(f"spec.targetRef: cannot read {name}: {error}", retryable=error.retryable) from error
