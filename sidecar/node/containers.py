"""Reads the containers of a pod: their names and the values of their cgroups.

The cgroup has the runtime's id of a container, not its name. The kubelet mounts the file of the termination message
from a folder with the name of the container, and each process shows this in its mountinfo. The sandbox has no such
file.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

from ..resources.cgroups import Cgroup, CgroupReading, read_cgroup
from ..resources.kernel_files import kernel_text
from ..resources.pod.figures import ContainerFigures
from ..resources.processes import PROC, read_network

_LOG = logging.getLogger("pilotfish.node")

MOST_NAMES = 4096  # of containers that are remembered
MOST_INNER = 64  # cgroups inside of a container whose processes are counted
_MESSAGE = re.compile(r"/pods/[0-9a-f-]{32,36}/containers/([a-z0-9-]{1,63})/[0-9a-f]{1,16} ")


class ContainerReader:
    """Reads containers. `proc` is the /proc of the node's PID namespace."""

    def __init__(self, proc: Path = PROC) -> None:
        self._proc = proc
        self._names: dict[str, str] = {}
        self._hidden: dict[str, tuple[Cgroup, str]] = {}  # by container, with the error

    @property
    def hidden(self) -> str:
        """The error with which the system hides the processes of a container that runs; empty if it hides none."""
        return next((error for group, error in self._hidden.values() if processes_of(group)), "")

    def read(self, groups: dict[str, Cgroup]) -> Iterator[ContainerFigures]:
        """Yield the figures of the containers with these cgroups that run, without the sandbox."""
        for container, group in groups.items():
            pids = processes_of(group)
            if not pids:
                continue
            name = self._name(container, group, pids)
            reading = read_cgroup(group)
            if name and reading is not None and reading.cpu_ns is not None:
                yield _figures(name, container, reading, len(pids), _threads(group) or len(pids))

    def network(self, groups: dict[str, Cgroup]) -> tuple[int, int] | None:
        """Return the bytes that the pod received and sent; all its containers share the network."""
        pid = next((pid for group in groups.values() for pid in processes_of(group)), None)
        return read_network(pid, self._proc) if pid is not None else None

    def oom_kills(self, group: Cgroup | None) -> int | None:
        """Return the kills for memory in the cgroup of a pod, also in containers that are gone."""
        reading = read_cgroup(group) if group is not None else None
        return reading.oom_kills if reading is not None else None

    def _name(self, container: str, group: Cgroup, pids: list[int]) -> str:
        """Return the name of a container; empty for the sandbox, or while it cannot be read."""
        if container not in self._names:
            mounts = self._mounts(container, group, pids[:3])
            if mounts is None:
                return ""
            found = _MESSAGE.search(mounts)
            for old in list(islice(self._names, max(0, len(self._names) + 1 - MOST_NAMES))):
                del self._names[old]
            self._names[container] = found[1] if found else ""
        return self._names[container]

    def _mounts(self, container: str, group: Cgroup, pids: list[int]) -> str | None:
        """Return the mounts of the first of these processes that shows them; None if all ended or are hidden."""
        refused = ""
        for pid in pids:
            try:
                mounts = kernel_text(self._proc / str(pid) / "mountinfo")
            except OSError as error:
                refused = refused or error.strerror or str(error)
            else:
                self._hidden.pop(container, None)
                return mounts
        if set(pids) & set(processes_of(group)):  # they have not ended
            if not self.hidden:
                _LOG.warning("the mounts of processes %s cannot be read: %s", ", ".join(map(str, pids)), refused)
            if container not in self._hidden:  # those that ended make room
                self._hidden = {one: found for one, found in self._hidden.items() if processes_of(found[0])}
            self._hidden[container] = group, refused
        return None


def _figures(name: str, container: str, reading: CgroupReading, processes: int, threads: int) -> ContainerFigures:
    return ContainerFigures(
        name=name,
        id=container,
        version=2 if reading.version == 2 else 1,
        processes=processes,
        threads=threads,
        cpu_ns=reading.cpu_ns or 0,
        throttled_ns=reading.throttled_ns,
        pressure_ns=dict(reading.pressure_ns),
        memory=reading.memory,
        memory_limit=reading.memory_limit,
        oom_kills=reading.oom_kills,
    )


def processes_of(group: Cgroup) -> list[int]:
    """Return the ids of the processes in a cgroup and in those inside of it."""
    top = group.v1.get("cpuacct") or group.v2
    if top is None:
        return []
    found: list[int] = []
    for folder in islice(_inner(top), MOST_INNER):
        with suppress(OSError):
            found += [int(word) for word in kernel_text(folder / "cgroup.procs").split() if word.isdecimal()]
    return [pid for pid in found if pid > 0]  # 0 stands for a process of another PID namespace


def _inner(folder: Path) -> Iterator[Path]:
    yield folder
    with suppress(OSError):
        for entry in sorted(folder.iterdir()):
            if entry.is_dir() and not entry.is_symlink():
                yield from _inner(entry)


def _threads(group: Cgroup) -> int:
    with suppress(OSError, ValueError):
        if group.v2 is not None and "cpuacct" not in group.v1:
            return int(kernel_text(group.v2 / "pids.current"))
        if "cpuacct" in group.v1:
            return len(kernel_text(group.v1["cpuacct"] / "tasks").split())
    return 0
