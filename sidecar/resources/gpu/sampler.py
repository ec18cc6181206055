"""Starts the sampling process, reads its samples, kills it when it hangs, and starts it again. Runs in the analyzer."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import mmap
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import msgspec

from .calls import MARK_BYTES, marked_call
from .meter import GpuMeter, GpuUse
from .problems import GpuReason
from .sample import GpuProblem, GpuSample
from .watch import FIRST_SAMPLE_SECONDS, SAMPLE_SECONDS, RestartPlan, SamplerWatch

_LOG = logging.getLogger("pilotfish.gpu")

LONGEST_LINE = 4 * 1024 * 1024  # bytes of one sample
END_POLL_SECONDS = 0.02
KILLED_SECONDS = 5.0  # for a process to end after SIGKILL; one that waits inside the kernel does not


@dataclass(frozen=True, slots=True)
class SamplerOptions:
    """Times of the sampler in seconds, and the environment of its process.

    Attributes:
        interval: between two samples.
        first_sample, next_sample: how long the process may be silent before it is killed.
        environment: of the process; None passes that of this process on.
    """

    interval: float = 1.0
    first_sample: float = FIRST_SAMPLE_SECONDS
    next_sample: float = SAMPLE_SECONDS
    environment: Mapping[str, str] | None = None


class GpuSampler:
    """Samples the GPUs of this machine. Run `run` as a task; cancel it to end the sampling process.

    `sleep` waits before a restart.
    """

    def __init__(
        self, options: SamplerOptions | None = None, sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    ) -> None:
        self._options = options or SamplerOptions()
        self._sleep = sleep
        self._watch = SamplerWatch()
        self._meter = GpuMeter()
        self._latest = _without_devices(GpuProblem(reason=GpuReason.STARTING, reading="devices"))
        self._received_at = time.monotonic()

    @property
    def latest(self) -> GpuSample:
        """The last sample; one without devices, with a problem, if the sampling process is silent or not running."""
        silence = time.monotonic() - self._received_at
        usual = max(self._options.interval, self._latest.seconds or 0.0)  # a driver may be slow
        if self._latest.devices and silence > 3 * usual + 1.0:
            detail = f"no sample for {silence:.0f} s"
            return _without_devices(GpuProblem(reason=GpuReason.SAMPLER_HUNG, reading="devices", detail=detail))
        return self._latest

    @property
    def use(self) -> GpuUse:
        """What the GPUs did since this object was made."""
        return self._meter.use

    @property
    def restarts(self) -> Mapping[GpuReason, int]:
        """How often the sampling process ended, by reason."""
        return self._watch.restarts

    async def run(self) -> None:
        """Sample until this task is cancelled."""
        while True:
            try:
                plan = await self._run_process()
            except OSError as error:  # such as no free descriptor, or no process
                detail = f"it cannot be started: {error.strerror}"
                failed = GpuProblem(reason=GpuReason.SAMPLER_DIED, reading="devices", detail=detail)
                plan = self._watch.on_end(failed, 0.0, None)
                self._show(plan)
            await self._sleep(plan.wait)

    async def _run_process(self) -> RestartPlan:
        began = time.monotonic()
        with _shared_memory() as (descriptor, memory):
            setup = {
                "parent": os.getpid(),
                "memory": descriptor,
                "interval": self._options.interval,
                "avoided": self._watch.avoided(began),
            }
            process = _start(setup, self._options.environment)
            try:
                ended = await self._read(process)
                ran = time.monotonic() - began
                call = marked_call(memory[:])
                if ended.silence is not None:
                    plan = self._watch.on_hang(call, ended.silence, ran, time.monotonic())
                    self._show(plan)  # now: a process that waits inside the kernel may never end
                await _end(process)
            except BaseException:  # also when this task is cancelled
                await asyncio.shield(_end(process, KILLED_SECONDS))
                raise
        if ended.silence is None:
            plan = self._watch.on_end(ended.problem, ran, process.returncode, call, time.monotonic())
            self._show(plan)
        return plan

    def _show(self, plan: RestartPlan) -> None:
        """Show and log why there is no sample."""
        self._latest = _without_devices(plan.problem)
        if plan.log is not None:
            _LOG.log(*plan.log)

    async def _read(self, process: subprocess.Popen[bytes]) -> _End:
        """Take samples until the process ends, sends something else, or is silent for too long."""
        reader = asyncio.StreamReader(limit=LONGEST_LINE)
        loop = asyncio.get_running_loop()
        transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), process.stdout)
        try:
            return await self._take_all(reader)
        finally:
            transport.close()

    async def _take_all(self, reader: asyncio.StreamReader) -> _End:
        allowed = self._options.first_sample
        sample: GpuSample | None = None
        while True:
            try:
                async with asyncio.timeout(allowed):  # wait_for of Python 3.11 may ignore that this task is cancelled
                    line = await reader.readline()
                if not line:
                    return _End(problem=_cause(sample))
                sample = decode(line)
            except TimeoutError:
                return _End(silence=allowed)
            except ValueError as error:  # a line that is too long, or no sample
                detail = f"its output cannot be read: {type(error).__name__}"
                return _End(problem=GpuProblem(reason=GpuReason.SAMPLER_DIED, reading="devices", detail=detail))
            self._take(sample)
            allowed = self._options.next_sample

    def _take(self, sample: GpuSample) -> None:
        self._latest, self._received_at = sample, time.monotonic()
        self._meter.add(sample)
        line = self._watch.on_devices(sample)
        if line is not None:
            _LOG.log(*line)


@dataclass(frozen=True, slots=True)
class _End:
    """How a sampling process ended: it was silent for so many seconds, or it ended, with the cause if it sent one."""

    silence: float | None = None
    problem: GpuProblem | None = None


def _cause(last: GpuSample | None) -> GpuProblem | None:
    """Return why a process ended by its last sample: the problem of all devices first."""
    if last is None or last.devices:
        return None
    return next(iter(sorted(last.problems, key=lambda one: one.reading != "devices")), None)


def _start(setup: Mapping[str, object], environment: Mapping[str, str] | None) -> subprocess.Popen[bytes]:
    """Start the sampling process. The subprocesses of asyncio would start a thread for each, which needs memory."""
    return subprocess.Popen(
        (sys.executable, "-P", "-m", f"{__package__}.child", json.dumps(setup)),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        pass_fds=(int(str(setup["memory"])),),
        env=environment,
    )


async def _end(process: subprocess.Popen[bytes], seconds: float = math.inf) -> None:
    """Kill the process and wait for its end, at most `seconds`.

    A process that waits inside the kernel ends later. No other one is started before: it would wait there, too.
    """
    process.kill()
    deadline = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < deadline:  # noqa: ASYNC110  # an event would need a thread
        await asyncio.sleep(END_POLL_SECONDS)


@contextmanager
def _shared_memory() -> Iterator[tuple[int, mmap.mmap]]:
    """Yield memory to share with the process: its descriptor, and its content."""
    descriptor = os.memfd_create("pilotfish-gpu")
    try:
        os.ftruncate(descriptor, MARK_BYTES)
        with mmap.mmap(descriptor, MARK_BYTES) as memory:
            yield descriptor, memory
    finally:
        os.close(descriptor)


def decode(line: bytes) -> GpuSample:
    """Return the sample that `sample.encode` wrote; raise ValueError for another line."""
    return _DECODER.decode(line)


def _without_devices(problem: GpuProblem) -> GpuSample:
    return GpuSample(at=time.time(), seconds=None, driver=None, problems=(problem,))


_DECODER = msgspec.json.Decoder(GpuSample)
