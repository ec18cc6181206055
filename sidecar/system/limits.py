"""Limits that a process sets on itself: memory, processor time, descriptors, priority. Linux."""

from __future__ import annotations

import os
import resource
from contextlib import suppress

UNLIMITED = resource.RLIM_INFINITY
OOM_SCORE = "/proc/self/oom_score_adj"


def limit_data(size: int) -> None:
    """Let the process have at most `size` bytes of data (RLIMIT_DATA), or what the hard limit allows; 0 sets none.

    An allocation beyond it raises MemoryError.
    """
    _lower(resource.RLIMIT_DATA, size)


def limit_processor(seconds: int) -> None:
    """End the process (SIGXCPU) once it has used so many seconds of processor time; 0 sets no limit."""
    _lower(resource.RLIMIT_CPU, seconds)


def raise_descriptor_limit() -> int:
    """Raise the soft limit of open descriptors to the hard one and return that; `UNLIMITED` is negative."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def lower_priority(*, niceness: int, oom_score: int, batch: bool = False) -> None:
    """Let other processes go first: on the processors, and when the kernel must end one for want of memory.

    `oom_score` is added to the kernel's own (-1000 to 1000; the highest is ended first). `batch` never preempts others.
    What the system does not allow is left out.
    """
    with suppress(OSError), open(OOM_SCORE, "w", encoding="ascii") as file:  # then the kernel chooses by size
        file.write(str(oom_score))
    with suppress(OSError, AttributeError):  # a sandbox, or a system without it: all are alike
        os.nice(niceness)
        if batch:
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def _lower(which: int, most: int) -> None:
    if most:
        _, hard = resource.getrlimit(which)
        resource.setrlimit(which, (most if hard == UNLIMITED else min(most, hard), hard))
