"""Limits that a process sets for itself: memory, CPU time, descriptors, priority. Linux only.

A process can lower a limit, but never raise it above the hard limit.
"""

from __future__ import annotations

import logging
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_LOG = logging.getLogger("pilotfish.process")

UNLIMITED = resource.RLIM_INFINITY
OOM_SCORE = "/proc/self/oom_score_adj"
MOST_OOM_SCORE = 1000
CGROUP = "/sys/fs/cgroup"


def limit_data(size: int) -> None:
    """Limit the data of this process to `size` bytes (RLIMIT_DATA), at most the hard limit; 0 sets no limit.

    An allocation above the limit raises MemoryError.
    """
    _lower(resource.RLIMIT_DATA, size)


def data_limit() -> int:
    """Return the soft limit of this process's data in bytes, 0 without one."""
    soft, _ = resource.getrlimit(resource.RLIMIT_DATA)
    return 0 if soft == UNLIMITED else soft


@contextmanager
def within_memory(spare: int) -> Iterator[None]:
    """Let an allocation in the block raise MemoryError when this process would need `spare` bytes more than now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = _used_data() + spare
    resource.setrlimit(resource.RLIMIT_DATA, (wanted if soft == UNLIMITED else min(wanted, soft), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def available_memory() -> int:
    """Return how many bytes this process can still use: what the machine has available, and its cgroup allows."""
    with open("/proc/meminfo", encoding="ascii") as file:
        found = [int(line.split()[1]) * 1024 for line in file if line.startswith("MemAvailable:")]
    with suppress(OSError, ValueError):  # no cgroup of version 2, or no limit
        most, used = (int(Path(CGROUP, name).read_text()) for name in ("memory.max", "memory.current"))
        found.append(most - used)
    return max(0, min(found))


def limit_processor(seconds: int) -> None:
    """End this process (SIGXCPU) after `seconds` of CPU time; 0 sets no limit."""
    _lower(resource.RLIMIT_CPU, seconds)


def raise_descriptor_limit() -> int:
    """Raise the soft limit of open descriptors to the hard limit and return it; `UNLIMITED` is negative."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def lower_priority(*, niceness: int, oom_score: int, batch: bool = False) -> None:
    """Lower the CPU priority of this process, and raise its score for the out-of-memory killer.

    `oom_score` is added to the present adjustment, up to 1000: Kubernetes sets one of about 990 for a container with
    small requests, and this process must be killed before its parent. With `batch`, this process never preempts others.
    Settings that the system does not permit are skipped, and logged: then the kernel chooses what it ends by size, or
    this process competes with the others for CPU time.
    """
    try:
        with open(OOM_SCORE, "r+", encoding="ascii") as file:
            raised = min(int(file.read()) + oom_score, MOST_OOM_SCORE)
            file.seek(0)
            file.write(str(raised))
    except OSError as error:
        _LOG.info("the score for the out-of-memory killer was not raised: %s", error.strerror)
    try:
        os.nice(niceness)
        if batch:
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    except (OSError, AttributeError) as error:  # not permitted in a sandbox, or not supported
        _LOG.info("the priority for the CPU was not lowered: %s", getattr(error, "strerror", error))


def _lower(which: int, most: int) -> None:
    if most:
        _, hard = resource.getrlimit(which)
        resource.setrlimit(which, (most if hard == UNLIMITED else min(most, hard), hard))


def _used_data() -> int:
    """Return the size of the data of this process in bytes, as RLIMIT_DATA counts it."""
    with open("/proc/self/status", encoding="ascii") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmData:"))
