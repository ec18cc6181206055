"""One sample of all GPUs: what the child sends once a second. Standard library only.

A value that is not available is None, never 0; `GpuSample.problems` has its reason.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields

from .problems import GpuReason

RECYCLE = 75  # exit status of a child that asks for another one, which will see other GPUs


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuProblem:
    """A reading that is not available.

    Attributes:
        reading: what is missing: `devices` for all, or the name of a reading, such as `power` (docs/gpu.md).
        device: UUID of the GPU or the MIG instance, `#3` if it has none yet; "" for the whole machine.
        detail: the call and its return code, for people; "" without one.
    """

    reason: GpuReason
    reading: str
    device: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MigSample:
    """One MIG instance, and its share of the GPU.

    Attributes:
        uuid: of the instance, such as `MIG-...`.
        gpu_instance, compute_instance: its ids; instances of one GPU instance share memory and `utilization`.
        slices: compute slices that it has.
        share: part of the GPU that these are, 0 to 1.
        memory_total, memory_used, memory_free: bytes.
        utilization: share of time in which a kernel ran in its GPU instance, 0 to 1 (GPM, from Hopper on).
        sm_utilization: share of the instance's SMs that were busy, 0 to 1 (GPM, from Hopper on).
    """

    uuid: str
    gpu_instance: int | None
    compute_instance: int | None
    slices: int | None
    share: float | None
    memory_total: int | None
    memory_used: int | None
    memory_free: int | None
    utilization: float | None
    sm_utilization: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceSample:
    """One GPU.

    Attributes:
        uuid: of the GPU, such as `GPU-...`.
        index: its number in the order of NVML; it can change with a restart of the driver.
        utilization: share of the last second in which at least one kernel ran, 0 to 1. It is no measure of capacity:
            a kernel on one of 132 SMs counts like one on all. None under MIG.
        memory_utilization: share of time in which the memory was read or written, 0 to 1.
        sm_utilization: share of the SMs that were busy, 0 to 1 (GPM, from Hopper on): a measure of capacity.
        memory_total, memory_used, memory_free: bytes; what the driver reserves is in none of the last two.
        power: watts; `power_limit` is the one in force.
        energy: joules since the driver was loaded, a counter of the card.
        temperature: degrees Celsius.
        ecc_corrected, ecc_uncorrected: memory errors since the driver was loaded.
        xids: numbers of the Xid errors since the previous sample, as the driver reported them.
        mig_enabled: whether MIG partitions this GPU; None if it cannot be read.
    """

    uuid: str
    index: int
    name: str | None
    utilization: float | None
    memory_utilization: float | None
    sm_utilization: float | None
    memory_total: int | None
    memory_used: int | None
    memory_free: int | None
    power: float | None
    power_limit: float | None
    energy: float | None
    temperature: int | None
    ecc_corrected: int | None
    ecc_uncorrected: int | None
    xids: tuple[int, ...]
    mig_enabled: bool | None
    instances: tuple[MigSample, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSample:
    """A process with a context on a GPU.

    Attributes:
        pid: as the driver reports it: in a container without hostPID, of the container's PID namespace, or unknown.
        device: UUID of the GPU; `instance` is that of the MIG instance, None without MIG.
        memory_used: bytes.
        utilization: share of the last second in which a kernel of this process ran, 0 to 1. None without a sample:
            the driver has none under MIG, and none for a process that was idle.
        memory_utilization: share of time in which it read or wrote the memory, 0 to 1.
    """

    pid: int
    device: str
    instance: str | None
    memory_used: int | None
    utilization: float | None
    memory_utilization: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuSample:
    """All GPUs of this machine at one moment.

    Attributes:
        at: epoch seconds.
        seconds: time since the previous sample by the monotonic clock; None for the first of a sampling process.
        driver: version of the driver; None if it is not known.
    """

    at: float
    seconds: float | None
    driver: str | None
    devices: tuple[DeviceSample, ...] = ()
    processes: tuple[ProcessSample, ...] = ()
    problems: tuple[GpuProblem, ...] = ()

    def device(self, uuid: str) -> DeviceSample | None:
        """Return the GPU `uuid`."""
        return next((device for device in self.devices if device.uuid == uuid), None)


def encode(sample: GpuSample) -> bytes:
    """Return one line of JSON, with its line break."""
    return json.dumps(sample, default=_members, separators=(",", ":"), allow_nan=False).encode() + b"\n"


_FIELDS = {
    kind: tuple(one.name for one in fields(kind))
    for kind in (DeviceSample, GpuProblem, GpuSample, MigSample, ProcessSample)
}


def _members(value: object) -> dict[str, object]:
    return {name: getattr(value, name) for name in _FIELDS[type(value)]}  # type: ignore[index]  # json passes no other
