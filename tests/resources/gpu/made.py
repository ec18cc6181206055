"""GPU samples with the values that a test names, and no others."""

from __future__ import annotations

from typing import Any

from pilotfish.sidecar.resources.gpu.sample import DeviceSample, GpuSample, MigSample, ProcessSample


def device(uuid: str = "GPU-0", **values: Any) -> DeviceSample:
    absent = dict.fromkeys(
        ("name", "utilization", "memory_utilization", "sm_utilization", "memory_total", "memory_used", "memory_free",
         "power", "power_limit", "energy", "temperature", "ecc_corrected", "ecc_uncorrected", "mig_enabled")
    )  # fmt: skip
    return DeviceSample(**{"uuid": uuid, "index": 0, "xids": (), "instances": (), **absent, **values})


def instance(uuid: str, **values: Any) -> MigSample:
    absent = dict.fromkeys(
        ("gpu_instance", "compute_instance", "slices", "share", "memory_total", "memory_used", "memory_free",
         "utilization", "sm_utilization")
    )  # fmt: skip
    return MigSample(**{"uuid": uuid, **absent, **values})


def process(pid: int, utilization: float | None, uuid: str = "GPU-0", instance: str | None = None) -> ProcessSample:
    return ProcessSample(
        pid=pid, device=uuid, instance=instance, memory_used=None, utilization=utilization, memory_utilization=None
    )


def sample(*devices: DeviceSample, at: float = 0.0, seconds: float | None = 1.0, **values: Any) -> GpuSample:
    return GpuSample(**{"at": at, "seconds": seconds, "driver": "580.65", "devices": devices, **values})
