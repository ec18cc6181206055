"""Pods that cannot be resized while they run, whatever the amounts: what the API server and the kubelet refuse.

Source: ValidatePodResize and the plug-ins PodResizeValidator and NodeDeclaredFeatureValidator of Kubernetes 1.36.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction

from .amounts import KINDS, Amounts, Json, PodAmounts, is_sidecar
from .notes import Note, NoteReason
from .quantity import format_quantity

IN_PLACE = (1, 33)  # first version with pods/resize enabled
LOWERS_MEMORY = (1, 34)  # first version that lowers a memory limit without a restart
POD_LEVEL = (1, 36)  # first version that resizes pods with resources of their own
INIT_CONTAINERS = "InPlacePodVerticalScalingInitContainers"  # a feature that a node declares
MIRROR = "kubernetes.io/config.mirror"


@dataclass(frozen=True)
class RunningPod:
    """Facts about a pod that runs: the version of the API server, and what is known of container and node.

    `working_set` is the memory that the container uses, in bytes; None if unknown. `allocatable` are the cores and
    bytes of the node for pods; an absent one is unknown. `features` are the `declaredFeatures` of the node's status;
    None if unknown.
    """

    version: tuple[int, int] | None
    working_set: Fraction | None = None
    allocatable: Amounts = field(default_factory=dict)
    features: frozenset[str] | None = None


def obstacles(pod: Json, amounts: PodAmounts, running: RunningPod) -> Iterator[Note]:
    """Yield a note for each reason why no container of `pod`, an object, can be resized."""
    spec, status, metadata = pod.get("spec") or {}, pod.get("status") or {}, pod.get("metadata") or {}
    if running.version is None or running.version < IN_PLACE:
        version = "of an unknown version" if running.version is None else "{}.{}".format(*running.version)
        yield Note(NoteReason.SERVER_VERSION, f"the API server {version} cannot resize pods; use 1.33 or later")
    if MIRROR in (metadata.get("annotations") or {}):
        yield Note(NoteReason.NOT_RESIZABLE, "the pod is a static pod; change its manifest on the node")
    if metadata.get("deletionTimestamp"):
        yield Note(NoteReason.NOT_RESIZABLE, "the pod is being deleted")
    if status.get("phase") in ("Succeeded", "Failed"):
        yield Note(NoteReason.NOT_RESIZABLE, "the pod has ended")
    if (spec.get("os") or {}).get("name") == "windows":
        yield Note(NoteReason.NOT_RESIZABLE, "pods of Windows cannot be resized in place")
    if status.get("nodeAllocatableResourceClaimStatuses"):
        yield Note(NoteReason.NOT_RESIZABLE, "a resource claim gives the pod CPU or memory of its node")
    if not _node_supports(status):
        yield Note(NoteReason.NOT_RESIZABLE, f"the kubelet of node {spec.get('nodeName')} cannot resize pods")
    has_level = amounts.level is not None and bool(amounts.level.requests or amounts.level.limits)
    if has_level and running.version is not None and running.version < POD_LEVEL:
        yield Note(NoteReason.SERVER_VERSION, "pods with resources of their own can be resized from Kubernetes 1.36 on")
    if status.get("qosClass", amounts.qos_class) != amounts.qos_class:
        yield Note(
            NoteReason.QOS_CLASS, f"the class {status['qosClass']} of the pod does not follow from its containers"
        )


def undeclared(pod: Json, running: RunningPod) -> Iterator[Note]:
    """Yield a note for each init container that a LimitRange of the namespace makes the server take for a resized one.

    The plug-in LimitRanger adds empty maps where a container has no requests or no limits, which the server compares
    with none at all. It then demands a feature that nodes before 1.36 do not declare.
    """
    if running.features is None or (running.version or IN_PLACE) < POD_LEVEL or INIT_CONTAINERS in running.features:
        return
    for container in (pod.get("spec") or {}).get("initContainers") or ():
        resources = container.get("resources") or {}
        if not is_sidecar(container) and not (resources.get("requests") and resources.get("limits")):
            what = (
                f"the namespace has a LimitRange, and the init container {container.get('name')} no requests or limits"
            )
            yield Note(NoteReason.NOT_RESIZABLE, f"{what}; a node before 1.36 cannot resize such a pod")


def beyond_node(amounts: PodAmounts, running: RunningPod) -> Iterator[Note]:
    """Yield a note for each resource of which the pod requests more than its node has for pods."""
    for kind in KINDS:
        total = (amounts.total("requests", kind) or Fraction(0)) + amounts.overhead.get(kind, Fraction(0))
        most = running.allocatable.get(kind, total)
        if total > most:
            text = f"the pod requests {format_quantity(total)} of {kind}, but the node has {format_quantity(most)}"
            yield Note(NoteReason.NODE_CAPACITY, text, kind)


def _node_supports(status: Json) -> bool:
    """Return whether the kubelet reports resources of the first running container; True while none runs."""
    for item in status.get("containerStatuses") or ():
        if (item.get("state") or {}).get("running") is not None:
            return item.get("resources") is not None
    return True
