"""Metrics of GPUs: a value that is not available has no series, and its reason has one."""

from __future__ import annotations

from pilotfish.sidecar.resources.gpu.collector import collect
from pilotfish.sidecar.resources.gpu.meter import GpuMeter
from pilotfish.sidecar.resources.gpu.problems import EXPECTED, GpuReason
from pilotfish.sidecar.resources.gpu.sample import GpuProblem, GpuSample
from pilotfish.sidecar.telemetry import gpu_names
from tests.resources.gpu.made import WHOLE, device, sample


def series(found: GpuSample, restarts: dict[GpuReason, int] | None = None) -> dict[tuple[str, ...], float]:
    meter = GpuMeter()
    meter.add(found)
    return {
        (one.name, *one.labels.values()): one.value
        for family in collect(found, meter.use, restarts or {})
        for one in family.samples
    }


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
