"""What the kernel reports about the processes of a stack: memory, descriptors, threads."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Self

from tests.e2e.stack import Stack
from tests.integration.process import resident_kib

ROLES = ("proxy", "analyzer")


@dataclass(frozen=True)
class Usage:
    """The resources of one process at one moment."""

    mib: float
    descriptors: int
    threads: int

    @classmethod
    def of(cls, pid: int) -> Self:
        """Read them from /proc."""
        threads = len(os.listdir(f"/proc/{pid}/task"))
        return cls(resident_kib(pid) / 1024, len(os.listdir(f"/proc/{pid}/fd")), threads)

    def __str__(self) -> str:
        return f"{self.mib:.1f} MiB {self.descriptors} fds {self.threads} threads"


def pids_of(stack: Stack) -> dict[str, int]:
    """Return the pid of each process of the stack."""
    return {"supervisor": stack.run.pid, **{role: stack.pid(role) for role in ROLES}}
