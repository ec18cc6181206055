"""Finds the label selector of the workload that `spec.targetRef` names.

WORKLOADS lists the kinds whose `spec.selector` is read. For any other kind, the `scale` subresource has the selector.
"""

from __future__ import annotations

from ...errors import quote_value
from ...kube.client import Kube
from ...kube.errors import KubeError, NotFoundError
from ...kube.objects import Resource
from ...kube.read import get
from ...settings.document import TargetRef
from ..reasons import Reason
from .selectors import Selector, SelectorError, from_object, from_text
from .trouble import TroubleError, of_kube

# by API group and kind, alphabetically
WORKLOADS = {
    ("", "ReplicationController"): "replicationcontrollers",
    ("apps", "DaemonSet"): "daemonsets",
    ("apps", "Deployment"): "deployments",
    ("apps", "ReplicaSet"): "replicasets",
    ("apps", "StatefulSet"): "statefulsets",
    ("argoproj.io", "Rollout"): "rollouts",
}


async def find_selector(kube: Kube, namespace: str, target: TargetRef) -> Selector:
    """Return the selector of the pods of `target`; raise TroubleError."""
    group, _, version = target.api_version.rpartition("/")
    plural = WORKLOADS.get((group, target.kind))
    what = f"spec.targetRef: {target.kind} {quote_value(target.name)} of {target.api_version}"
    try:
        if plural is not None:
            found = await get(kube, Resource(group, version, plural), target.name, namespace)
            return from_object((found.get("spec") or {}).get("selector"))
        resource = Resource(group, version, f"{target.kind.lower()}s")
        scale = await get(kube, resource, target.name, namespace, subresource="scale")
        return from_text(str((scale.get("status") or {}).get("selector") or ""))
    except NotFoundError as error:
        text = f"{what} does not exist in the namespace; correct it, or create the workload"
        raise TroubleError(Reason.TARGET_NOT_FOUND, text) from error
    except KubeError as error:
        raise of_kube(what, error, Reason.TARGET_NOT_FOUND) from error
    except SelectorError as error:
        raise TroubleError(Reason.TARGET_NOT_FOUND, f"{what}: {error}") from error
