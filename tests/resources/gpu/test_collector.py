"""Metrics of GPUs: a value that is not available has no series, and its reason has one."""

from __future__ import annotations

from pilotfish.sidecar.resources.gpu.collector import collect
from pilotfish.sidecar.resources.gpu.meter import GpuMeter
from pilotfish.sidecar.resources.gpu.problems import EXPECTED, GpuReason
from pilotfish.sidecar.resources.gpu.sample import GpuProblem, GpuSample
from pilotfish.sidecar.telemetry import gpu_names
from tests.resources.gpu.made import device, instance, process, sample


def series(found: GpuSample, restarts: dict[GpuReason, int] | None = None) -> dict[tuple[str, ...], float]:
    meter = GpuMeter()
    meter.add(found)
    return {
        (one.name, *one.labels.values()): one.value
        for family in collect(found, meter.use, restarts or {})
        for one in family.samples
    }


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


def test_each_metric_of_the_table_is_exported() -> None:
    found = series(WHOLE, {GpuReason.SAMPLER_HUNG: 2})
    assert {name for name, *_ in found} == {metric.name for metric in gpu_names.METRICS}


def test_the_values_are_those_of_the_sample() -> None:
    found = series(WHOLE)
    assert found["pilotfish_gpu_info", "MIG-1", "GPU-1", "H100", "580.65"] == 1
    assert found["pilotfish_gpu_utilization_ratio", "GPU-0"] == 0.5
    assert found["pilotfish_gpu_utilization_ratio", "MIG-1"] == 0.75
    assert ("pilotfish_gpu_utilization_ratio", "GPU-1") not in found
    assert found["pilotfish_gpu_unavailable", "GPU-1", "utilization", "mig"] == 1
    assert found["pilotfish_gpu_memory_used_bytes", "MIG-1"] == 4
    assert found["pilotfish_gpu_busy_seconds_total", "GPU-0"] == 1.0
    assert found["pilotfish_gpu_energy_joules_total", "GPU-1", "power"] == 200.0
    assert found["pilotfish_gpu_xid_errors_total", "GPU-0", "79"] == 1
    assert found["pilotfish_gpu_processes", "GPU-0"] == found["pilotfish_gpu_processes", "MIG-1"] == 1
    assert ("pilotfish_gpu_processes", "GPU-1") not in found


def test_a_gpu_without_values_has_no_zeros() -> None:
    problem = GpuProblem(reason=GpuReason.NO_PERMISSION, reading="processes", device="GPU-0")
    assert series(sample(device(), problems=(problem,))) == {
        ("pilotfish_gpu_info", "GPU-0", "", "", "580.65"): 1,
        ("pilotfish_gpu_unavailable", "GPU-0", "processes", "no_permission"): 1,
    }


def test_a_machine_without_a_gpu_has_no_series_at_all() -> None:
    for reason in EXPECTED:
        assert series(sample(problems=(GpuProblem(reason=reason, reading="devices"),)), {reason: 5}) == {}
