"""The table of reasons for which the node's Pilotfish lacks something."""

from __future__ import annotations

from dataclasses import dataclass

from ..reason import ReasonTable


class NodeReason(ReasonTable):
    """Why a source of the node is not available."""

    CONTAINERS_HIDDEN = (
        "containers_hidden",
        "the files in /proc of a container's processes cannot be read, so its CPU and memory are not known",
        "run as user 0 in the PID namespace of the node, with /proc mounted without hidepid",
    )
    KUBELET_ABSENT = (
        "kubelet_absent",
        "the kubelet's socket for pod resources does not exist, so devices without a process have no pod",
        "mount the folder /var/lib/kubelet/pod-resources, or that of your kubelet's --root-dir",
    )
    KUBELET_DENIED = (
        "kubelet_denied",
        "the kubelet's socket for pod resources cannot be opened",
        "run as user 0, the owner of the socket",
    )
    KUBELET_FAILED = (
        "kubelet_failed",
        "the kubelet answered with an error, so devices without a process have no pod",
        "look at the log of the kubelet",
    )
    KUBELET_HUNG = (
        "kubelet_hung",
        "the kubelet did not answer in time, so devices without a process have no pod",
        "look at the log and the load of the kubelet",
    )
    NO_CGROUPS = (
        "no_cgroups",
        "no hierarchy of cgroups is visible, so CPU and memory of containers are not known",
        "mount the node's /sys/fs/cgroup read-only, and name it by --cgroup",
    )
    NO_PODS = (
        "no_pods",
        "no cgroup of a pod is visible, so CPU and memory of containers are not known",
        "mount the node's /sys/fs/cgroup, and not that of the container",
    )
    SLICES_FAILED = (
        "slices_failed",
        "the ResourceSlices of the node cannot be listed, so GPUs of claims without a process have no pod",
        "let the service account list resourceslices of resource.k8s.io",
    )


@dataclass(frozen=True, slots=True)
class NodeProblem:
    """A source that is not available; `detail` is for people."""

    reason: NodeReason
    detail: str = ""

    @property
    def text(self) -> str:
        """The problem in one sentence, with the remedy."""
        shown = f" ({self.detail})" if self.detail else ""
        return f"{self.reason.meaning}{shown}; {self.reason.remedy}"
