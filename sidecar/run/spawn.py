"""Starts child processes that never outlive the supervisor: Linux sends them a signal when it dies.

The supervisor imports this module, so it uses the standard library only.
"""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from ..system.parent_death import signal_on_parent_death

_LOG = logging.getLogger("pilotfish.run")

NOT_STARTED = 127  # exit status of a child whose program could not be executed, as in a shell


def spawn(
    argv: Sequence[str],
    *,
    environment: Mapping[str, str],
    parent_death_signal: int,
    mask: Iterable[int],
    ignored: Iterable[int] = (),
    inherited: Mapping[int, int] = MappingProxyType({}),
) -> int:
    """Start `argv` and return its pid. It ignores the signals `ignored` from its first instruction on.

    `inherited` are descriptors that it gets: the number in the child, and the one in this process.

    The child has its own process group, so that Ctrl-C reaches only the parent, which forwards it. Its standard input
    is /dev/null and its signal mask is `mask`. When the parent dies, even by SIGKILL, the child gets
    `parent_death_signal`. Raises OSError if the process cannot be created.
    """
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        _exec_child(argv, environment, parent_death_signal, mask, ignored, inherited, parent)
    return pid


def _exec_child(
    argv: Sequence[str],
    environment: Mapping[str, str],
    parent_death_signal: int,
    mask: Iterable[int],
    ignored: Iterable[int],
    inherited: Mapping[int, int],
    parent: int,
) -> None:
    try:
        os.setpgid(0, 0)
        if signal_on_parent_death(parent_death_signal, parent=parent):
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            for number, descriptor in inherited.items():
                os.dup2(descriptor, number)
                os.set_inheritable(number, True)  # dup2 leaves it out if both numbers are the same
            for number in (signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ):
                signal.signal(number, signal.SIG_DFL)
            for one in ignored:
                signal.signal(one, signal.SIG_IGN)  # stays ignored across exec
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            os.execve(argv[0], list(argv), dict(environment))  # noqa: S606  # a list of arguments, no shell
    except OSError as error:
        _LOG.error("cannot start %s: %s", argv[0], error.strerror)
    finally:
        os._exit(NOT_STARTED)
