"""The supervisor's decisions: events in, actions out. Pure: it starts, kills and waits for nothing, and gets the time.

The analyzer process runs, ends, waits until `restart_at` and runs again. When everything ends, it is only told to stop,
and killed if it has not stopped in time.
"""

from __future__ import annotations

import signal
from dataclasses import dataclass
from random import Random

PROXY, ANALYZER = "proxy", "analyzer"

RECYCLE = 75  # exit status of an analyzer process that wants to be started again at once (EX_TEMPFAIL)
FIRST, LONGEST = 0.25, 30.0  # seconds: bound of the first wait before a restart, and of any
HEALTHY_SECONDS = 60.0  # seconds; an analyzer process that ran so long is forgiven its earlier failures
MIN_RECYCLE_SECONDS = 10.0  # seconds; an analyzer process that wants to be recycled sooner than this has failed
STOP_GRACE_SECONDS = 5.0  # seconds that the analyzer process has for its last checkpoint


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
    """Tell the person who operates it."""

    text: str


@dataclass(frozen=True, slots=True)
class Exit:
    """Everything has ended: exit with this status."""

    status: int


Action = StartChild | SignalChild | LogMessage | Exit


class SupervisorPolicy:
    """Decides for one analyzer process and, `with_proxy`, one proxy. Times are monotonic seconds."""

    def __init__(self, *, with_proxy: bool, random: Random) -> None:
        self._with_proxy = with_proxy
        self._random = random
        self._failures = 0
        self._started_at: float | None = None  # of the running analyzer process
        self._restart_at: float | None = None
        self._kill_at: float | None = None
        self._status: int | None = None  # set once the whole is ending

    @property
    def wake_at(self) -> float | None:
        """When `due` has something to do, if nothing else happens."""
        times = [at for at in (self._restart_at, self._kill_at) if at is not None]
        return min(times, default=None)

    def begin(self, now: float) -> list[Action]:
        """Start everything, the proxy first: traffic waits for nobody."""
        return [*([StartChild(PROXY)] if self._with_proxy else []), self._start(now)]

    def told(self, number: int, now: float) -> list[Action]:
        """A signal came. The proxy alone knows when it has drained; without one, the analyzer process is stopped."""
        if self._with_proxy and self._status is None:
            return [SignalChild(PROXY, signal.SIGINT if number == signal.SIGINT else signal.SIGTERM)]
        return self._stop(0, now) if self._status is None else []

    def ended(self, child: str, status: int, now: float) -> list[Action]:
        """A child ended with `status` (minus the signal's number, if one killed it)."""
        if child == PROXY:
            return self._stop(status if status >= 0 else 128 - status, now)
        ran = now - (now if self._started_at is None else self._started_at)
        self._started_at = self._kill_at = None
        if self._status is not None:
            return [Exit(self._status)]
        return self._plan_restart(status, ran, now)

    def due(self, now: float) -> list[Action]:
        """Time has passed."""
        actions: list[Action] = []
        if self._restart_at is not None and now >= self._restart_at:
            self._restart_at = None
            actions.append(self._start(now))
        if self._kill_at is not None and now >= self._kill_at:
            self._kill_at = None
            actions += [
                LogMessage(f"the analyzer process did not stop within {STOP_GRACE_SECONDS:g} s: killed"),
                SignalChild(ANALYZER, signal.SIGKILL),
            ]
        return actions

    def _start(self, now: float) -> StartChild:
        self._started_at = now
        return StartChild(ANALYZER)

    def _stop(self, status: int, now: float) -> list[Action]:
        self._status, self._restart_at = status, None
        if self._started_at is None:
            return [Exit(status)]
        self._kill_at = now + STOP_GRACE_SECONDS
        return [SignalChild(ANALYZER, signal.SIGTERM)]

    def _plan_restart(self, status: int, ran: float, now: float) -> list[Action]:
        if status == RECYCLE and ran >= MIN_RECYCLE_SECONDS:
            self._failures, self._restart_at = 0, now
            return [LogMessage("the analyzer process is recycled")]
        self._failures = 1 if ran >= HEALTHY_SECONDS else self._failures + 1
        wait = min(LONGEST, FIRST * 2.0 ** min(self._failures - 1, 16)) * self._random.uniform(0.5, 1.0)
        self._restart_at = now + wait
        cause = f"the analyzer process {_describe_exit(status)} after {ran:.1f} s"
        text = f"{cause}; the traffic goes on; it is started again in {wait:.2f} s"
        return [LogMessage(text)]


def _describe_exit(status: int) -> str:
    if status == RECYCLE:
        return "wants to be started anew (is --memory-limit too low?)"
    if status >= 0:
        return f"ended with status {status}"
    try:
        return f"was killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"was killed by signal {-status}"
