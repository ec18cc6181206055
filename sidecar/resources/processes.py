"""Reads processes from /proc: CPU time, resident memory, threads, children, network bytes.

The CPU time of a process includes that of its children that ended and were waited for, so a server that forks a process
for each request is measured. The time of a child that nobody waited for is lost.

Source: proc_pid_stat(5), proc_pid_net(5).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from .kernel_files import kernel_text

PROC = Path("/proc")
TICK_NS = 10**9 // os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
_STATE, _PARENT, _UTIME, _CSTIME, _THREADS, _STARTED, _RESIDENT = 0, 1, 11, 14, 17, 19, 21  # after the name
LOOPBACK = "lo"


@dataclass(frozen=True, slots=True)
class ProcessStat:
    """One process. `started` is in ticks since the start of Linux.

    `cpu_ns` includes children that were waited for; its resolution is one tick, usually 10 ms. `resident` is in bytes,
    with shared pages. `name` has at most 15 bytes.
    """

    pid: int
    parent: int
    started: int
    cpu_ns: int
    threads: int
    resident: int
    name: str = ""


def parse_stat(text: str) -> ProcessStat | None:
    """Return the process that a `/proc/PID/stat` describes; None if it is not understood. Names may have any bytes."""
    head, separator, rest = text.rpartition(")")
    pid, _, name = head.partition(" (")
    fields = rest.split()
    if not separator or len(fields) <= _RESIDENT:
        return None
    try:
        times = [int(field) for field in fields[_UTIME : _CSTIME + 1]]
        found = ProcessStat(
            pid=int(pid),
            parent=int(fields[_PARENT]),
            started=int(fields[_STARTED]),
            cpu_ns=sum(times) * TICK_NS,
            threads=int(fields[_THREADS]),
            resident=int(fields[_RESIDENT]) * PAGE,
            name=name,
        )
    except ValueError:
        return None
    return found if min(times) >= 0 and found.resident >= 0 and found.threads >= 0 else None


def read_process(pid: int, proc: Path = PROC) -> ProcessStat | None:
    """Return the process `pid`; None if it does not exist or cannot be read."""
    try:
        return parse_stat(kernel_text(proc / str(pid) / "stat"))
    except OSError:
        return None


def list_processes(proc: Path = PROC) -> dict[int, ProcessStat]:
    """Return all processes that this one may see, by id."""
    found = (read_process(int(name), proc) for name in os.listdir(proc) if name.isdecimal())
    return {process.pid: process for process in found if process is not None}


def tree(roots: Iterable[int], processes: Mapping[int, ProcessStat]) -> set[int]:
    """Return the ids of `roots` and all their descendants."""
    children: dict[int, list[int]] = {}
    for process in processes.values():
        children.setdefault(process.parent, []).append(process.pid)
    found: set[int] = set()
    waiting = [pid for pid in roots if pid in processes]
    while waiting:
        pid = waiting.pop()
        if pid not in found:
            found.add(pid)
            waiting += children.get(pid, ())
    return found


def ancestors(pid: int, processes: Mapping[int, ProcessStat]) -> set[int]:
    """Return the ids of the parents of a process, up to the first that is not visible."""
    found: set[int] = set()
    process = processes.get(pid)
    while process is not None and process.parent not in found and process.parent in processes:
        found.add(process.parent)
        process = processes[process.parent]
    return found


def parse_network(text: str) -> tuple[int, int] | None:
    """Return the bytes that all interfaces but loopback received and sent, from a `net/dev` file; None without one."""
    received = sent = 0
    known = False
    for line in text.splitlines()[2:]:
        name, separator, rest = line.partition(":")
        fields = rest.split()
        if not separator or name.strip() == LOOPBACK or len(fields) < 9:
            continue
        try:
            one, other = int(fields[0]), int(fields[8])
        except ValueError:
            continue
        received, sent, known = received + one, sent + other, True
    return (received, sent) if known else None


def read_network(pid: int, proc: Path = PROC) -> tuple[int, int] | None:
    """Return the bytes received and sent in the network namespace of a process; None if they cannot be read."""
    try:
        return parse_network(kernel_text(proc / str(pid) / "net/dev"))
    except OSError:
        return None


def read_membership(pid: int, proc: Path = PROC) -> str:
    """Return the `/proc/PID/cgroup` of a process; empty if it cannot be read."""
    try:
        return kernel_text(proc / str(pid) / "cgroup")
    except OSError:
        return ""
