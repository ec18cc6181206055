"""Groups of processes: the model server, and Pilotfish. Which processes and which cgroup are theirs, and one sample."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from . import cgroups
from .cgroups import Cgroup, CgroupMount
from .kernel_files import kernel_text
from .processes import PROC, ProcessStat, ancestors, read_membership, read_network, read_process, tree
from .usage import UsageSample


@dataclass(frozen=True, slots=True)
class Group:
    """A group of processes: its roots with the time of their start, all processes, and the cgroup that is theirs alone.

    `threads` is their number when the group was found.
    """

    roots: Mapping[int, int]
    pids: frozenset[int]
    threads: int
    cgroup: Cgroup

    @property
    def source(self) -> str:
        """The identity of the counters."""
        roots = ",".join(f"{pid}@{started}" for pid, started in sorted(self.roots.items()))
        return f"{self.cgroup.source}#{roots}"


def read_mounts(proc: Path = PROC) -> list[CgroupMount]:
    """Return the mounted hierarchies of cgroups; [] if they cannot be read."""
    try:
        return cgroups.parse_mounts(kernel_text(proc / "self/mountinfo"))
    except OSError:
        return []


def find_group(
    roots: Collection[int],
    processes: Mapping[int, ProcessStat],
    mounts: list[CgroupMount],
    others: Collection[int] = (),
    proc: Path = PROC,
) -> Group | None:
    """Return the group of `roots` and their descendants without `others`; None if no root is running.

    The cgroup counts if it has no process outside of the group but parents of its roots, such as a shell that waits.
    """
    pids = tree(roots, processes) - set(others)
    tops = [pid for pid in sorted(pids) if pid in roots and processes[pid].parent not in pids]
    if not tops:
        return None
    above = set[int]().union(*(ancestors(pid, processes) for pid in tops))
    located = cgroups.locate(cgroups.parse_memberships(read_membership(tops[0], proc)), mounts)
    found = cgroups.exclusive(located, (pids | above) - set(others))
    threads = sum(processes[pid].threads for pid in pids)
    return Group({pid: processes[pid].started for pid in tops}, frozenset(pids), threads, found)


def sample_group(group: Group, at_ns: int, proc: Path = PROC) -> UsageSample | None:
    """Return what a group uses now; None if a root has ended, so that the group must be found again."""
    root = next(iter(group.roots))
    if any((found := read_process(pid, proc)) is None or found.started != at for pid, at in group.roots.items()):
        return None
    reading = cgroups.read_cgroup(group.cgroup)
    received, sent = read_network(root, proc) or (None, None)
    sample = UsageSample(
        at_ns=at_ns,
        source=group.source,
        method="processes",
        processes=len(group.pids),
        threads=group.threads,
        received=received,
        sent=sent,
    )
    if reading is None or reading.memory is None:
        alive = [found for pid in group.pids if (found := read_process(pid, proc)) is not None]
        sample = replace(
            sample,
            processes=len(alive),
            threads=sum(each.threads for each in alive),
            cpu_ns=sum(each.cpu_ns for each in alive),
            memory=sum(each.resident for each in alive),
        )
    if reading is None:
        return sample
    return replace(
        sample,
        method=f"cgroup v{reading.version}",
        cgroup=group.cgroup.source,
        cpu_ns=reading.cpu_ns,
        throttled_ns=reading.throttled_ns,
        pressure_ns=reading.pressure_ns,
        memory=reading.memory if reading.memory is not None else sample.memory,
        memory_limit=reading.memory_limit,
        oom_kills=reading.oom_kills,
    )
