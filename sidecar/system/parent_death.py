"""Ends a process with its parent: Linux sends a signal when the parent dies (prctl PR_SET_PDEATHSIG).

As a program, this module is a wrapper for any command:

    python -m pilotfish.sidecar.system.parent_death PID_OF_THE_PARENT PROGRAM [ARGUMENT]...

It executes PROGRAM in the same process. PROGRAM gets SIGTERM when the parent dies, since the setting survives exec.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # prctl(2)
ORPHANED = signal.SIGUSR2  # what the proxy gets when its supervisor dies; SIGTERM would not distinguish the two

_libc = ctypes.CDLL(None, use_errno=True)  # loaded at import, since loading is unsafe between fork and exec


def signal_on_parent_death(number: int, *, parent: int | None = None) -> bool:
    """Request the signal `number` for the death of the parent; return False if the process `parent` has died already.

    Call it in the child process. Children of this process do not inherit the setting.
    """
    _libc.prctl(PR_SET_PDEATHSIG, number, 0, 0, 0)
    return parent is None or os.getppid() == parent


def main(parent: int, command: list[str]) -> None:
    """Execute `command` in this process; return if the process `parent` has died already."""
    if signal_on_parent_death(signal.SIGTERM, parent=parent):
        os.execv(command[0], command)  # noqa: S606  # a list of arguments, no shell


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
