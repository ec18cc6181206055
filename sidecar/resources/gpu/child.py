"""The program of the sampling process: one line of JSON a second to standard output, a `GpuSample`.

The parent starts it; it is not a command for users:

    python -m pilotfish.sidecar.resources.gpu.child '{"parent": 1, "memory": 5, "interval": 1.0, "avoided": []}'

`memory` is the descriptor of shared memory for the name of the current call. The process ends when the driver is gone,
there is no GPU, or a new process would see other GPUs. The parent starts it again, after increasing waits.
"""

from __future__ import annotations

import json
import mmap
import os
import resource
import signal
import sys
import time
from typing import Any

from ...system.limits import limit_data
from ...system.parent_death import signal_on_parent_death
from .calls import MARK_BYTES, GuardedCalls, SessionEndedError
from .problems import GpuReason
from .sample import RECYCLE, GpuProblem, GpuSample, encode
from .session import GpuSession, is_isolated, listed_by_kernel

DATA_BYTES = 256 * 1024 * 1024  # a list whose length the driver gets wrong must not use up the memory


def main(argument: str) -> int:
    """Send samples until the driver is gone, there is no GPU, or nobody reads; return the exit status."""
    setup = json.loads(argument)
    output = os.dup(1)
    os.dup2(2, 1)  # what the library prints must not reach the parent
    if not signal_on_parent_death(signal.SIGKILL, parent=setup["parent"]):
        return 0
    limit_data(DATA_BYTES)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a driver that crashes would fill the disk
    with mmap.mmap(setup["memory"], MARK_BYTES) as mark:
        try:
            import pynvml  # type: ignore[import-untyped]
        except ImportError as error:
            _send(output, _failed(GpuProblem(reason=GpuReason.PACKAGE_MISSING, reading="devices", detail=str(error))))
            return 0
        calls = GuardedCalls(pynvml, mark, frozenset(setup["avoided"]))
        try:
            return _run_session(calls, output, setup["interval"])
        except SessionEndedError as error:
            _send(output, _failed(error.problem))
        except BrokenPipeError:  # the analyzer, which reads the samples, has ended
            pass
    return 0


def _run_session(calls: GuardedCalls, output: int, interval: float) -> int:
    """Send the samples of one session; return the exit status, RECYCLE if another session would see other GPUs."""
    session = GpuSession(calls, listed_by_kernel, isolated=is_isolated())
    problems = session.open()
    if problems:
        _send(output, _failed(*problems))
        return 0
    due = time.monotonic()
    while True:
        _send(output, session.sample(time.time(), time.monotonic()))
        if not session.devices:
            return 0
        due = max(due + interval, time.monotonic() - interval)  # samples that are overdue are left out
        time.sleep(max(0.0, due - time.monotonic()))
        if session.outdated(time.monotonic()):
            return RECYCLE


def _failed(*problems: GpuProblem) -> GpuSample:
    return GpuSample(at=time.time(), seconds=None, driver=None, problems=problems)


def _send(output: int, sample: GpuSample) -> None:
    left: Any = memoryview(encode(sample))
    while left:
        left = left[os.write(output, left) :]


if __name__ == "__main__":
    os._exit(main(sys.argv[1]))  # the end of the driver's library may hang, too
