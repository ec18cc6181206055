"""The programs of a node, and the reason why there are none."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from tests.support.programs import missing

SAID = Path("build/node")  # by `.ci/kubernetes node`: the folder of the control plane, and that of the node
DEBIAN = ("runc", "nft", "debootstrap", "buildah", "ip", "openssl", "unshare", "nsenter", "setpriv")


@dataclass(frozen=True)
class Programs:
    """The folders of the programs that were built."""

    plane: Path
    node: Path


def found() -> Programs | None:
    """Return the programs, or None where they were not built."""
    lines = SAID.read_text().split() if SAID.exists() else []
    return Programs(Path(lines[0]), Path(lines[1])) if len(lines) == 2 else None


def lacking() -> str:
    """Return why no node can run here, or the empty string."""
    if os.geteuid() != 0:
        return "a node needs root, for namespaces and cgroups"
    if absent := missing(*DEBIAN):
        return f"not installed: {', '.join(absent)}"
    if found() is None:
        return "the programs are not built; `.ci/kubernetes node > build/node` builds them, with Go"
    if not any(Path("/sys/fs/cgroup").glob("*/memory.limit_in_bytes")) and not _delegates("memory"):
        return "no cgroup controller for memory"
    return ""


def _delegates(controller: str) -> bool:
    path = Path("/sys/fs/cgroup/cgroup.controllers")
    return path.exists() and controller in path.read_text().split()
