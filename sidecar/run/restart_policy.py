"""The supervisor's decisions: events in, actions out. Pure: the caller passes the time and carries out the actions.

The analyzer process runs, ends, waits until its restart time and runs again. At the end it gets STOP_SIGNAL, and
SIGKILL if it does not stop within the grace period. The proxy is never restarted and never killed.

If the first analyzer process cannot use its options, `run` ends: the person who gave them must see it. Later, and in
`analyze`, the cause may pass, so the analyzer process is started again.
"""

from __future__ import annotations

import logging
import signal
from dataclasses import dataclass
from random import Random

PROXY, ANALYZER = "proxy", "analyzer"

USAGE = 2  # exit status of an analyzer process that cannot use its options
RECYCLE = 75  # exit status with which the analyzer process asks for an immediate restart (EX_TEMPFAIL)
FIRST, LONGEST = 0.25, 30.0  # seconds: bound of the first wait before a restart, and of all later ones
HEALTHY_SECONDS = 60.0  # an analyzer process that ran at least so long resets the backoff
MIN_RECYCLE_SECONDS = 10.0  # a recycle request after a shorter run counts as a failure
# stops the analyzer process; it ignores SIGTERM, which service managers send to all processes at once
STOP_SIGNAL = signal.SIGUSR1
STOP_GRACE_SECONDS = 5.0  # for the last checkpoint of the analyzer process


@dataclass(frozen=True, slots=True)
class StartChild:
    """Start the child."""

    child: str


@dataclass(frozen=True, slots=True)
class SignalChild:
    """Send the running child a signal."""

    child: str
    signal: int


@dataclass(frozen=True, slots=True)
class LogMessage:
    """Write a line to the log."""

    text: str
    level: int = logging.WARNING


@dataclass(frozen=True, slots=True)
class Exit:
    """All children have ended: exit with this status."""

    status: int


Action = StartChild | SignalChild | LogMessage | Exit


class SupervisorPolicy:
    """Decides for one analyzer process and, with `with_proxy`, for one proxy. Times are monotonic seconds."""

    def __init__(self, *, with_proxy: bool, random: Random) -> None:
        self._with_proxy = with_proxy
        self._random = random
        self._proxy_runs = with_proxy
        self._signalled = False
        self._starts = 0  # of the analyzer process
        self._failures = 0
        self._started_at: float | None = None  # of the running analyzer process
        self._restart_at: float | None = None
        self._kill_at: float | None = None
        self._hung: set[str] = set()  # children that were killed because they hung
        self._status: int | None = None  # exit status of the supervisor; set once it is ending

    @property
    def wake_at(self) -> float | None:
        """The time at which `on_timer` must be called, None if never."""
        times = [at for at in (self._restart_at, self._kill_at) if at is not None]
        return min(times, default=None)

    def start_all(self, now: float) -> list[Action]:
        """Start all children, the proxy first, since traffic may be waiting."""
        return [*([StartChild(PROXY)] if self._with_proxy else []), self._start(now)]

    def on_signal(self, number: int, now: float) -> list[Action]:
        """Forward the signal to the proxy, which drains and ends; without a proxy, stop the analyzer process."""
        self._signalled = True
        if self._proxy_runs:
            return [SignalChild(PROXY, signal.SIGINT if number == signal.SIGINT else signal.SIGTERM)]
        return self._stop(0, now) if self._status is None else []

    def on_exit(self, child: str, status: int, now: float) -> list[Action]:
        """Handle the end of a child with `status`; minus the signal's number if a signal killed it."""
        hung = child in self._hung
        self._hung.discard(child)
        if child == PROXY:
            self._proxy_runs = False
            ended = status if status >= 0 else 128 - status
            crashed = self._status is None and not self._signalled and status not in {0, USAGE}
            how = _describe_exit(status, hung=hung)
            text = f"the proxy {how}, and traffic does not pass any more; ending with status {ended}"
            message = [LogMessage(text, logging.ERROR)] if crashed else []
            return [*message, *self._stop(ended if self._status is None else self._status, now)]
        ran = now - (now if self._started_at is None else self._started_at)
        self._started_at = self._kill_at = None
        if self._status is not None:
            return [] if self._proxy_runs else [Exit(self._status)]
        if status == USAGE and self._starts == 1 and self._proxy_runs:
            self._status = USAGE
            text = "the analyzer process cannot start with these options; stopping the proxy"
            return [LogMessage(text, logging.ERROR), SignalChild(PROXY, signal.SIGTERM)]
        return self._plan_restart(_describe_exit(status, hung=hung), status, ran, now)

    def on_hang(self, child: str, silence: float) -> list[Action]:
        """Kill a child that gave no sign of life for `silence` seconds; it is restarted like one that failed."""
        self._hung.add(child)
        what = "proxy" if child == PROXY else "analyzer process"
        text = f"the {what} gave no sign of life for {silence:g} s; killing it"
        return [LogMessage(text, logging.ERROR), SignalChild(child, signal.SIGKILL)]

    def on_timer(self, now: float) -> list[Action]:
        """Restart or kill the analyzer process if its time has come."""
        actions: list[Action] = []
        if self._restart_at is not None and now >= self._restart_at:
            self._restart_at = None
            actions.append(self._start(now))
        if self._kill_at is not None and now >= self._kill_at:
            self._kill_at = None
            actions += [
                LogMessage(f"the analyzer process did not stop within {STOP_GRACE_SECONDS:g} s; killing it"),
                SignalChild(ANALYZER, signal.SIGKILL),
            ]
        return actions

    def _start(self, now: float) -> StartChild:
        self._started_at = now
        self._starts += 1
        return StartChild(ANALYZER)

    def _stop(self, status: int, now: float) -> list[Action]:
        self._status, self._restart_at = status, None
        if self._started_at is None:
            return [Exit(status)]
        self._kill_at = now + STOP_GRACE_SECONDS
        return [SignalChild(ANALYZER, STOP_SIGNAL)]

    def _plan_restart(self, cause: str, status: int, ran: float, now: float) -> list[Action]:
        if status == RECYCLE and ran >= MIN_RECYCLE_SECONDS:
            self._failures, self._restart_at = 0, now
            return [LogMessage("restarting the analyzer process at its request", logging.INFO)]
        self._failures = 1 if ran >= HEALTHY_SECONDS else self._failures + 1
        wait = min(LONGEST, FIRST * 2.0 ** min(self._failures - 1, 16)) * self._random.uniform(0.5, 1.0)
        self._restart_at = now + wait
        ended = f"the analyzer process {cause} after {ran:.1f} s"
        return [LogMessage(f"{ended}; traffic is not affected; restart in {wait:.2f} s")]


def _describe_exit(status: int, *, hung: bool = False) -> str:
    if hung:
        return "hung and was killed"
    if status == RECYCLE:
        return "asked for a restart (the document changed, or --memory-limit is too low)"
    if status >= 0:
        return f"ended with status {status}"
    if status == -signal.SIGKILL:
        return "was killed by SIGKILL (by the kernel, if memory was short)"
    try:
        return f"was killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"was killed by signal {-status}"
