"""GPU samples with the values that a test names, and no others; and one with every value."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from prometheus_client.metrics_core import Metric as Family

from pilotfish.sidecar.resources.gpu.collector import collect
from pilotfish.sidecar.resources.gpu.meter import GpuMeter
from pilotfish.sidecar.resources.gpu.problems import GpuReason
from pilotfish.sidecar.resources.gpu.sample import DeviceSample, GpuProblem, GpuSample, MigSample, ProcessSample


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


WHOLE = sample(
    device(
        name="H100", utilization=0.5, memory_utilization=0.2, sm_utilization=0.3, memory_total=100, memory_used=60,
        memory_free=30, power=300.0, power_limit=700.0, energy=5.0, temperature=60, ecc_corrected=3, ecc_uncorrected=1,
        xids=(79,),
    ),
    device(
        "GPU-1", name="H100", mig_enabled=True, power=100.0,
        instances=(instance("MIG-1", utilization=0.75, memory_total=10, memory_used=4, memory_free=6),),
    ),
    seconds=2.0,
    processes=(process(7, 0.5), process(8, 0.1, "GPU-1", "MIG-1")),
    problems=(GpuProblem(reason=GpuReason.MIG, reading="utilization", device="GPU-1"),),
)  # fmt: skip


def families() -> Iterator[Family]:
    """Yield each metric of GPUs with a value."""
    meter = GpuMeter()
    meter.add(WHOLE)
    return collect(WHOLE, meter.use, {GpuReason.SAMPLER_HUNG: 2})
