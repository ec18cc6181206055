"""Finds the pods of processes by /proc/PID/cgroup. A process is looked up once, as long as it is seen without a gap."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from ..resources.processes import PROC, read_membership
from .cgroup_paths import PodCgroup, Unplaced, place_process


class ProcessPods:
    """The pods of the processes that use a GPU. `proc` is the /proc of the node's PID namespace."""

    def __init__(self, proc: Path = PROC) -> None:
        self._proc = proc
        self._known: dict[int, PodCgroup | Unplaced] = {}

    def place(self, pids: Collection[int]) -> dict[int, PodCgroup | Unplaced]:
        """Return where each process runs. Processes that are absent are forgotten, since ids are used again."""
        self._known = {
            pid: self._known.get(pid) or place_process(read_membership(pid, self._proc)) for pid in sorted(set(pids))
        }
        return self._known
