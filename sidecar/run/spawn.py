"""Starts child processes that never outlive the supervisor: Linux sends them a signal when it dies.

The supervisor imports this module, so it uses the standard library only.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Mapping, Sequence

from ..system.parent_death import signal_on_parent_death

NOT_STARTED = 127  # exit status of a child whose program could not be executed, as in a shell


def spawn(argv: Sequence[str], *, environment: Mapping[str, str], parent_death_signal: int, mask: Iterable[int]) -> int:
    """Start `argv` and return its pid.

    The child has its own process group, so that Ctrl-C reaches only the parent, which forwards it. Its standard input
    is /dev/null and its signal mask is `mask`. When the parent dies, even by SIGKILL, the child gets
    `parent_death_signal`. Raises OSError if the process cannot be created.
    """
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        _exec_child(argv, environment, parent_death_signal, mask, parent)
    return pid


def _exec_child(
    argv: Sequence[str], environment: Mapping[str, str], parent_death_signal: int, mask: Iterable[int], parent: int
) -> None:
    try:
        os.setpgid(0, 0)
        if signal_on_parent_death(parent_death_signal, parent=parent):
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            for number in (signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ):
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            os.execve(argv[0], list(argv), dict(environment))  # noqa: S606  # a list of arguments, no shell
    except OSError as error:
        os.write(2, f"pilotfish: cannot start {argv[0]}: {error.strerror}\n".encode())
    finally:
        os._exit(NOT_STARTED)
