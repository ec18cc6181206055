"""Reads the processes on one GPU: their memory, and the share of time in which their kernels ran. Runs in the child."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from .calls import NOT_PROVIDED, CallPlace, GuardedCalls
from .card import GpuCard
from .gpm import PER_CENT
from .problems import GpuReason
from .reader import MICRO, MOST_BYTES
from .sample import ProcessSample

MOST_PROCESSES = 1024  # of one GPU
USED_BYTES = 64 * 1024 * 1024  # a GPU that nobody uses has less
COMPUTE = ("nvmlDeviceGetComputeRunningProcesses_v3", "nvmlDeviceGetComputeRunningProcesses_v2")
CLIENTS = "nvmlDeviceGetMPSComputeRunningProcesses_v3"  # the clients of MPS are in no other list
_EMPTY = frozenset((GpuReason.NO_SAMPLES,))
UTILIZATION = ("nvmlDeviceGetProcessUtilization", "nvmlDeviceGetProcessesUtilizationInfo")


@dataclass(frozen=True, slots=True)
class _Share:
    utilization: float | None
    memory_utilization: float | None


def read_processes(
    calls: GuardedCalls, card: GpuCard, used: int | None, now: float, *, isolated: bool
) -> Iterator[ProcessSample]:
    """Yield the processes on one GPU, which have `used` bytes of its memory. `now` is epoch seconds.

    In a PID namespace of its own (`isolated`), the driver leaves out the processes of others, or lists them with the
    id 0. An empty list then does not mean that nobody uses the GPU.
    """
    if card.mig_enabled:
        for instance in card.instances:
            for pid, memory in _memory_by_pid(calls, instance.place).items():
                yield _sample(card, pid, memory, _Share(None, None), instance.place.label)
        if card.instances:
            calls.report("process_utilization", card.place, GpuReason.MIG)
        return
    memory_of = _memory_by_pid(calls, card.place)
    if isolated and not memory_of and (used or 0) >= USED_BYTES:
        calls.report("processes", card.place, GpuReason.FOREIGN_PROCESS, "memory is used, and no process is listed")
    shares = _shares(calls, card, now, wanted=bool(memory_of))
    for pid in sorted({*memory_of, *shares})[:MOST_PROCESSES]:
        yield _sample(card, pid, memory_of.get(pid), shares.get(pid, _Share(None, None)), None)


def _sample(card: GpuCard, pid: int, memory: int | None, share: _Share, instance: str | None) -> ProcessSample:
    return ProcessSample(
        pid=pid,
        device=card.place.label,
        instance=instance,
        memory_used=memory,
        utilization=share.utilization,
        memory_utilization=share.memory_utilization,
    )


def _memory_by_pid(calls: GuardedCalls, place: CallPlace) -> dict[int, int | None]:
    """Return the bytes of each process that has a context on the GPU or the MIG instance `place`."""
    found: dict[int, int | None] = {}
    compute = calls.first("processes", place, [(name,) for name in COMPUTE])
    shared = calls.optional("processes", place, CLIENTS, default=(), quiet=NOT_PROVIDED | _EMPTY)
    for one in _named(calls, place, "processes", (*(compute or ()), *(shared or ()))):
        if one.usedGpuMemory is None:
            calls.report("process_memory", place, GpuReason.UNSUPPORTED, "the driver does not say it")
        memory = calls.count("process_memory", place, one.usedGpuMemory, MOST_BYTES)
        found[one.pid] = found.get(one.pid) if memory is None else max(memory, found.get(one.pid) or 0)
    return found


def _named(calls: GuardedCalls, place: CallPlace, reading: str, entries: Iterable[Any]) -> Iterator[Any]:
    """Yield the entries with a process id. In a container, the driver lists the processes of others with the id 0."""
    for number, one in enumerate(entries):
        if number >= MOST_PROCESSES:
            calls.report(reading, place, GpuReason.TOO_MANY, f"more than {MOST_PROCESSES} processes")
            return
        if 0 < one.pid < 2**31:
            yield one
        else:
            calls.report(reading, place, GpuReason.FOREIGN_PROCESS)


def _shares(calls: GuardedCalls, card: GpuCard, now: float, *, wanted: bool) -> dict[int, _Share]:
    """Return the utilization of each process that was active since the last sample. Several samples are averaged.

    The driver returns an error, or success without a sample, if it has none; this is a problem if it is `wanted`.
    """
    newest = card.processes_newest
    found = calls.first("process_utilization", card.place, [(name, newest.since) for name in UTILIZATION], _EMPTY)
    samples = list(_named(calls, card.place, "process_utilization", found or ()))
    by_pid: dict[int, list[Any]] = {}
    for place in newest.take_new([one.timeStamp for one in samples], round(now * MICRO)):
        by_pid.setdefault(samples[place].pid, []).append(samples[place])
    if newest.rejected:
        detail = "a sample has the time 0, or one in the future"
        calls.report("process_utilization", card.place, GpuReason.INVALID_VALUE, detail)
    if wanted and found is not None and not by_pid:
        calls.report("process_utilization", card.place, GpuReason.NO_SAMPLES)
    return {
        pid: _Share(
            _mean(calls, card.place, (one.smUtil for one in samples)),
            _mean(calls, card.place, (one.memUtil for one in samples)),
        )
        for pid, samples in by_pid.items()
    }


def _mean(calls: GuardedCalls, place: CallPlace, values: Iterable[int]) -> float | None:
    """Return the mean of percentages as a share; some drivers return numbers above 100 for a process that ended."""
    valid = [
        share
        for value in values
        if (share := calls.number("process_utilization", place, value, PER_CENT, scale=1 / PER_CENT)) is not None
    ]
    return sum(valid) / len(valid) if valid else None
