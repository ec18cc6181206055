"""Becomes another program, which the kernel sends SIGTERM when the demo dies, however it dies.

python -m pilotfish.sidecar.demo.leash PID_OF_THE_DEMO PROGRAM [ARGUMENT]...
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # prctl(2); outlasts the exec


def main(parent: int, command: list[str]) -> None:
    """Become `command`, unless the demo, whose pid is `parent`, is gone already."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() == parent:
        os.execv(command[0], command)  # noqa: S606  # a list of arguments, no shell


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
