"""Parses the pod and the container out of the path of a cgroup. Pure.

The forms of the path, for a pod of class Burstable; one of class Guaranteed has no part `burstable`:

    kubelet with the driver systemd   /kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podUID.slice/...
    kubelet with the driver cgroupfs  /kubepods/burstable/podUID/...
    container                         .../cri-containerd-ID.scope, crio-ID.scope, docker-ID.scope; ID with cgroupfs
    containerd without SystemdCgroup  /system.slice/containerd.service/kubepods-burstable-podUID.slice:cri-containerd:ID

In a UID, systemd has `_` in place of `-`. The UID of a static pod is the hash of its manifest, 32 digits. A path from
another cgroup namespace begins with `/..` and lacks the parts that both have in common. A cluster inside of a container
has two pods in its paths: the outer one is that of this node.

Source: pkg/kubelet/cm/cgroup_manager_linux.go of Kubernetes, cgroup_namespaces(7).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from ..resources.cgroups import parse_memberships

_UID = r"([0-9a-f]{8}(?:[-_][0-9a-f]{4}){3}[-_][0-9a-f]{12}|[0-9a-f]{32})"
_POD = re.compile(rf"(?:[a-z0-9_.-]*-)?pod{_UID}(?:\.slice)?\Z")
_BOTH = re.compile(rf"[a-z0-9_.-]*-pod{_UID}\.slice:[a-z0-9-]+:([0-9a-f]{{32,64}})\Z")
_CONTAINER = re.compile(r"(?:(cri-containerd|crio|docker|libpod)-)?([0-9a-f]{32,64})(?:\.scope)?\Z")


@dataclass(frozen=True, slots=True)
class PodCgroup:
    """The pod of a cgroup, and the runtime's id of the container; empty for the cgroup of the pod itself."""

    uid: str
    container: str = ""


class Unplaced(Enum):
    """Why a process has no pod."""

    HOST = "it runs on the node, outside of all pods"
    UNKNOWN = "its cgroup cannot be read, or is hidden by a cgroup namespace"


def parse_path(path: str) -> PodCgroup | None:
    """Return pod and container of a path; None if no part of it is a pod."""
    uid = ""
    for part in path.split("/"):
        if uid:
            container = _CONTAINER.match(part)
            return PodCgroup(uid, container[2]) if container else PodCgroup(uid)
        if found := parse_part(part):
            if found.container:
                return found
            uid = found.uid
    return PodCgroup(uid) if uid else None


def parse_part(part: str) -> PodCgroup | None:
    """Return the pod that one part of a path names, with its container if the part names both."""
    if both := _BOTH.match(part):
        return PodCgroup(both[1].replace("_", "-"), both[2])
    pod = _POD.match(part)
    return PodCgroup(pod[1].replace("_", "-")) if pod else None


def parse_container(part: str) -> str:
    """Return the container that a part below a pod names; empty for another one, such as that of a monitor."""
    found = _CONTAINER.match(part)
    return found[2] if found else ""


def place_process(memberships: str) -> PodCgroup | Unplaced:
    """Return where a process runs, by its `/proc/PID/cgroup`."""
    paths = [str(path) for _, path in parse_memberships(memberships)]
    for path in paths:
        if found := parse_path(path):
            return found
    visible = any(part not in ("", "..") for path in paths for part in path.split("/"))
    return Unplaced.HOST if visible else Unplaced.UNKNOWN
