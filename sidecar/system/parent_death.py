"""End with the parent process, however it ends: Linux sends a signal when the parent dies (prctl PR_SET_PDEATHSIG).

As a program, a wrapper for any command:

    python -m pilotfish.sidecar.system.parent_death PID_OF_THE_PARENT PROGRAM [ARGUMENT]...

It becomes PROGRAM, which receives SIGTERM when the parent dies. The setting outlasts the exec.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # prctl(2)

_libc = ctypes.CDLL(None, use_errno=True)  # loaded at import: between fork and exec, only simple calls are safe


def signal_on_parent_death(number: int, *, parent: int | None = None) -> bool:
    """Receive the signal `number` when the parent dies; False when `parent` is given and has died already.

    The setting is lost in a further fork. Call it from the child, not in a thread of the parent.
    """
    _libc.prctl(PR_SET_PDEATHSIG, number, 0, 0, 0)
    return parent is None or os.getppid() == parent


def main(parent: int, command: list[str]) -> None:
    """Become `command`, unless the process `parent` is gone already."""
    if signal_on_parent_death(signal.SIGTERM, parent=parent):
        os.execv(command[0], command)  # noqa: S606  # a list of arguments, no shell


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
