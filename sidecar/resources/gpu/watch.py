"""Decides how long to wait for the sampling process, when to start it again, and what to log. Pure.

A call that hangs or crashes twice within 10 minutes is left out for 10 minutes: the other readings go on. A GPU with
three such calls is left out.
"""

from __future__ import annotations

import logging
import signal
from dataclasses import dataclass, field

from ...errors import escape_unprintable, number
from .calls import call_key
from .problems import EXPECTED, GpuReason
from .sample import RECYCLE, GpuProblem, GpuSample

FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0  # seconds before a restart
HEALTHY_SECONDS = 60.0  # a process that ran so long resets the wait
AVOID_DEVICE_AFTER = 3  # calls of one GPU that are avoided
AVOID_SECONDS = 600.0
ESSENTIAL = frozenset(("nvmlInit", "nvmlDeviceGetCount"))  # without these calls, there are no samples
CRASHES = frozenset(-one for one in (signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGSEGV))
# The first sample includes nvmlInit, which wakes each GPU up if the driver is not persistent.
FIRST_SAMPLE_SECONDS, SAMPLE_SECONDS = 60.0, 10.0


@dataclass(frozen=True, slots=True)
class RestartPlan:
    """The decision after the end of a sampling process.

    Attributes:
        wait: seconds until the next start.
        problem: why there is no sample until then.
        log: a line for the log, and its level; None if it would repeat the previous one.
    """

    wait: float
    problem: GpuProblem
    log: tuple[int, str] | None


@dataclass(slots=True)
class SamplerWatch:
    """The state between two sampling processes. Times are monotonic seconds."""

    restarts: dict[GpuReason, int] = field(default_factory=dict)
    _failures: int = 0
    _blamed: dict[str, float] = field(default_factory=dict)  # when a call last hung or crashed
    _avoided: dict[str, float] = field(default_factory=dict)  # until when
    _logged: tuple[GpuReason, str] | None = None

    def avoided(self, now: float) -> tuple[str, ...]:
        """Return the calls that the next process must leave out."""
        self._avoided = {key: until for key, until in self._avoided.items() if now < until}
        indices = [key.partition("@")[2] for key in self._avoided]
        whole = {index for index in indices if index and indices.count(index) >= AVOID_DEVICE_AFTER}
        return (*self._avoided, *(call_key("*", int(index)) for index in sorted(whole)))

    def on_devices(self, sample: GpuSample) -> tuple[int, str] | None:
        """Return a line for the log if this is the first sample with GPUs after a failure."""
        if not sample.devices or self._logged == _WORKS:
            return None
        self._logged = _WORKS
        names = sorted({escape_unprintable(device.name or "unnamed") for device in sample.devices})
        found = f"{number(len(sample.devices), 'GPU')} ({', '.join(names)}), driver {sample.driver or 'unknown'}"
        return logging.INFO, f"GPU samples: {found}"

    def on_end(
        self, problem: GpuProblem | None, ran: float, status: int | None, call: str = "", now: float = 0.0
    ) -> RestartPlan:
        """Plan the restart after a process that `ran` so many seconds.

        `problem` is from its last sample, None if it just ended; `status` is its exit status, and `call` the call in
        which it ended, "" between two calls.
        """
        if status == RECYCLE:
            return RestartPlan(self._wait(ran), GpuProblem(reason=GpuReason.STARTING, reading="devices"), None)
        if problem is None:
            if status in CRASHES:
                self._blame(call, now)
            detail = f"exit status {status}{f' in {call}' if call else ''}"
            problem = GpuProblem(reason=GpuReason.SAMPLER_DIED, reading="devices", detail=detail)
        return self._plan(problem, ran)

    def on_hang(self, call: str, silence: float, ran: float, now: float) -> RestartPlan:
        """Plan the restart after a process that was killed because it sent nothing for `silence` seconds."""
        self._blame(call, now)
        detail = f"{call} did not return for {silence:g} s" if call else f"it sent nothing for {silence:g} s"
        return self._plan(GpuProblem(reason=GpuReason.SAMPLER_HUNG, reading="devices", detail=detail), ran)

    def _blame(self, call: str, now: float) -> None:
        """Remember that a call hung or crashed; at the second time, leave it out for a while."""
        if not call or call in ESSENTIAL:
            return
        previous, self._blamed[call] = self._blamed.get(call), now
        if previous is not None and now - previous < AVOID_SECONDS:
            self._avoided[call] = now + AVOID_SECONDS

    def _plan(self, problem: GpuProblem, ran: float) -> RestartPlan:
        wait = self._wait(ran)
        self.restarts[problem.reason] = self.restarts.get(problem.reason, 0) + 1
        key = (problem.reason, problem.detail)
        if key == self._logged:
            return RestartPlan(wait, problem, None)
        self._logged = key
        level = logging.INFO if problem.reason in EXPECTED else logging.WARNING
        remedy = f"; {problem.reason.remedy}" if problem.reason.remedy else ""
        shown = f" ({problem.detail})" if problem.detail else ""
        text = f"no GPU samples: {problem.reason.meaning}{shown}{remedy}; the next attempts follow in 1 to 60 s"
        return RestartPlan(wait, problem, (level, text))

    def _wait(self, ran: float) -> float:
        self._failures = 1 if ran >= HEALTHY_SECONDS else self._failures + 1
        return min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(self._failures - 1, 16))


_WORKS = (GpuReason.STARTING, "")
