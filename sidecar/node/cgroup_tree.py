"""Finds the cgroups of pods and containers in the hierarchies of the node, which are mounted read-only.

A walk finds the folders of all pods. The containers of a pod are listed for each request, since they are started again.
Version 1, version 2 and both side by side are read.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from ..resources.cgroups import CONTROLLERS, Cgroup
from .cgroup_paths import parse_container, parse_part

MOST_FOLDERS = 5000  # of one walk; a node with 110 pods has some hundred outside of the pods
DEEPEST = 6  # levels above the folder of a pod: the cgroup root of the kubelet, and the classes of service
V2 = ""  # the key of the unified hierarchy, beside the controllers of version 1


@dataclass(frozen=True, slots=True)
class PodFolders:
    """The folders of one pod by hierarchy: its own, and those of containers that are outside of it."""

    own: dict[str, Path] = field(default_factory=dict)
    apart: dict[str, dict[str, Path]] = field(default_factory=dict)  # by container


class CgroupTree:
    """The hierarchies below `root`, the node's /sys/fs/cgroup."""

    def __init__(self, root: Path) -> None:
        self._hierarchies = _hierarchies(root)
        self._pods: dict[str, PodFolders] = {}

    @property
    def usable(self) -> bool:
        """Whether there is a hierarchy to read."""
        return bool(self._hierarchies)

    def walk(self) -> int:
        """Find the folders of all pods anew; return the number of pods."""
        pods: dict[str, PodFolders] = {}
        for key, top in self._hierarchies.items():
            for folder in _pod_folders(top):
                found = parse_part(folder.name)
                if found is None:
                    continue
                pod = pods.setdefault(found.uid, PodFolders())
                if found.container:
                    pod.apart.setdefault(found.container, {})[key] = folder
                else:
                    pod.own[key] = folder
        self._pods = pods
        return len(pods)

    def has(self, uid: str) -> bool:
        """Return whether the last walk found the pod, and its cgroup still exists."""
        found = self._pods.get(uid)
        folders = (
            [*found.own.values(), *(one for inner in found.apart.values() for one in inner.values())] if found else ()
        )
        return any(folder.is_dir() for folder in folders)

    def pod(self, uid: str) -> Cgroup | None:
        """Return the cgroup of the pod as a whole; None if it is not known."""
        found = self._pods.get(uid)
        return _cgroup(found.own, found.own) if found is not None and found.own else None

    def containers(self, uid: str) -> dict[str, Cgroup]:
        """Return the cgroups of the pod's containers, the sandbox among them, by the runtime's id."""
        pod = self._pods.get(uid)
        if pod is None:
            return {}
        folders: dict[str, dict[str, Path]] = {one: dict(found) for one, found in pod.apart.items()}
        for key, own in pod.own.items():
            for folder in _subfolders(own):
                if container := parse_container(folder.name):
                    folders.setdefault(container, {})[key] = folder
        return {container: _cgroup(found, pod.own or found) for container, found in sorted(folders.items())}


def _hierarchies(root: Path) -> dict[str, Path]:
    """Return the tops of the hierarchies: by controller of version 1, and V2."""
    if (root / "cgroup.controllers").exists():
        return {V2: root}
    found = {name: root / name for name in CONTROLLERS if (root / name).is_dir()}
    unified = root / "unified"
    return found | ({V2: unified} if (unified / "cgroup.controllers").exists() else {})


def _pod_folders(top: Path) -> Iterator[Path]:
    """Yield the folders below `top` whose name has a pod."""
    level, seen = [top], 0
    for _ in range(DEEPEST):
        below: list[Path] = []
        for folder in level:
            for inner in _subfolders(folder):
                seen += 1
                if seen > MOST_FOLDERS:
                    return
                if parse_part(inner.name) is not None:
                    yield inner
                else:
                    below.append(inner)
        level = below


def _subfolders(folder: Path) -> list[Path]:
    with suppress(OSError), os.scandir(folder) as entries:
        return [folder / entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    return []


def _cgroup(folders: Mapping[str, Path], tops: Mapping[str, Path]) -> Cgroup:
    """Return the cgroup of these folders; limits up to those in `tops` apply."""
    v1 = {key: folder for key, folder in folders.items() if key != V2}
    return Cgroup(folders.get(V2), v1, {folder: tops.get(key, folder) for key, folder in folders.items()})
