"""A child process that never outlives its parent: Linux tells it when the parent died. Standard library only."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Mapping, Sequence

from ..system.parent_death import signal_on_parent_death

NOT_STARTED = 127  # exit status of a child that could not become its program, as in a shell


def spawn(argv: Sequence[str], *, environment: Mapping[str, str], parent_death_signal: int, mask: Iterable[int]) -> int:
    """Start `argv` and return its pid.

    The child has a process group of its own, so that Ctrl-C reaches only the parent, which forwards it; it reads
    nothing; its signal mask is `mask`. When the parent dies, however it dies, the child is sent `parent_death_signal`.
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
