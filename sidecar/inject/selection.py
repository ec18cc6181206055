"""Which pods are selected for injection: labels of the pod and the namespace, and monitors."""

from __future__ import annotations

from .context import Context
from .names import INJECTED, LABEL, SYSTEM_NAMESPACES
from .pod import PodView
from .reasons import InjectionReason
from .template import PROXY

_MIRROR = "kubernetes.io/config.mirror"


def is_injected(pod: PodView) -> bool:
    """Return whether the pod has the sidecars of an earlier injection."""
    return pod.labels.get(INJECTED) == "true" and any(item.get("name") == PROXY for item in pod.init_containers)


def why_left_alone(pod: PodView, context: Context) -> InjectionReason | None:
    """Return why the pod stays as it is, or None if it is selected.

    The pod's label wins over the namespace and over monitors. A pod that runs to completion, such as that of a Job,
    is selected only by its own label.
    """
    if context.namespace in SYSTEM_NAMESPACES or context.namespace == context.release_namespace:
        return InjectionReason.NOT_SELECTED
    if _MIRROR in pod.annotations:
        return InjectionReason.NOT_SELECTED
    label = pod.labels.get(LABEL)
    if label == "false":
        return InjectionReason.OPTED_OUT
    if is_injected(pod):
        return InjectionReason.ALREADY_INJECTED
    if label == "true":
        return None
    if _runs_to_completion(pod, context):
        return InjectionReason.NOT_SELECTED
    is_selected = context.monitor is not None or context.labels.get(LABEL) == "all"
    return None if is_selected else InjectionReason.NOT_SELECTED


def _runs_to_completion(pod: PodView, context: Context) -> bool:
    is_job = context.owner is not None and context.owner.kind == "Job"
    return is_job or (pod.spec.get("restartPolicy") or "Always") != "Always"
