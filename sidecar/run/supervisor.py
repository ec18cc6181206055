"""The supervisor: starts children, waits for signals, and carries out the actions of restart_policy.py.

All signals that it handles are blocked and received one at a time with sigwaitinfo(2), so that no signal handler
interrupts other code. As process 1 of a container, it also reaps orphaned processes.
"""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random

from ..settings.options import without_options
from ..system.heartbeat import HeartbeatPipe
from ..system.parent_death import ORPHANED
from .restart_policy import ANALYZER, PROXY, Action, Exit, LogMessage, SignalChild, StartChild, SupervisorPolicy
from .spawn import NOT_STARTED, spawn
from .vital_signs import HEARTBEAT_DESCRIPTOR, WatchedChild, is_traced
from .watchdog import SilenceLimits, Watchdog

# signal to a child when the supervisor dies: the proxy drains briefly; the analyzer process has a recent checkpoint
ON_ORPHANED = {ANALYZER: signal.SIGKILL, PROXY: ORPHANED}
# service managers send these to all processes at once; the analyzer process must go on until the proxy has ended
IGNORED = {ANALYZER: (signal.SIGHUP, signal.SIGINT, signal.SIGTERM), PROXY: ()}
SHORTEST_WAIT, LONGEST_WAIT = 1e-4, 3600.0  # seconds


@dataclass
class Supervisor:
    """Runs the commands `argv`, by name of the child, as `policy` decides. `name` is the command, for the log.

    `watched` are the children that are killed when they hang. The analyzer process gets the pipe `heartbeat`.
    """

    name: str
    argv: Mapping[str, Sequence[str]]
    policy: SupervisorPolicy
    watched: Mapping[str, WatchedChild] = field(default_factory=dict)
    heartbeat: HeartbeatPipe = field(default_factory=HeartbeatPipe)
    _pids: dict[str, int] = field(default_factory=dict)
    _mask: set[signal.Signals] = field(default_factory=set)

    def run(self) -> int:
        """Run until all children have ended; return the exit status."""
        with _blocked() as (awaited, before):
            self._mask = before
            status = self._carry_out(self.policy.start_all(time.monotonic()))
            while status is None:
                status = self._next(awaited)
            return status

    def _next(self, awaited: set[signal.Signals]) -> int | None:
        times = (self.policy.wake_at, *(child.watchdog.check_at for child in self.watched.values()))
        wake_at = min((at for at in times if at is not None), default=None)
        wait = LONGEST_WAIT if wake_at is None else max(0.0, wake_at - time.monotonic())
        arrived = next_signal(awaited, wait)
        if arrived not in (signal.SIGCHLD, signal.SIGALRM):
            return self._carry_out(self.policy.on_signal(arrived, time.monotonic()))
        for child, status in self._reap():
            end = self._carry_out(self.policy.on_exit(child, status, time.monotonic()))
            if end is not None:
                return end
        self._check_children()
        return self._carry_out(self.policy.on_timer(time.monotonic()))

    def _check_children(self) -> None:
        now = time.monotonic()
        for name, child in self.watched.items():
            dog = child.watchdog
            if dog.check_at is None or now < dog.check_at or name not in self._pids:
                continue
            if dog.hangs(now, beaten=child.beaten(), traced=is_traced(self._pids[name])):
                dog.stop()
                self._carry_out(self.policy.on_hang(name, dog.silence))

    def _carry_out(self, actions: Sequence[Action]) -> int | None:
        for action in actions:
            match action:
                case StartChild(child):
                    end = self._start(child)
                    if end is not None:
                        return end
                case SignalChild(child, number) if child in self._pids:
                    os.kill(self._pids[child], number)
                case LogMessage(text, level):
                    self._log(level, text)
                case Exit(status):
                    return status
        return None

    def _start(self, child: str) -> int | None:
        try:
            self._pids[child] = spawn(
                self.argv[child],
                environment=without_options(os.environ),
                parent_death_signal=ON_ORPHANED[child],
                mask=self._mask,
                ignored=IGNORED[child],
                inherited={HEARTBEAT_DESCRIPTOR: self.heartbeat.descriptor} if child == ANALYZER else {},
            )
            if child in self.watched:
                self.watched[child].beaten()  # what the child before it has left
                self.watched[child].watchdog.start(time.monotonic())
        except OSError as error:  # no process or memory available; a later restart may succeed
            self._log(logging.ERROR, f"cannot start the {child}: {error.strerror}")
            return self._carry_out(self.policy.on_exit(child, NOT_STARTED, time.monotonic()))
        return None

    def _reap(self) -> Iterator[tuple[str, int]]:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            for child in [name for name, known in self._pids.items() if known == pid]:
                del self._pids[child]
                if child in self.watched:
                    self.watched[child].watchdog.stop()
                yield child, os.waitstatus_to_exitcode(status)

    def _log(self, level: int, text: str) -> None:
        logging.getLogger(f"pilotfish.{self.name}").log(level, "%s", text)


def supervise(
    name: str,
    argv: Mapping[str, Sequence[str]],
    proxy: WatchedChild | None = None,
    limits: SilenceLimits = SilenceLimits(),  # noqa: B008  # frozen
) -> int:
    """Run the analyzer process, and the proxy if `argv` contains one, until they end; return the exit status.

    `proxy` watches the proxy. `limits` are those of the analyzer process.
    """
    heartbeat = HeartbeatPipe()
    watched = {ANALYZER: WatchedChild(heartbeat.beaten, Watchdog(limits))}
    if proxy is not None:
        watched[PROXY] = proxy
    policy = SupervisorPolicy(with_proxy=PROXY in argv, random=Random())
    return Supervisor(name, argv, policy, watched, heartbeat).run()


def next_signal(awaited: set[signal.Signals], seconds: float) -> int:
    """Return the number of the next of the blocked signals `awaited`; SIGALRM, one of them, comes after `seconds`.

    `signal.sigtimedwait` is not used, because it returns a random number after a stop (SIGSTOP, or a pause of the
    machine) that outlasts its time limit. The proxy would then get SIGTERM.
    """
    signal.setitimer(signal.ITIMER_REAL, max(seconds, SHORTEST_WAIT))
    number = signal.sigwaitinfo(awaited).si_signo
    signal.setitimer(signal.ITIMER_REAL, 0)
    return number


@contextmanager
def _blocked() -> Iterator[tuple[set[signal.Signals], set[signal.Signals]]]:
    """Block the signals that the supervisor handles; yield them, and the signal mask for children."""
    awaited = {signal.SIGALRM, signal.SIGCHLD, signal.SIGTERM, signal.SIGINT}
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # ignored under nohup
        awaited.add(signal.SIGHUP)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # if it were inherited as ignored, children would have no exit status
    before = {signal.Signals(number) for number in signal.pthread_sigmask(signal.SIG_BLOCK, awaited)}
    try:
        yield awaited, before
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
